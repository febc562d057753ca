// Cases: each data set pushed, listed, checked, pulled, queried and deleted, one row per object.
//
// Blobs are pushed in every way in turn, so that the ways are mixed inside one image. Manifests go
// first by digest and then by tag, or by digest with `tag` parameters. Every object has its own rows:
// a report that says "the arm64 child cannot be pulled" is worth more than "pull failed".
import type { Exchange } from "../../client/exchange.ts";
import { chunkedBody } from "../../client/transport.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { type Blob, ContentMaker, type ManifestContent } from "../content.ts";
import {
  expectBody,
  expectDigest,
  expectHeader,
  expectJson,
  expectLength,
  expectLocation,
  expectNoBody,
  expectStatus,
  expectThat,
  expectType,
} from "../expect.ts";
import { manifestAccept } from "../ledger.ts";
import { type Case, type Named, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped, Unsupported } from "../verdict.ts";
import {
  pushByChunks,
  pushByPost,
  pushByPut,
  pushByStream,
  skipRefusedAlgorithm,
} from "./blob_steps.ts";
import { dataSets, type DataSet, type Filled } from "./data_sets.ts";
import { referrersCases } from "./data_set_referrers.ts";
import { compareStrings } from "./tags.ts";

/** Makes content for the scenarios that are wanted. */
export function contentScenarios(seed: string, wanted: (scenario: Named) => boolean): Scenario[] {
  const sets = dataSets.filter((set) => wanted({ group: "content", id: scenarioId(set) }));
  return [...sets.map((set) => dataSetScenario(fill(set, seed))), badDigest()];
}

function scenarioId({ id }: DataSet): string {
  return `content.${id}`;
}

function fill(set: DataSet, seed: string): Filled {
  const maker = new ContentMaker(`${seed} ${set.id}`, set.algorithm);
  const tags = set.make(maker).map(([tag, manifest]) => [`${tag}-${seed}`, manifest] as const);
  return { set, blobs: [...maker.blobs.values()], manifests: maker.manifests, tags };
}

function dataSetScenario(filled: Filled): Scenario {
  const { set } = filled;
  const cases = [
    ...pushCases(filled),
    ...listCases(filled),
    ...manifestReadCases(filled),
    ...blobReadCases(filled),
    ...referrersCases(filled),
    ...deleteCases(filled),
  ].map((row) => (row.since === "1.0" ? { ...row, since: set.since } : row));
  return scenario("content", scenarioId(set), set.title, cases);
}

const blobWays = [
  pushByPut,
  (t: Trial, blob: Blob) => pushByChunks(t, blob, { size: 512, lastInPut: false }),
  pushByStream,
  pushByPost,
  (t: Trial, blob: Blob) => pushByChunks(t, blob, { size: 512, lastInPut: true }),
];

function pushCases({ set, blobs, manifests, tags }: Filled): Case[] {
  const blobCases = blobs.map((blob, at) =>
    positive(`push-blob-${at + 1}`, `Blob ${at + 1} is accepted`, "uploadPut", async (t) => {
      if (t.facts.refusedAlgorithms.has(set.algorithm)) {
        throw new Skipped(`Digests of ${set.algorithm} are refused`);
      }
      const minimum = t.facts.chunkBytesMin > 512;
      const way = blobWays[minimum ? 0 : at % blobWays.length] ?? pushByPut;
      await pushOrUnsupported(t, way, blob);
    }),
  );
  const after = blobCases.map((row) => row.id);
  const manifestCases = manifests.map((manifest, at) =>
    positive(
      `push-manifest-${at + 1}`,
      `${describe(manifest)} ${at + 1} is accepted by digest`,
      set.clause === "manifestTagHeader" ? "manifestPut" : set.clause,
      async (t) => {
        const names = set.tagParameters ? tags.filter(([, to]) => to === manifest) : [];
        const parameters = names.map(([tag]) => tag);
        const answer = await putManifest(t, manifest, manifest.digest, parameters);
        await verifyManifestPushed(t, answer, manifest);
        expectTagHeader(answer, parameters);
      },
      { after },
    ),
  );
  const pushed = manifestCases.map((row) => row.id);
  const tagCases = set.tagParameters
    ? []
    : tags.map(([tag, manifest], at) =>
        positive(
          `push-tag-${at + 1}`,
          `${describe(manifest)} is accepted by tag`,
          "manifestPut",
          async (t) => {
            await verifyManifestPushed(t, await putManifest(t, manifest, tag), manifest);
          },
          { after: pushed },
        ),
      );
  return [...blobCases, ...manifestCases, ...tagCases];
}

