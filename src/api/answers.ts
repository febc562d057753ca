/**
 * TABLE of the answers that rows of the endpoint table give: status, headers and body, as data.
 *
 * Beside the headers that every answer has, a handler gives exactly those that its answer lists. `test/openapi.test.ts`
 * compares real answers with this table. API errors are in `../oci/errors.ts`.
 */
import type { Answer, Content, JsonSchema, Parameter } from "../http/endpoint.ts";
import type { ApiErrorName } from "../oci/errors.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { manifestContent, octets } from "./parameters.ts";
import { digestSchema } from "./schema_parts.ts";
import { schemaOf, type SchemaName } from "./schemas.ts";

const text: JsonSchema = { type: "string" };

function header(name: string, says: string, schema: JsonSchema = text): Parameter {
  return { name, says, schema, required: true };
}

function optional(parameter: Parameter): Parameter {
  const { name, says, schema } = parameter;
  return { name, says, schema };
}

const uuid: JsonSchema = { type: "string", format: "uuid" };
const contentDigest = header("Docker-Content-Digest", "Digest of the content.", digestSchema);
const etag = header("ETag", "The digest in quotes.");
const cacheControl = header("Cache-Control", "How long the answer stays true.");
const sandbox = header("Content-Security-Policy", "No browser runs what was pushed.");
const location = header(
  "Location",
  "Where the content is, or where the upload goes on: a path, or a URL below `http.externalUrl` where the request came by its host.",
);
const none = header("Content-Length", "Always 0.", { const: "0" });
const length = header("Content-Length", "Bytes of the body.", {
  type: "string",
  pattern: "^[0-9]+$",
});
const uploadHeaders: readonly Parameter[] = [
  location,
  header("Range", "`0-` and the last byte that arrived; `0-0` also stands for none.", {
    type: "string",
    pattern: "^0-[0-9]+$",
  }),
  header("Docker-Upload-UUID", "The upload.", uuid),
];
const chunkBytesMin: Parameter = {
  name: "OCI-Chunk-Min-Length",
  says: "Where servers share the upload: bytes of a chunk, below which one costs more than it should.",
  schema: { type: "string", pattern: "^[0-9]+$" },
};
const link: Parameter = {
  name: "Link",
  says: 'The next page, as `</v2/…>; rel="next"`, below `http.externalUrl` as Location; absent on the last one.',
  schema: text,
};
const contentRange = header("Content-Range", "Which bytes of how many the body holds.", {
  type: "string",
  pattern: "^bytes ([0-9]+-[0-9]+|\\*)/[0-9]+$",
});

/** The runtime takes it for a sign that a Range was dealt with (`http/listen.ts`). */
const allBytes: Parameter = {
  name: "Content-Range",
  says: "All bytes, where a Range was asked for and is not served.",
  schema: { type: "string", pattern: "^bytes 0-[0-9]+/[0-9]+$" },
};

const zotAt: Parameter = {
  name: "Zot-At",
  says: "Where a time was asked for: the last event by then, as `n48213`, and the moment that the answer is of.",
  schema: { type: "string", pattern: "^n[0-9]+ [0-9]{4}-.*Z$" },
};

const blobHeaders: readonly Parameter[] = [
  contentDigest,
  etag,
  cacheControl,
  header("Accept-Ranges", "Parts can be asked for.", { const: "bytes" }),
  header("Content-Disposition", "A download.", { const: "attachment" }),
  sandbox,
  zotAt,
];

function json(name: SchemaName, headers: readonly Parameter[] = []): Answer {
  return {
    status: 200,
    says: "The answer.",
    headers: [length, ...headers],
    content: [{ types: [mediaTypes.json], schema: schemaOf(name) }],
  };
}

function plain(status: number, says: string): Answer {
  const content: Content = { types: ["text/plain"], schema: text };
  return { status, says, headers: [length], content: [content] };
}

const activityTag = header("ETag", "Changes with every commit.");
const noStore = header("Cache-Control", "Nobody keeps this answer.", { const: "no-store" });

