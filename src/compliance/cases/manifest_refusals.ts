// THE table of manifests that have to be refused, or may be, and the cases made from it.
//
// Each row builds bytes that are wrong in one way. What the specification demands is a `must`; what
// only protects readers (two parsers that understand one text differently) is recommended.
import { chunkedBody } from "../../client/transport.ts";
import { MiB } from "../../lib/bytes.ts";
import { isJsonObject } from "../../lib/strict_json.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { errorCodesOf, expectErrorBody, expectJson, expectStatus, expectThat } from "../expect.ts";
import type { ClauseName } from "../specification/clauses.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Broken, Skipped, Unsupported } from "../verdict.ts";

export function manifestRefusalScenarios(): Scenario[] {
  return [
    scenario("manifest", "manifest.invalid", "Manifests that are not right", invalidCases()),
    scenario(
      "manifest",
      "manifest.references",
      "Manifests whose references are missing",
      referenceCases,
    ),
    scenario("manifest", "manifest.size", "Manifests that are too large", sizeCases),
  ];
}

/** A right manifest with a config that is pushed, as plain members to be spoilt. */
async function members(t: Trial): Promise<Record<string, unknown>> {
  const config = await t.pushBlob(t.maker().blob(Buffer.from(`{"run":"${t.name("run")}"}`)));
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.bytes.length },
    layers: [],
  };
}

interface Row {
  id: string;
  title: string;
  clause?: ClauseName;
  /** Media type to push as; an OCI image manifest when left out. */
  type?: string;
  spoil: (right: Record<string, unknown>) => unknown;
}

const text = (value: unknown): string => JSON.stringify(value);

const invalid: readonly Row[] = [
  { id: "empty", title: "An empty body", spoil: () => "" },
  { id: "truncated", title: "Truncated JSON", spoil: (right) => text(right).slice(0, -10) },
  { id: "no-json", title: "A body that is no JSON", spoil: () => "this is not JSON" },
  { id: "array", title: "A JSON list", spoil: () => "[]" },
  { id: "text", title: "A JSON text", spoil: () => '"manifest"' },
  { id: "two-values", title: "Two JSON values", spoil: (right) => text(right) + text(right) },
  { id: "schema-1", title: "schemaVersion 1", spoil: (right) => ({ ...right, schemaVersion: 1 }) },
  {
    id: "no-config",
    title: "An image manifest without config",
    spoil: (right) => ({ ...right, config: undefined }),
  },
  {
    id: "type-mismatch",
    title: "A mediaType that is not the Content-Type",
    clause: "manifestMediaType",
    spoil: (right) => ({ ...right, mediaType: mediaTypes.ociIndex }),
  },
  {
    id: "both-kinds",
    title: "Layers and manifests in one",
    spoil: (right) => ({ ...right, manifests: [] }),
  },
  {
    id: "config-digest",
    title: "A config digest that is none",
    clause: "digestGrammar",
    spoil: (right) => ({
      ...right,
      config: { ...objectOf(right["config"]), digest: "sha256:abc" },
    }),
  },
  {
    id: "config-size",
    title: "A negative size",
    spoil: (right) => ({ ...right, config: { ...objectOf(right["config"]), size: -1 } }),
  },
  {
    id: "wrong-size",
    title: "A size that is not that of the config",
    spoil: (right) => ({ ...right, config: { ...objectOf(right["config"]), size: 1 } }),
  },
  {
    id: "annotation",
    title: "An annotation that is a number",
    spoil: (right) => ({ ...right, annotations: { number: 1 } }),
  },
  {
    id: "data",
    title: "Embedded data that is not the content",
    clause: "dataField",
    spoil: (right) => ({ ...right, config: { ...objectOf(right["config"]), data: "AAAA" } }),
  },
  {
    id: "subject",
    title: "A subject without a digest",
    spoil: (right) => ({ ...right, subject: { mediaType: mediaTypes.ociImage, size: 1 } }),
  },
  {
    id: "deep",
    title: "JSON nested 5000 deep",
    spoil: (right) => `${text(right).slice(0, -1)},"x":${"[".repeat(5000)}${"]".repeat(5000)}}`,
  },
  {
    id: "unknown-type",
    title: "A Content-Type that is no manifest",
    type: "text/plain",
    spoil: (right) => ({ ...right, mediaType: undefined }),
  },
];

function objectOf(value: unknown): Record<string, unknown> {
  return isJsonObject(value) ? value : {};
}

function invalidCases(): Case[] {
  return invalid.map((row) =>
    negative(
      row.id,
      `${row.title} is refused`,
      row.clause ?? "strictManifest",
      async (t) => {
        const spoilt = row.spoil(await members(t));
        const body = new TextEncoder().encode(typeof spoilt === "string" ? spoilt : text(spoilt));
        const tag = t.name("invalid");
        const manifest = { mediaType: row.type ?? mediaTypes.ociImage, body };
        const answer = await t.client.manifestPut(t.repository, tag, manifest);
        if (answer.status < 400) throw new Broken(`It was accepted with ${answer.status}`);
        if (answer.status >= 500) throw new Broken(`The registry failed with ${answer.status}`);
        expectStatus(answer, [400, 404, 415, 422]);
        expectStatus(await t.client.manifestHead(t.repository, tag), 404);
      },
      {
        level: "should",
      },
    ),
  );
}