/** A single POST that falls back to PUT has pushed the blob all the same. */
async function pushOrUnsupported(
  t: Trial,
  way: (t: Trial, blob: Blob) => Promise<void>,
  blob: Blob,
): Promise<void> {
  try {
    await way(t, blob);
  } catch (error) {
    if (!(error instanceof Unsupported) || way !== pushByPost) throw error;
    await pushByPut(t, blob);
  }
}

function describe(manifest: ManifestContent): string {
  return manifest.mediaType === mediaTypes.ociIndex ? "Index" : "Manifest";
}

/** Sends the manifest in HTTP chunks of unknown total length, as many clients do. */
function putManifest(
  t: Trial,
  manifest: ManifestContent,
  reference: string,
  tags: readonly string[] = [],
): Promise<Exchange> {
  const { mediaType, bytes } = manifest;
  return t.client.manifestPut(t.repository, reference, {
    mediaType,
    body: chunkedBody(bytes),
    tags,
  });
}

async function verifyManifestPushed(
  t: Trial,
  answer: Exchange,
  manifest: ManifestContent,
): Promise<void> {
  skipRefusedAlgorithm(t, answer, manifest);
  expectStatus(answer, 201);
  const location = expectLocation(answer);
  expectDigest(answer, manifest);
  const pulled = await t.client.exchange({
    method: "GET",
    url: location,
    headers: manifestAccept,
  });
  expectStatus(pulled, 200, { why: "the Location of the pushed manifest must be pullable" });
  expectType(pulled, manifest.mediaType);
  expectLength(pulled, manifest.bytes.length);
  expectBody(pulled, manifest.bytes);
  if (manifest.subject !== null && (await t.hasReferrers())) {
    expectHeader(answer, "OCI-Subject", manifest.subject);
  }
}

function expectTagHeader(answer: Exchange, tags: readonly string[]): void {
  const accepted = answer.headers.all("OCI-Tag").flatMap((line) => line.split(","));
  const names = accepted.map((name) => name.trim());
  for (const tag of tags) {
    if (!names.includes(tag))
      throw new Unsupported(`OCI-Tag does not name ${tag}: tag parameters are ignored`);
  }
}

/** Cases that have to pass before the tags are there. */
function tagPushes({ set, manifests, tags }: Filled): string[] {
  return set.tagParameters
    ? manifests.map((_, at) => `push-manifest-${at + 1}`)
    : tags.map((_, at) => `push-tag-${at + 1}`);
}

function listCases(filled: Filled): Case[] {
  const { tags } = filled;
  if (tags.length === 0) return [];
  return [
    positive(
      "list",
      "The tag list has every tag, and `last` gives those after it",
      "tags",
      async (t) => {
        const all = await listTags(t, []);
        for (const [tag] of tags) expectThat(all.includes(tag), `Expected tag ${tag} in the list`);
        const sorted = [...all].sort(compareStrings);
        const middle = sorted[Math.floor((sorted.length - 1) / 2)];
        if (sorted.length < 2 || middle === undefined) return;
        const later = await listTags(t, [["last", middle]]);
        for (const tag of sorted) {
          const wanted = compareStrings(tag, middle) > 0;
          expectThat(
            later.includes(tag) === wanted,
            `last=${middle}: ${tag} is ${wanted ? "missing" : "listed"}`,
          );
        }
      },
      { after: tagPushes(filled) },
    ),
  ];
}

async function listTags(
  t: Trial,
  query: readonly (readonly [string, string])[],
): Promise<string[]> {
  const tags: string[] = [];
  const first = await t.client.tagsList(t.repository, query);
  for await (const page of t.client.paginate(first)) {
    expectStatus(page, 200);
    const list = expectJson(page)["tags"];
    expectThat(Array.isArray(list), "Expected a list `tags`");
    for (const tag of list) if (typeof tag === "string") tags.push(tag);
  }
  return tags;
}

function manifestReadCases(filled: Filled): Case[] {
  const { manifests, tags } = filled;
  const byDigest = manifests.map((manifest, at) => ({
    name: `manifest-${at + 1}`,
    title: `${describe(manifest)} ${at + 1}`,
    reference: manifest.digest as string,
    manifest,
    after: [`push-manifest-${at + 1}`],
  }));
  const byTag = tags.map(([tag, manifest], at) => ({
    name: `tag-${at + 1}`,
    title: `Tag ${at + 1}`,
    reference: tag,
    manifest,
    after: tagPushes(filled),
  }));
  return [...byTag, ...byDigest].flatMap(({ name, title, reference, manifest, after }) => [
    positive(
      `head-${name}`,
      `${title}: HEAD has type and length, and no body`,
      "headExists",
      async (t) => {
        const answer = await t.client.manifestHead(t.repository, reference);
        expectStatus(answer, 200);
        expectNoBody(answer);
        expectType(answer, manifest.mediaType);
        expectLength(answer, manifest.bytes.length);
        expectDigest(answer, manifest);
      },
      { after },
    ),
    positive(
      `pull-${name}`,
      `${title}: GET gives the bytes that were pushed`,
      "manifestGet",
      async (t) => {
        const answer = await t.client.manifestGet(t.repository, reference);
        expectStatus(answer, 200);
        expectType(answer, manifest.mediaType);
        expectLength(answer, manifest.bytes.length);
        expectBody(answer, manifest.bytes);
        expectDigest(answer, manifest);
      },
      { after },
    ),
    positive(
      `digest-${name}`,
      `${title}: HEAD names the digest it was pushed with`,
      "headDigest",
      async (t) => {
        const answer = await t.client.manifestHead(t.repository, reference);
        expectDigest(answer, manifest, { required: true, exact: true });
      },
      { after, since: "dev" },
    ),
  ]);
}

