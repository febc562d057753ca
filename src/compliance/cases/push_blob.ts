// Cases: pushing blobs in every way, once per digest algorithm, and pulling and deleting them again.
//
// For each way: push, HEAD, GET, DELETE, and that it is gone at once. Wrong digests are refused in
// each way too. Sessions that go wrong on the way are in upload.ts, mounts in mount.ts.
import type { Algorithm } from "../../oci/digest.ts";
import type { Exchange } from "../../client/exchange.ts";
import { chunkedBody } from "../../client/transport.ts";
import { type Blob, emptyJson } from "../content.ts";
import {
  expectBody,
  expectDigest,
  expectLength,
  expectLocation,
  expectNoBody,
  expectStatus,
  expectThat,
} from "../expect.ts";
import type { ClauseName } from "../specification/clauses.ts";
import { type Case, negative, positive, scenario, type Scenario, type Version } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Broken, Skipped } from "../verdict.ts";
import {
  chunkSize,
  openSession,
  pushByChunks,
  pushByPost,
  pushByPut,
  pushByStream,
  pushSomehow,
} from "./blob_steps.ts";

interface Way {
  id: string;
  title: string;
  clause: ClauseName;
  /** Bytes of the blob; `three-chunks` is as many as the registry's chunks need. */
  bytes: number | "three-chunks" | Uint8Array;
  push: (t: Trial, blob: Blob) => Promise<void>;
}

const ways: readonly Way[] = [
  { id: "post", title: "one POST", clause: "singlePost", bytes: 512, push: pushByPost },
  {
    id: "post-put",
    title: "POST and PUT",
    clause: "uploadPut",
    bytes: 512,
    push: (t, b) => pushByPut(t, b),
  },
  {
    id: "chunk",
    title: "one chunk",
    clause: "chunkAccepted",
    bytes: 512,
    push: (t, blob) => pushByChunks(t, blob, { size: 512, lastInPut: false }),
  },
  {
    id: "chunks",
    title: "three chunks",
    clause: "chunkClose",
    bytes: "three-chunks",
    push: (t, blob) => pushByChunks(t, blob, { size: chunkSize(t), lastInPut: false }),
  },
  {
    id: "chunks-put",
    title: "chunks, the last one in the PUT",
    clause: "chunkLastInPut",
    bytes: "three-chunks",
    push: (t, blob) => pushByChunks(t, blob, { size: chunkSize(t), lastInPut: true }),
  },
  {
    id: "stream",
    title: "a stream of unknown length",
    clause: "uploadPut",
    bytes: 512,
    push: pushByStream,
  },
  {
    id: "empty",
    title: "POST and PUT of no bytes",
    clause: "uploadPut",
    bytes: new Uint8Array(0),
    push: pushEmpty,
  },
  {
    id: "empty-json",
    title: "POST and PUT of {}",
    clause: "uploadPut",
    bytes: emptyJson,
    push: pushSomehow,
  },
];

/** An empty body is sent in HTTP chunks, as clients that stream do: only the last chunk is there. */
async function pushEmpty(t: Trial, blob: Blob): Promise<void> {
  const location = await openSession(t);
  const body = chunkedBody(blob.bytes);
  const done = await t.client.uploadPut(location, blob.digest, { body });
  expectStatus(done, 201);
  expectLocation(done);
}

export function pushBlobScenarios(): Scenario[] {
  return (["sha256", "sha512"] as const).flatMap((algorithm) => [
    ...ways.map((way) => wayScenario(way, algorithm)),
    missing(algorithm),
    badDigests(algorithm),
  ]);
}

function wayScenario(way: Way, algorithm: Algorithm): Scenario {
  let blob: Blob;
  const push = positive(
    "push",
    `A blob pushed with ${way.title} is accepted, and its Location gives it back`,
    way.clause,
    async (t) => {
      blob = makeBlob(t, way, algorithm);
      skipRefused(t, algorithm);
      await way.push(t, blob);
    },
    way.id === "post" ? { level: "should" } : {},
  );
  const cases = [push, ...blobLife(() => blob, "push")];
  const title = `A blob by ${algorithm}, pushed with ${way.title}`;
  return scenario("push", `push.${algorithm}.${way.id}`, title, cases);
}

function makeBlob(t: Trial, way: Way, algorithm: Algorithm): Blob {
  const maker = t.maker(algorithm);
  if (way.bytes instanceof Uint8Array) return maker.blob(way.bytes);
  const bytes = way.bytes === "three-chunks" ? 3 * chunkSize(t) - 5 : way.bytes;
  return maker.blob(maker.noise(bytes));
}

/** HEAD, GET, DELETE and gone: what every pushed blob goes through. */
export function blobLife(blob: () => Blob, pushed: string): Case[] {
  const dev = { since: "dev" as Version };
  return [
    positive(
      "head",
      "HEAD is answered with 200, the length, and no body",
      "headExists",
      async (t) => {
        const answer = await t.client.blobHead(t.repository, blob().digest);
        expectStatus(answer, 200);
        expectLength(answer, blob().bytes.length);
        expectNoBody(answer);
        expectDigest(answer, blob());
      },
      { after: [pushed] },
    ),
    positive(
      "get",
      "GET is answered with 200 and the bytes that were pushed",
      "blobGet",
      async (t) => {
        const answer = await t.client.blobGet(t.repository, blob().digest);
        expectStatus(answer, 200);
        expectBody(answer, blob().bytes);
        expectLength(answer, blob().bytes.length);
        expectDigest(answer, blob());
      },
      { after: [pushed] },
    ),
    positive(
      "digest-header",
      "GET and HEAD name the digest",
      "blobDigestHeader",
      async (t) => {
        const required = { required: true, exact: true };
        const head = await t.client.blobHead(t.repository, blob().digest);
        expectDigest(head, blob(), required);
        expectDigest(await t.client.blobGet(t.repository, blob().digest), blob(), required);
      },
      { after: [pushed, "get"], ...dev },
    ),
    ...blobRemoval(blob, pushed),
  ];
}

