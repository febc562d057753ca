// Cases: content that is there already. They only read, and judge a registry where nobody may push.
//
// The first tag of the repository leads to a manifest, its config and layers; all of them have to
// come back with their digests. A repository without tags skips them.
import { isJsonObject } from "../../lib/strict_json.ts";
import { algorithmOf, digestOf, newHasher, parseDigest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { expectHeader, expectJson, expectNoBody, expectStatus, expectThat } from "../expect.ts";
import { type Case, negative, positive, readingScenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped, Unsupported, Wrong } from "../verdict.ts";
import { once } from "./once.ts";

export function existingScenarios(): Scenario[] {
  return [readingScenario("pull", "existing", "Content that is there already", existingCases)];
}

const accept = {
  headers: [
    mediaTypes.ociIndex,
    mediaTypes.ociImage,
    mediaTypes.dockerList,
    mediaTypes.dockerImage,
  ].map((type) => ["Accept", type] as const),
};

interface Found {
  tag: string;
  digest: string;
  bytes: Uint8Array;
  mediaType: string;
  /** What an image manifest points to, or the first child of an index. */
  blobs: { digest: string; size: number }[];
}

async function find(t: Trial): Promise<Found> {
  const list = await t.client.tagsList(t.repository, [["n", "1"]]);
  const tags = list.status === 200 ? expectJson(list)["tags"] : null;
  const tag: unknown = Array.isArray(tags) ? tags[0] : null;
  if (typeof tag !== "string")
    throw new Skipped(`The repository ${t.repository} has no tags to pull`);
  const answer = await t.client.manifestGet(t.repository, tag, accept);
  expectStatus(answer, 200);
  const manifest = expectJson(answer);
  const children = manifest["manifests"];
  let image = manifest;
  if (Array.isArray(children)) {
    const child: unknown = children[0];
    const digest = isJsonObject(child) ? child["digest"] : null;
    const pulled =
      typeof digest === "string" ? await t.client.manifestGet(t.repository, digest, accept) : null;
    image = pulled?.status === 200 ? expectJson(pulled) : {};
  }
  const layers = Array.isArray(image["layers"]) ? image["layers"] : [];
  const blobs = [image["config"], ...layers].flatMap((entry) => {
    if (!isJsonObject(entry)) return [];
    const { digest, size } = entry;
    return typeof digest === "string" && typeof size === "number" ? [{ digest, size }] : [];
  });
  const mediaType = expectHeader(answer, "Content-Type");
  return { tag, digest: digestOf("sha256", answer.body), bytes: answer.body, mediaType, blobs };
}

const found = once(find);
const after = ["manifest"];

const existingCases: readonly Case[] = [
  positive("manifest", "A tag of the list can be pulled", "manifestGet", async (t) => {
    await found(t);
  }),
  positive(
    "by-digest",
    "The same manifest can be pulled by its digest",
    "manifestGet",
    async (t) => {
      const { digest, bytes } = await found(t);
      const answer = await t.client.manifestGet(t.repository, digest, accept);
      expectStatus(answer, 200);
      if (Buffer.compare(answer.body, bytes) !== 0)
        throw new Wrong("Other bytes by digest than by tag");
    },
    { after },
  ),
  positive(
    "head",
    "HEAD has the type, length and digest of GET",
    "headExists",
    async (t) => {
      const { tag, bytes, mediaType } = await found(t);
      const answer = await t.client.manifestHead(t.repository, tag, accept);
      expectStatus(answer, 200);
      expectNoBody(answer);
      expectHeader(answer, "Content-Length", String(bytes.length));
      expectHeader(answer, "Content-Type", mediaType);
    },
    { after },
  ),
  positive(
    "blobs",
    "Its config and layers come back with their size and digest",
    "blobGet",
    async (t) => {
      const { blobs } = await found(t);
      if (blobs.length === 0) throw new Skipped("The manifest names no blobs");
      for (const { digest, size } of blobs.slice(0, 5)) await expectBlob(t, digest, size);
    },
    { after },
  ),
  positive(
    "blob-head",
    "HEAD of its blobs has their size",
    "headLength",
    async (t) => {
      const { blobs } = await found(t);
      for (const { digest, size } of blobs.slice(0, 5)) {
        const answer = await t.client.blobHead(t.repository, digest);
        expectStatus(answer, 200);
        expectHeader(answer, "Content-Length", String(size));
      }
    },
    { after },
  ),
  positive(
    "range",
    "A part of a blob can be pulled",
    "blobRange",
    async (t) => {
      const { blobs } = await found(t);
      const blob = blobs.find(({ size }) => size >= 10);
      if (blob === undefined) throw new Skipped("The manifest names no blob of ten bytes");
      const headers = [["Range", "bytes=2-5"]] as const;
      const answer = await t.client.blobGet(t.repository, blob.digest, { headers });
      expectStatus(answer, 206, { unsupported: [200] });
      expectThat(answer.bodyBytes === 4, `Expected 4 bytes, got ${answer.bodyBytes}`);
    },
    { after },
  ),
  positive(
    "referrers",
    "Its referrers can be asked for",
    "referrers",
    async (t) => {
      const { digest } = await found(t);
      const answer = await t.client.referrers(t.repository, digest);
      if (answer.status === 404) throw new Unsupported("Referrers are not offered");
      expectStatus(answer, 200);
    },
    { after, since: "1.1" },
  ),
  negative("missing-manifest", "A tag that is not there is 404", "manifestMissing", async (t) => {
    expectStatus(await t.client.manifestGet(t.repository, `never-${t.seed}`), 404);
  }),
  negative("missing-blob", "A blob that is not there is 404", "blobMissing", async (t) => {
    expectStatus(await t.client.blobGet(t.repository, t.blob().digest), 404);
  }),
];

async function expectBlob(t: Trial, digest: string, size: number): Promise<void> {
  const parsed = parseDigest(digest);
  if (parsed === null) return;
  const hasher = newHasher(algorithmOf(parsed));
  const onBody = (piece: Uint8Array): void => hasher.update(piece);
  const answer = await t.client.blobGet(t.repository, digest, { onBody });
  expectStatus(answer, 200);
  if (answer.bodyBytes !== size) throw new Wrong(`Expected ${size} bytes, got ${answer.bodyBytes}`);
  if (hasher.digest() !== digest) throw new Wrong(`The content of ${digest} is another`);
}