function blobReadCases({ blobs }: Filled): Case[] {
  return blobs.flatMap((blob, at) => {
    const after = [`push-blob-${at + 1}`];
    return [
      positive(
        `head-blob-${at + 1}`,
        `Blob ${at + 1}: HEAD has the length`,
        "headExists",
        async (t) => {
          const answer = await t.client.blobHead(t.repository, blob.digest);
          expectStatus(answer, 200);
          expectLength(answer, blob.bytes.length);
        },
        { after },
      ),
      positive(
        `pull-blob-${at + 1}`,
        `Blob ${at + 1}: GET gives the bytes that were pushed`,
        "blobGet",
        async (t) => {
          const answer = await t.client.blobGet(t.repository, blob.digest);
          expectStatus(answer, 200);
          expectLength(answer, blob.bytes.length);
          expectBody(answer, blob.bytes);
        },
        { after },
      ),
    ];
  });
}

/** Tags, then manifests from the last to the first, then blobs: each accepted, each gone at once. */
function deleteCases(filled: Filled): Case[] {
  const { blobs, manifests, tags } = filled;
  const tagRows = tags.map(([tag], at) =>
    removal(
      `tag-${at + 1}`,
      `Tag ${at + 1}`,
      "tagDelete",
      [400, 405],
      (t) => t.client.manifestDelete(t.repository, tag),
      (t) => t.client.manifestHead(t.repository, tag),
      tagPushes(filled),
    ),
  );
  const manifestRows = manifests.map((manifest, at) =>
    removal(
      `manifest-${at + 1}`,
      `${describe(manifest)} ${at + 1}`,
      "manifestDelete",
      [400, 405],
      (t) => t.client.manifestDelete(t.repository, manifest.digest),
      (t) => t.client.manifestHead(t.repository, manifest.digest),
      [`push-manifest-${at + 1}`],
    ),
  );
  const blobRows = blobs.map((blob, at) =>
    removal(
      `blob-${at + 1}`,
      `Blob ${at + 1}`,
      "blobDelete",
      [405],
      (t) => t.client.blobDelete(t.repository, blob.digest),
      (t) => t.client.blobHead(t.repository, blob.digest),
      [`push-blob-${at + 1}`],
    ),
  );
  return [...tagRows.flat(), ...manifestRows.reverse().flat(), ...blobRows.flat()];
}

function removal(
  name: string,
  title: string,
  clause: "tagDelete" | "manifestDelete" | "blobDelete",
  unsupported: readonly number[],
  remove: (t: Trial) => Promise<Exchange>,
  look: (t: Trial) => Promise<Exchange>,
  after: readonly string[],
): Case[] {
  const gone = {
    tagDelete: "tagDeleted",
    manifestDelete: "manifestDeleted",
    blobDelete: "blobMissing",
  } as const;
  return [
    positive(
      `delete-${name}`,
      `${title} is deleted: 202`,
      clause,
      async (t) => {
        expectStatus(await remove(t), 202, { unsupported });
      },
      { after },
    ),
    negative(
      `gone-${name}`,
      `${title} is 404 at once`,
      gone[clause],
      async (t) => {
        expectStatus(await look(t), 404);
      },
      { after: [`delete-${name}`] },
    ),
  ];
}

/** A manifest whose bytes are not those of its digest. */
function badDigest(): Scenario {
  return scenario(
    "content",
    "content.bad-digest",
    "A manifest with two spaces more than its digest knows",
    [
      negative("push", "PUT by digest is refused with 400", "manifestPutDigest", async (t) => {
        const maker = t.maker();
        const image = maker.image();
        for (const blob of maker.blobs.values()) await t.pushBlob(blob);
        const body = Buffer.concat([image.bytes, Buffer.from("  ")]);
        const { mediaType } = image;
        expectStatus(
          await t.client.manifestPut(t.repository, image.digest, { mediaType, body }),
          400,
        );
        expectStatus(await t.client.manifestHead(t.repository, image.digest), 404);
      }),
    ],
  );
}