export const answers = {
  version: json("Version", [
    { name: "WWW-Authenticate", says: "How an anonymous caller can log in.", schema: text },
  ]),
  token: json("Token", [noStore]),
  tokenRefused: {
    ...json("TokenRefusal", [noStore]),
    status: 400,
    says: "The request is not one that this service grants (RFC 6749 §5.2).",
  },
  apiKeys: json("ApiKeys", [noStore]),
  apiKeyMade: {
    ...json("NewApiKey", [noStore]),
    status: 201,
    says: "The key, which is shown this once.",
  },
  apiKeyRevoked: { status: 200, says: "The key is not valid any more.", headers: [none] },
  catalog: json("Catalog", [link]),
  tags: json("Tags", [link, zotAt]),
  extensions: json("Extensions"),
  referrers: {
    ...json("Index", [
      {
        name: "OCI-Filters-Applied",
        says: "`artifactType` when the list was filtered by it.",
        schema: { const: "artifactType" },
      },
      link,
      zotAt,
    ]),
    content: [{ types: [mediaTypes.ociIndex], schema: schemaOf("Index") }],
  },
  tagHistory: {
    ...json("Index", [link]),
    says: "The manifests that the tag pointed at, newest first; empty for a tag or repository that never was.",
    content: [{ types: [mediaTypes.ociIndex], schema: schemaOf("Index") }],
  },
  restored: { ...json("TagRestored", [noStore]), says: "The tag is as it was." },
  tagsSet: { ...json("TagsSet", [noStore]), says: "All of the tags are set." },
  undeleted: { ...json("Undeleted", [noStore]), says: "The content is back." },
  purged: { ...json("Purged", [noStore]), says: "The content is gone for good." },
  undoPlan: {
    ...json("UndoPlan", [noStore]),
    says: "The plan; who did what is told to callers who have logged in.",
  },
  undone: { ...json("Undone", [noStore]), says: "All of it was undone." },
  retention: { ...json("Retention", [noStore]), says: "What retention decides about tags." },
  untagged: { ...json("Untagged", [noStore]), says: "Manifests that nothing names." },
  collection: {
    ...json("Collection", [noStore]),
    says: "What collection did, and when it goes on.",
  },
  why: { ...json("Why", [noStore]), says: "What keeps it, or since when nothing does." },
  repositoryUsage: { ...json("RepositoryUsage", [noStore]), says: "What the repository takes." },
  activity: {
    ...json("Activity", [cacheControl, activityTag]),
    says: "What happened, newest first.",
  },
  activityUnchanged: {
    status: 304,
    says: "Nothing happened since.",
    headers: [cacheControl, activityTag],
  },
  caller: { ...json("Caller", [noStore]), says: "The caller." },
  usage: { ...json("Usage", [noStore, link]), says: "What repositories take." },
  diff: {
    ...json("Diff", [
      noStore,
      optional(header("Retry-After", "Seconds, while files are pending.")),
    ]),
    says: "What differs.",
  },
  audit: { ...json("Audit", [noStore]), says: "The last audit, or how far it is." },
  auditAsked: { ...json("Audit", [noStore]), status: 202, says: "It begins within seconds." },
  scrub: { ...json("Scrub", [noStore, link]), says: "Rounds, coverage, and a page of damage." },
  keptForgotten: { ...json("KeptForgotten", [noStore]), says: "The files are gone for good." },
  gcPlan: {
    status: 200,
    says: "A line of JSON for each removal, and a last one with the totals.",
    headers: [length, noStore],
    content: [{ types: ["application/jsonl"], schema: text }],
  },
  gcApplied: { ...json("PlanApplied", [noStore]), says: "What was removed, and what was not." },
  blob: {
    status: 200,
    says: "The blob.",
    headers: [...blobHeaders, optional(length), allBytes],
    content: [octets],
  },
  blobParts: {
    status: 206,
    says: "Parts of the blob: one range as it is, several as multipart/byteranges.",
    headers: [...blobHeaders, optional(length), optional(contentRange)],
    content: [octets, { types: ["multipart/byteranges"], schema: text }],
  },
  blobElsewhere: {
    status: 307,
    says: "Where the bytes are, for a while, where content lies in a store of objects. Not for HEAD, or small blobs.",
    headers: [
      header("Location", "An address that needs no login; ask there by the same Range.", text),
      contentDigest,
      noStore,
      none,
    ],
  },
  unchanged: {
    status: 304,
    says: "The client has this content already.",
    headers: [contentDigest, etag, cacheControl, zotAt],
  },
  blobCreated: {
    status: 201,
    says: "The blob is stored.",
    headers: [location, contentDigest, none],
  },
  uploadOpen: {
    status: 202,
    says: "The upload is open.",
    headers: [...uploadHeaders, chunkBytesMin, none],
  },
  uploadGrown: { status: 202, says: "The bytes arrived.", headers: [...uploadHeaders, none] },
  uploadState: { status: 204, says: "How much arrived.", headers: uploadHeaders },
  cancelled: { status: 204, says: "The upload is gone." },
  manifest: {
    status: 200,
    says: "The manifest, byte for byte and under the media type that it was pushed with.",
    headers: [contentDigest, etag, cacheControl, sandbox, length, zotAt],
    content: manifestContent,
  },
  manifestCreated: {
    status: 201,
    says: "The manifest is stored, and its tags point at it.",
    headers: [
      location,
      contentDigest,
      none,
      {
        name: "OCI-Subject",
        says: "Digest of the manifest's subject: it is listed as a referrer of it.",
        schema: digestSchema,
      },
      { name: "OCI-Tag", says: "The tags of the query that were set.", schema: text },
      { name: "Warning", says: "A quota that is nearly used up (RFC 7234 §5.5).", schema: text },
    ],
  },
  deleted: { status: 202, says: "It is gone.", headers: [none] },
  healthy: plain(200, "Yes."),
  notReady: plain(503, "Not yet, or not any more."),
} as const satisfies Record<string, Answer>;

/** Headers of every answer. */
export const commonHeaders: readonly Parameter[] = [
  header("Docker-Distribution-Api-Version", "The protocol.", { const: "registry/2.0" }),
  header("X-Content-Type-Options", "Browsers take the type as it is.", { const: "nosniff" }),
];

/** Of every reason. */
export const errorHeaders: readonly Parameter[] = [
  header("X-Request-Id", "The request's name in the log."),
];

/** What some API errors carry beside the headers of every reason. */
export const headersByError: Partial<Record<ApiErrorName, readonly Parameter[]>> = {
  UNAUTHORIZED: [
    optional(
      header(
        "WWW-Authenticate",
        "How to log in (RFC 9110 §11.6.1). Not for pages, which say so by `X-ZOT-API-CLIENT`.",
      ),
    ),
  ],
  TOO_MANY_REQUESTS: [header("Retry-After", "Seconds to wait.")],
  UNAVAILABLE: [optional(header("Retry-After", "Seconds to wait."))],
  UNSUPPORTED: [header("Allow", "The methods that the path serves.")],
  BLOB_REFERENCED: [header("Allow", "The methods that the path serves.")],
  RANGE_UNSATISFIABLE: [
    contentRange,
    header("Accept-Ranges", "Parts can be asked for.", { const: "bytes" }),
  ],
  // A push in one request has no upload to go on with.
  UPLOAD_RANGE: uploadHeaders.map(optional),
};
