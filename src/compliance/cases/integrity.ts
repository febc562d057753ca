// Cases: content of every size comes back as it was pushed, and many requests at once do not hurt.
import type { Exchange } from "../../client/exchange.ts";
import { chunkedBody } from "../../client/transport.ts";
import { formatBytes, MiB } from "../../lib/bytes.ts";
import { newHasher } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { type Blob, emptyJson, exampleTypes, plainDescriptor } from "../content.ts";
import {
  expectBody,
  expectJson,
  expectLocation,
  expectStatus,
  expectThat,
  expectPushed,
} from "../expect.ts";
import { type Case, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Wrong } from "../verdict.ts";
import { listReferrers } from "./data_set_referrers.ts";
import { openSession, patchChunk } from "./blob_steps.ts";

export function integrityScenarios(): Scenario[] {
  return [
    scenario("integrity", "integrity.size", "Blobs of every size", sizeCases()),
    scenario("integrity", "integrity.parallel", "Many at the same time", parallelCases),
  ];
}

/** Around the borders at which buffers, chunks and multipart uploads change. */
const sizes = [
  0,
  1,
  2,
  511,
  512,
  513,
  4095,
  4096,
  4097,
  65_535,
  65_536,
  65_537,
  MiB - 1,
  MiB,
  MiB + 1,
  5 * MiB,
  5 * MiB + 1,
  16 * MiB,
  64 * MiB,
] as const;

function sizeCases(): Case[] {
  return sizes.map((bytes, at) =>
    positive(
      `bytes-${bytes}`,
      `A blob of ${formatBytes(bytes)} (${bytes} bytes) comes back as it was pushed`,
      "integrity",
      async (t) => {
        const blob = t.blob(bytes);
        // Turn by turn: as a stream, in one PUT, in two halves.
        await [pushStream, pushWhole, pushHalves][at % 3]?.(t, blob);
        await expectPull(t, blob);
      },
    ),
  );
}

async function pushStream(t: Trial, blob: Blob): Promise<void> {
  const patched = await t.client.uploadPatch(await openSession(t), {
    body: chunkedBody(blob.bytes),
  });
  expectStatus(patched, 202);
  expectStatus(await t.client.uploadPut(expectLocation(patched), blob.digest), 201);
}

async function pushWhole(t: Trial, blob: Blob): Promise<void> {
  const done = await t.client.uploadPut(await openSession(t), blob.digest, { body: blob.bytes });
  expectStatus(done, 201);
}

async function pushHalves(t: Trial, blob: Blob): Promise<void> {
  const half = Math.ceil(blob.bytes.length / 2);
  const location = await openSession(t);
  if (half === 0) return expectStatus(await t.client.uploadPut(location, blob.digest), 201);
  const next = await patchChunk(t, location, blob.bytes.subarray(0, half));
  const body = blob.bytes.subarray(half);
  const rest = body.length === 0 ? {} : { body, range: `${half}-${blob.bytes.length - 1}` };
  expectStatus(await t.client.uploadPut(next, blob.digest, rest), 201);
}

/** Pulls without keeping the bytes. */
async function expectPull(t: Trial, blob: Blob): Promise<void> {
  const hasher = newHasher("sha256");
  const onBody = (piece: Uint8Array): void => hasher.update(piece);
  const answer = await t.client.blobGet(t.repository, blob.digest, { onBody });
  expectStatus(answer, 200);
  if (answer.bodyBytes !== blob.bytes.length) {
    throw new Wrong(`Expected ${blob.bytes.length} bytes, got ${answer.bodyBytes}`);
  }
  if (hasher.digest() !== blob.digest) throw new Wrong("The content is not what was pushed");
}

const together = 16;
const times = <T>(make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: together }, (_, n) => make(n)));