const missing = (bytes: Uint8Array) => ({
  digest: digestOf("sha256", bytes),
  size: bytes.length,
});
const refusedRightly = async (t: Trial, spoilt: object, mediaType: string): Promise<void> => {
  const body = new TextEncoder().encode(text(spoilt));
  const answer = await t.client.manifestPut(t.repository, t.name("missing"), { mediaType, body });
  if (answer.status === 201) throw new Unsupported("It is accepted: references are not checked");
  expectStatus(answer, [400, 404, 422]);
  expectErrorBody(answer, ["MANIFEST_BLOB_UNKNOWN"]);
};

const referenceCases: readonly Case[] = [
  negative(
    "layer",
    "A missing layer is refused with MANIFEST_BLOB_UNKNOWN, or accepted",
    "missingReferencesCode",
    async (t) => {
      const right = await members(t);
      const layer = { mediaType: mediaTypes.ociLayer, ...missing(t.blob().bytes) };
      await refusedRightly(t, { ...right, layers: [layer] }, mediaTypes.ociImage);
    },
  ),
  negative(
    "config",
    "A missing config is refused with MANIFEST_BLOB_UNKNOWN, or accepted",
    "missingReferencesCode",
    async (t) => {
      const right = await members(t);
      const config = { mediaType: mediaTypes.ociConfig, ...missing(t.blob().bytes) };
      await refusedRightly(t, { ...right, config }, mediaTypes.ociImage);
    },
  ),
  negative(
    "child",
    "A missing child of an index is refused with MANIFEST_BLOB_UNKNOWN, or accepted",
    "missingReferencesCode",
    async (t) => {
      const child = { mediaType: mediaTypes.ociImage, ...missing(t.blob().bytes) };
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] };
      await refusedRightly(t, index, mediaTypes.ociIndex);
    },
  ),
  negative(
    "every-one",
    "Every missing reference is named in the error",
    "missingReferencesCode",
    async (t) => {
      const right = await members(t);
      const layers = [1, 2, 3].map(() => ({
        mediaType: mediaTypes.ociLayer,
        ...missing(t.blob().bytes),
      }));
      const body = new TextEncoder().encode(text({ ...right, layers }));
      const manifest = { mediaType: mediaTypes.ociImage, body };
      const answer = await t.client.manifestPut(t.repository, t.name("missing"), manifest);
      if (answer.status === 201)
        throw new Unsupported("It is accepted: references are not checked");
      const named = JSON.stringify(expectJson(answer));
      for (const { digest } of layers)
        expectThat(named.includes(digest), `Expected ${digest} in the error`);
    },
    { level: "should" },
  ),
  negative(
    "other-repository",
    "A layer that only another repository has counts as missing",
    "isolation",
    async (t) => {
      const right = await members(t);
      const elsewhere = await t.pushBlob(t.blob(), t.secondRepository);
      const layer = { mediaType: mediaTypes.ociLayer, ...missing(elsewhere.bytes) };
      await refusedRightly(t, { ...right, layers: [layer] }, mediaTypes.ociImage);
    },
    { level: "should" },
  ),
];

const padded = async (t: Trial, bytes: number): Promise<Uint8Array> => {
  const right = await members(t);
  const bare = text({ ...right, annotations: { padding: "" } }).length;
  return new TextEncoder().encode(
    text({ ...right, annotations: { padding: "x".repeat(Math.max(0, bytes - bare)) } }),
  );
};
const tooLarge = async (t: Trial, chunked: boolean): Promise<void> => {
  const bytes = await padded(t, 32 * MiB);
  const body = chunked ? chunkedBody(bytes, MiB) : bytes;
  const answer = await t.client.manifestPut(t.repository, t.name("large"), {
    mediaType: mediaTypes.ociImage,
    body,
  });
  if (answer.status === 201)
    throw new Unsupported("A manifest of 32 MiB is accepted: no limit, or a higher one");
  if (answer.status !== 413)
    throw new Broken(
      `Expected status 413, got ${answer.status} ${errorCodesOf(answer).join(", ")}`,
    );
};

const sizeCases: readonly Case[] = [
  positive(
    "four-megabytes",
    "A manifest of 4,000,000 bytes is accepted",
    "manifestLarge",
    async (t) => {
      const body = await padded(t, 4_000_000);
      const digest = digestOf("sha256", body);
      const answer = await t.client.manifestPut(t.repository, digest, {
        mediaType: mediaTypes.ociImage,
        body,
      });
      expectStatus(answer, 201);
      const head = await t.client.manifestHead(t.repository, digest);
      expectStatus(head, 200);
    },
    { level: "should" },
  ),
  negative(
    "limit",
    "A manifest of 32 MiB is refused with 413",
    "manifestTooLarge",
    (t) => tooLarge(t, false),
    { level: "should" },
  ),
  negative(
    "limit-chunked",
    "A manifest of 32 MiB in HTTP chunks is refused with 413",
    "manifestTooLarge",
    (t) => tooLarge(t, true),
    { level: "should" },
  ),
  negative(
    "limit-not-stored",
    "What is over the limit is not stored",
    "manifestTooLarge",
    async (t) => {
      const body = await padded(t, 32 * MiB);
      const digest = digestOf("sha256", body);
      const answer = await t.client.manifestPut(t.repository, digest, {
        mediaType: mediaTypes.ociImage,
        body,
      });
      if (answer.status === 201) throw new Skipped("A manifest of 32 MiB is accepted");
      expectStatus(await t.client.manifestHead(t.repository, digest), 404);
    },
  ),
];
