/**
 * TABLES of what requests may say: in the path, in the query and in headers.
 *
 * Each parameter stands here once, under its name on the wire. Rows of the endpoint table pick from here, and so does
 * the OpenAPI document. Parameters that a row does not name are ignored [distribution-spec, "API"]. Handlers read them
 * and refuse wrong ones.
 */
import type { Content, Parameter } from "../http/endpoint.ts";
import { manifestTypes, mediaTypes } from "../oci/media_types.ts";
import { digestSchema, exampleDigest, tagSchema } from "./schema_parts.ts";
import { schemaOf, type SchemaName } from "./schemas.ts";

const text = { type: "string" } as const;
const moment = { type: "string", format: "date-time" } as const;
const number = { type: "integer", minimum: 0 } as const;
const entityTag = { type: "string", description: 'A digest in quotes, as "sha256:…".' } as const;

/** By the name in a row's path. */
export const pathParameters = {
  repository: {
    name: "repository",
    says: "Name of a repository. Its slashes stand in the path as they are.",
    schema: {
      type: "string",
      maxLength: 255,
      pattern: "^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*$",
    },
    example: "team/app",
    required: true,
  },
  digest: {
    name: "digest",
    says: "Digest of the content.",
    schema: digestSchema,
    example: exampleDigest,
    required: true,
  },
  reference: {
    name: "reference",
    says: "A tag, or the digest of the manifest.",
    schema: { anyOf: [tagSchema, digestSchema] },
    example: "latest",
    required: true,
  },
  tag: {
    name: "tag",
    says: "A tag, whether it is there or not.",
    schema: tagSchema,
    example: "latest",
    required: true,
  },
  upload: {
    name: "upload",
    says: "The upload, as the Location of the request that opened it says.",
    schema: { type: "string", format: "uuid" },
    required: true,
  },
  asset: {
    name: "asset",
    says: "A file that the page loads.",
    schema: text,
    example: "swagger-ui.css",
    required: true,
  },
  page: {
    name: "page",
    says: "A page of the interface, which finds it itself.",
    schema: text,
    example: "storage",
    required: true,
  },
  name: {
    name: "name",
    says: "Name of a repository, its slashes encoded.",
    schema: text,
    example: "team%2Fapp",
    required: true,
  },
} as const satisfies Record<string, Parameter>;