/** DELETE and gone. */
export function blobRemoval(blob: () => Blob, pushed: string): Case[] {
  return [
    positive(
      "delete",
      "DELETE is answered with 202",
      "blobDelete",
      async (t) => {
        const answer = await t.client.blobDelete(t.repository, blob().digest);
        expectStatus(answer, 202, { unsupported: [400, 405] });
      },
      { after: [pushed] },
    ),
    negative(
      "gone",
      "After that, HEAD and GET are 404 at once",
      "blobMissing",
      async (t) => {
        expectStatus(await t.client.blobHead(t.repository, blob().digest), 404);
        expectStatus(await t.client.blobGet(t.repository, blob().digest), 404);
      },
      { after: ["delete"] },
    ),
  ];
}

function skipRefused(t: Trial, algorithm: Algorithm): void {
  if (t.facts.refusedAlgorithms.has(algorithm)) {
    throw new Skipped(`Digests of ${algorithm} are refused`);
  }
}

function missing(algorithm: Algorithm): Scenario {
  return scenario("push", `push.${algorithm}.missing`, `A blob by ${algorithm} that is not there`, [
    negative("get", "GET of a blob that was never pushed is 404", "blobMissing", async (t) => {
      expectStatus(await t.client.blobGet(t.repository, t.blob(512, algorithm).digest), 404);
    }),
    negative("head", "HEAD of a blob that was never pushed is 404", "headMissing", async (t) => {
      const answer = await t.client.blobHead(t.repository, t.blob(512, algorithm).digest);
      expectStatus(answer, 404);
      expectNoBody(answer);
    }),
  ]);
}

type WrongPush = (t: Trial, digest: string, bytes: Uint8Array) => Promise<Exchange>;

/** Each way with bytes that are not those of the digest: the answer that has to be 400. */
const wrongPushes: readonly [id: string, title: string, push: WrongPush][] = [
  [
    "post",
    "one POST",
    async (t, digest, bytes) => {
      const answer = await t.client.uploadPost(t.repository, digest, bytes);
      if (answer.status !== 202) return answer;
      return t.client.uploadPut(expectLocation(answer), digest, { body: bytes });
    },
  ],
  [
    "post-put",
    "POST and PUT",
    async (t, digest, bytes) => t.client.uploadPut(await openSession(t), digest, { body: bytes }),
  ],
  [
    "chunks",
    "chunks",
    async (t, digest, bytes) => {
      const location = await sendChunks(t, bytes);
      return t.client.uploadPut(location, digest);
    },
  ],
  [
    "chunks-put",
    "chunks, the last one in the PUT",
    async (t, digest, bytes) => {
      const size = chunkSize(t);
      const location = await sendChunks(t, bytes.subarray(0, size));
      const body = bytes.subarray(size);
      return t.client.uploadPut(location, digest, { body, range: `${size}-${bytes.length - 1}` });
    },
  ],
  [
    "stream",
    "a stream",
    async (t, digest, bytes) => {
      const body = chunkedBody(bytes);
      const answer = await t.client.uploadPatch(await openSession(t), { body });
      expectStatus(answer, 202);
      return t.client.uploadPut(expectLocation(answer), digest);
    },
  ],
];

async function sendChunks(t: Trial, bytes: Uint8Array): ReturnType<typeof openSession> {
  let location = await openSession(t);
  const size = chunkSize(t);
  for (let start = 0; start < bytes.length; start += size) {
    const body = bytes.subarray(start, start + size);
    const range = `${start}-${start + body.length - 1}`;
    const answer = await t.client.uploadPatch(location, { body, range });
    expectStatus(answer, 202);
    location = expectLocation(answer);
  }
  return location;
}

function badDigests(algorithm: Algorithm): Scenario {
  const cases = wrongPushes.map(([id, title, push]) =>
    negative(
      id,
      `Bytes that are not those of the digest are refused with 400 and not stored: ${title}`,
      "badBlobDigest",
      async (t) => {
        const good = t.blob(2 * chunkSize(t) + 7, algorithm);
        const bytes = Buffer.concat([good.bytes, Buffer.from("more")]);
        const answer = await push(t, good.digest, bytes);
        if (answer.status < 400)
          throw new Broken(`Wrong bytes were accepted with ${answer.status}`);
        expectStatus(answer, 400);
        const stored = await t.client.blobHead(t.repository, good.digest);
        expectThat(
          stored.status === 404,
          `Expected nothing stored, HEAD answered ${stored.status}`,
        );
      },
    ),
  );
  const title = `Bytes that are not those of the ${algorithm} digest`;
  return scenario("push", `push.${algorithm}.bad-digest`, title, cases);
}