const parallelCases: readonly Case[] = [
  positive(
    "blobs",
    `${together} blobs pushed at the same time are all there`,
    "concurrentPush",
    async (t) => {
      const blobs = await times(async () => expectPushed(t.pushBlob(t.blob(20_000))));
      for (const blob of blobs) await expectPull(t, blob);
    },
  ),
  positive(
    "pulls",
    `${together} pulls of one blob at the same time all get it`,
    "concurrentPush",
    async (t) => {
      const blob = await t.pushBlob(t.blob(300_000));
      await times(() => expectPull(t, blob));
    },
  ),
  positive(
    "tags",
    `${together} images pushed at the same time all have their tags`,
    "concurrentPush",
    async (t) => {
      const tags = Array.from({ length: together }, () => t.name("parallel"));
      const images = await times(async (n) => expectPushed(t.pushImage({ tag: tags[n] ?? "" })));
      for (const [n, image] of images.entries()) {
        const answer = await t.client.manifestGet(t.repository, tags[n] ?? "");
        expectStatus(answer, 200);
        expectBody(answer, image.bytes);
      }
      const listed = expectJson(await t.client.tagsList(t.repository))["tags"];
      const missing = tags.filter((tag) => !Array.isArray(listed) || !listed.includes(tag));
      expectThat(missing.length === 0, `${missing.length} of ${together} tags are not listed`);
    },
  ),
  positive(
    "same-manifest",
    "One manifest pushed by many at the same time is accepted from all",
    "concurrentPush",
    async (t) => {
      const image = await t.pushImage();
      const { mediaType, bytes } = image;
      const answers = await times(() =>
        t.client.manifestPut(t.repository, image.digest, { mediaType, body: bytes }),
      );
      for (const answer of answers) expectStatus(answer, 201);
      expectBody(await t.client.manifestGet(t.repository, image.digest), bytes);
    },
  ),
  positive(
    "moving-tag",
    "While a tag moves, readers get the old or the new manifest, never neither",
    "atomicTag",
    async (t) => {
      const tag = t.name("moving");
      const images = [await t.pushImage({ tag }), await t.pushImage()];
      const known = new Set(images.map((image) => Buffer.from(image.bytes).toString("utf8")));
      const state: { moving: boolean; problem: unknown } = { moving: true, problem: null };
      const reader = async (): Promise<number> => {
        let reads = 0;
        for (; state.moving && state.problem === null; reads++) {
          try {
            checkRead(await t.client.manifestGet(t.repository, tag), known);
          } catch (error) {
            state.problem = error;
          }
        }
        return reads;
      };
      const readers = [reader(), reader(), reader()];
      for (let n = 0; n < 20; n++) {
        const image = images[n % 2];
        if (image !== undefined) await expectPushed(t.pushManifest(image, tag));
      }
      state.moving = false;
      const reads = await Promise.all(readers);
      if (state.problem !== null) throw state.problem;
      expectThat(
        reads.every((count) => count > 0),
        "Expected every reader to read",
      );
    },
  ),
  positive(
    "referrers",
    `${together} referrers pushed at the same time are all listed`,
    "referrersEntries",
    async (t) => {
      const subject = plainDescriptor(await t.pushImage());
      const config = await t.pushBlob(t.maker().blob(emptyJson));
      const made = await times(async (n) => {
        const members = {
          schemaVersion: 2,
          mediaType: mediaTypes.ociImage,
          artifactType: exampleTypes.one,
          config: { mediaType: mediaTypes.ociEmpty, digest: config.digest, size: 2 },
          layers: [],
          subject,
          annotations: { n: String(n), run: t.seed },
        };
        return expectPushed(t.pushManifest(t.maker().manifest(members, mediaTypes.ociImage)));
      });
      const listed = await listReferrers(t, subject.digest, null);
      const found = new Set(listed.map((entry) => entry["digest"]));
      const missing = made.filter(({ digest }) => !found.has(digest));
      expectThat(missing.length === 0, `${missing.length} of ${together} referrers are not listed`);
    },
    { since: "1.1" },
  ),
];

function checkRead(answer: Exchange, known: ReadonlySet<string>): void {
  if (answer.status === 404) throw new Wrong("The tag was gone while it moved");
  expectStatus(answer, 200);
  const text = Buffer.from(answer.body).toString("utf8");
  if (!known.has(text)) throw new Wrong("Neither the old nor the new manifest came back");
}