export const query = {
  mount: {
    name: "mount",
    says: "Digest of a blob of another repository, to be mounted instead of uploaded [end-11].",
    schema: digestSchema,
  },
  from: {
    name: "from",
    says: "The repository to mount from; without it any that the caller may read.",
    schema: text,
  },
  digest: {
    name: "digest",
    says: "Digest of the whole blob.",
    schema: digestSchema,
    example: exampleDigest,
    required: true,
  },
  algorithm: {
    name: "digest-algorithm",
    says: "Algorithm of the digest that will end the upload [end-4c].",
    schema: { enum: ["sha256", "sha512"] },
  },
  tag: {
    name: "tag",
    says: "Tags that the manifest gets, beside a digest in the path [end-7b].",
    schema: tagSchema,
    repeats: true,
  },
  redirect: {
    name: "redirect",
    says: "`0` asks for the bytes themselves, where clients are sent to the store that holds them.",
    schema: { const: "0" },
  },
  n: {
    name: "n",
    says: "Entries of a page at most. Larger numbers than the registry answers at once are cut down to that.",
    schema: number,
  },
  last: {
    name: "last",
    says: "Only what comes after this entry. Taken from the Link of the page before.",
    schema: text,
  },
  before: {
    name: "before",
    says: "Only events before this moment (RFC 3339).",
    schema: moment,
  },
  since: {
    name: "since",
    says: "Only events after this moment (RFC 3339).",
    schema: moment,
  },
  undoSince: {
    name: "since",
    says: "Since when: a time ago such as `10m` or `7d`, or a moment (RFC 3339).",
    schema: text,
    example: "10m",
    required: true,
  },
  by: {
    name: "by",
    says: "Only what this caller did.",
    schema: text,
  },
  prefix: {
    name: "prefix",
    says: "Only repositories whose names begin so.",
    schema: text,
  },
  at: {
    name: "at",
    says: "As it was then: `2026-11-30`, `2026-11-30T12:00:00Z`, a time ago such as `90m` or `7d`, or `n48213`, an event of history. A repository `at.7d/<name>` asks for the same.",
    schema: text,
  },
  ofDigest: {
    name: "digest",
    says: "Only events of this manifest.",
    schema: digestSchema,
  },
  ofRepository: {
    name: "repository",
    says: "Only this repository; then there is one page.",
    schema: text,
    example: "team/app",
  },
  ofTag: {
    name: "tag",
    says: "Only this tag.",
    schema: tagSchema,
  },
  ofTags: {
    name: "tag",
    says: "What goes with this tag; may stand several times.",
    schema: tagSchema,
  },
  below: {
    name: "prefix",
    says: "Only repositories below these components: `team/`, or `team` for that one, too.",
    schema: text,
  },
  diffA: {
    name: "a",
    says: "What was: a tag or digest of the repository of the path.",
    schema: text,
    example: "1.0",
    required: true,
  },
  diffB: {
    name: "b",
    says: "What is: a tag or digest of the same repository, or `name:tag` or `name@digest` of another.",
    schema: text,
    example: "1.1",
    required: true,
  },
  platform: {
    name: "platform",
    says: "Which image of an index: `linux/arm64`.",
    schema: text,
  },
  files: {
    name: "files",
    says: "Compare files, too: they are `pending` first, and the client asks again.",
    schema: { enum: ["true", "false"] },
  },
  artifactType: {
    name: "artifactType",
    says: "Only referrers of these types.",
    schema: text,
    repeats: true,
  },
} as const satisfies Record<string, Parameter>;

export const requestHeaders = {
  range: {
    name: "Range",
    says: "Parts of the blob (RFC 9110 §14.2).",
    schema: text,
    example: "bytes=0-1023",
  },
  ifRange: {
    name: "If-Range",
    says: "The ranges count only for this content (RFC 9110 §13.1.5).",
    schema: entityTag,
  },
  ifNoneMatch: {
    name: "If-None-Match",
    says: "Content that the client has already (RFC 9110 §13.1.2).",
    schema: entityTag,
  },
  ifMatch: {
    name: "If-Match",
    says: "Go on only if the tag points at one of these digests; `*` for any (RFC 9110 §13.1.1).",
    schema: entityTag,
  },
  ifAbsent: {
    name: "If-None-Match",
    says: "`*`: go on only if the tag does not exist (RFC 9110 §13.1.2).",
    schema: { const: "*" },
  },
  zotAt: {
    name: "Zot-At",
    says: "The same as `?at=`, for clients that can send a header.",
    schema: text,
  },
  contentRange: {
    name: "Content-Range",
    says: "First and last byte of a chunk, both counted from 0 and included. Without it the body is a stream.",
    schema: { type: "string", pattern: "^[0-9]+-[0-9]+$" },
    example: "0-1023",
  },
} as const satisfies Record<string, Parameter>;

/** Bodies of requests. */
export const octets: Content = {
  types: [mediaTypes.octetStream],
  schema: { type: "string", format: "binary" },
};

const typesOf = (kind: "image" | "index"): readonly string[] =>
  manifestTypes.filter((row) => row.kind === kind).map(({ mediaType }) => mediaType);

/** Manifests in both directions, by the shape of their bodies. */
export const manifestContent: readonly Content[] = [
  { types: typesOf("image"), schema: schemaOf("Image") },
  { types: typesOf("index"), schema: schemaOf("Index") },
];

export const manifestBody: Content = {
  types: manifestTypes.map(({ mediaType }) => mediaType),
  schema: { anyOf: manifestContent.map(({ schema }) => schema) },
  required: true,
};

/** A JSON object. */
export function jsonBody(name: SchemaName): Content {
  return { types: [mediaTypes.json], schema: schemaOf(name), required: true };
}
