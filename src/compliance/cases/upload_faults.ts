// Cases: uploads under bad conditions: wrong ranges and lengths, cut connections, two at the same time.
import { bytesBody } from "../../client/transport.ts";
import type { Exchange } from "../../client/exchange.ts";
import { ClientError } from "../../client/client_error.ts";
import { systemClock } from "../../lib/clock.ts";
import { expectBody, expectLocation, expectStatus, expectThat } from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Broken, Wrong } from "../verdict.ts";
import {
  chunkSize,
  expectUploadRange,
  openSession,
  patchChunk,
  verifyPushed,
} from "./blob_steps.ts";

export function uploadFaultScenarios(): Scenario[] {
  return [
    scenario("upload", "upload.range", "Chunks whose range or length is wrong", rangeCases()),
    scenario("upload", "upload.cut", "Connections that are cut", cutCases),
    scenario("upload", "upload.parallel", "Several requests at the same time", parallelCases),
  ];
}

function rangeCases(): Case[] {
  const malformed: readonly [id: string, range: string][] = [
    ["letters", "a-b"],
    ["no-end", "0-"],
    ["backwards", "511-0"],
    ["negative", "-1-510"],
  ];
  return [
    ...malformed.map(([id, range]) =>
      negative(
        `malformed-${id}`,
        `Content-Range: ${range} is refused with 400 or 416, and the session lives`,
        "chunkRangeGrammar",
        async (t) => {
          const location = await openSession(t);
          const answer = await t.client.uploadPatch(location, { body: t.blob(512).bytes, range });
          expectStatus(answer, [400, 416]);
          const status = await t.client.uploadStatus(location);
          expectStatus(status, 204);
          expectUploadRange(status, 0);
        },
        { level: "should" },
      ),
    ),
    negative("same-twice", "The same chunk again is refused with 416", "chunkOrder", async (t) => {
      const size = chunkSize(t);
      const chunk = { body: t.blob(size).bytes, range: `0-${size - 1}` };
      const first = await t.client.uploadPatch(await openSession(t), chunk);
      expectStatus(first, 202);
      expectStatus(await t.client.uploadPatch(expectLocation(first), chunk), 416);
    }),
    negative(
      "overlap",
      "A chunk that overlaps the one before is refused with 416",
      "chunkOrder",
      async (t) => {
        const size = chunkSize(t);
        const { bytes } = t.blob(2 * size);
        const first = { body: bytes.subarray(0, size), range: `0-${size - 1}` };
        const answer = await t.client.uploadPatch(await openSession(t), first);
        expectStatus(answer, 202);
        const overlap = { body: bytes.subarray(0, size), range: `${size - 1}-${2 * size - 2}` };
        expectStatus(await t.client.uploadPatch(expectLocation(answer), overlap), 416);
      },
    ),
    negative(
      "shorter-than-range",
      "A chunk with fewer bytes than its range says is refused, and the status tells the truth",
      "chunkLength",
      async (t) => {
        const location = await openSession(t);
        const body = t.blob(256).bytes;
        const answer = await t.client.uploadPatch(location, { body, range: "0-511" });
        expectStatus(answer, [400, 416]);
        await expectTruth(t, location, [0, 256]);
      },
      { level: "should" },
    ),
    negative(
      "longer-than-range",
      "A chunk with more bytes than its range says is refused, and the status tells the truth",
      "chunkLength",
      async (t) => {
        const location = await openSession(t);
        const body = t.blob(512).bytes;
        const answer = await t.client.uploadPatch(location, { body, range: "0-255" });
        expectStatus(answer, [400, 416]);
        await expectTruth(t, location, [0, 256, 512]);
      },
      { level: "should" },
    ),
  ];
}

/** The status of the session names one of these numbers of bytes. */
async function expectTruth(
  t: Trial,
  location: Awaited<ReturnType<typeof openSession>>,
  heldBytes: readonly number[],
): Promise<void> {
  const status = await t.client.uploadStatus(location);
  expectStatus(status, 204);
  const fits = heldBytes.some((bytes) => {
    try {
      expectUploadRange(status, bytes);
      return true;
    } catch {
      return false;
    }
  });
  expectThat(
    fits,
    `Expected one of ${heldBytes.join(", ")} bytes, got ${status.headers.get("Range") ?? ""}`,
  );
}

const cutCases: readonly Case[] = [
  positive(
    "resume",
    "After a connection that was cut in a PATCH, the status says where to go on, and the blob gets whole",
    "uploadResume",
    async (t) => {
      const blob = t.blob(200_000);
      const location = await openSession(t);
      await cutOff(t, location, blob.bytes, 120_000);
      const patched = await goOnAfterCut(t, location, blob.bytes, 120_000);
      expectStatus(patched, 202);
      expectUploadRange(patched, 200_000);
      const done = await t.client.uploadPut(expectLocation(patched), blob.digest);
      await verifyPushed(t, done, blob);
    },
    { level: "should" },
  ),
  negative("cut-put", "A PUT that was cut stores nothing", "uploadLengthMismatch", async (t) => {
    const blob = t.blob(100_000);
    const location = await openSession(t);
    const target = `${location.target}${location.target.includes("?") ? "&" : "?"}digest=${blob.digest}`;
    const url = { ...location, target };
    await ignoreCut(
      t.client.exchange({
        method: "PUT",
        url,
        body: bytesBody(blob.bytes),
        cutAfterBytes: 60_000,
      }),
    );
    expectStatus(await t.client.blobHead(t.repository, blob.digest), 404);
  }),
  negative(
    "cut-post",
    "A single POST that was cut stores nothing",
    "singlePostLength",
    async (t) => {
      const blob = t.blob(100_000);
      const cut = { cutAfterBytes: 60_000 };
      await ignoreCut(t.client.uploadPost(t.repository, blob.digest, bytesBody(blob.bytes), cut));
      expectStatus(await t.client.blobHead(t.repository, blob.digest), 404);
    },
  ),
  negative(
    "cut-manifest",
    "A manifest whose upload was cut is not stored",
    "manifestBytes",
    async (t) => {
      const maker = t.maker();
      const image = maker.image({ layerCount: 1, annotations: { padding: "x".repeat(50_000) } });
      for (const blob of maker.blobs.values()) await t.pushBlob(blob);
      const body = bytesBody(image.bytes);
      const { mediaType } = image;
      const cut = { cutAfterBytes: 30_000 };
      await ignoreCut(t.client.manifestPut(t.repository, image.digest, { mediaType, body }, cut));
      expectStatus(await t.client.manifestHead(t.repository, image.digest), 404);
    },
  ),
];

/** How often, and after which pause, a registry is asked that is still busy. */
const triesMax = 10;
const pauseMs = 50;

type Location = Awaited<ReturnType<typeof openSession>>;

async function cutOff(
  t: Trial,
  location: Location,
  bytes: Uint8Array,
  cutAfterBytes: number,
): Promise<void> {
  await ignoreCut(t.client.uploadPatch(location, { body: bytesBody(bytes) }, { cutAfterBytes }));
}

async function ignoreCut(sent: Promise<Exchange>): Promise<void> {
  try {
    await sent;
  } catch (error) {
    if (!(error instanceof ClientError && error.kind === "aborted")) throw error;
  }
}

/** Sends the rest from where the status says; 416 sends a client back to the status. */
async function goOnAfterCut(
  t: Trial,
  location: Location,
  bytes: Uint8Array,
  sentBytes: number,
): Promise<Exchange> {
  for (let tries = 1; ; tries++) {
    const status = await statusAfterCut(t, location);
    const held = heldBytesOf(status);
    if (held > sentBytes) {
      throw new Wrong(`The session holds ${held} bytes, ${sentBytes} were sent`);
    }
    const range = `${held}-${bytes.length - 1}`;
    const next = expectLocation(status);
    const patched = await t.client.uploadPatch(next, { body: bytes.subarray(held), range });
    // It may have been writing what came before the cut.
    if (patched.status !== 416 || tries === triesMax) return patched;
    await systemClock.sleep(pauseMs);
  }
}

/** The registry may still be busy with the request that was cut; asking a few times is fair. */
async function statusAfterCut(t: Trial, location: Location): Promise<Exchange> {
  let status = await t.client.uploadStatus(location);
  for (let tries = 0; tries < triesMax && status.status !== 204; tries++) {
    await systemClock.sleep(pauseMs);
    status = await t.client.uploadStatus(location);
  }
  expectStatus(status, 204, { why: "the session has to survive a cut connection" });
  return status;
}

function heldBytesOf(status: Exchange): number {
  const match = /^0-(-?\d+)$/.exec(status.headers.get("Range") ?? "");
  if (match === null) throw new Broken("Expected a Range header 0-<last byte>");
  const last = Number(match[1]);
  return last <= 0 ? 0 : last + 1;
}

const parallelCases: readonly Case[] = [
  positive(
    "same-digest",
    "Two uploads of one blob at the same time both succeed",
    "concurrentPush",
    async (t) => {
      const blob = t.blob(50_000);
      const [first, second] = [await openSession(t), await openSession(t)];
      const body = { body: blob.bytes };
      const answers = await Promise.all([
        t.client.uploadPut(first, blob.digest, body),
        t.client.uploadPut(second, blob.digest, body),
      ]);
      for (const answer of answers) expectStatus(answer, 201);
      expectBody(await t.client.blobGet(t.repository, blob.digest), blob.bytes);
    },
  ),
  positive("two-sessions", "Two sessions do not mix their bytes", "sessionSafety", async (t) => {
    const blobs = [t.blob(30_000), t.blob(30_000)];
    const pushed = blobs.map(async (blob) => {
      let location = await openSession(t);
      for (let start = 0; start < blob.bytes.length; start += 10_000) {
        const part = blob.bytes.subarray(start, start + 10_000);
        location = await patchChunk(t, location, part, start);
      }
      await verifyPushed(t, await t.client.uploadPut(location, blob.digest), blob);
    });
    await Promise.all(pushed);
  }),
  negative(
    "one-session",
    "Of two equal chunks at the same time one is taken, and the upload stays whole",
    "sessionSafety",
    async (t) => {
      const blob = t.blob(40_000);
      const location = await openSession(t);
      const chunk = { body: blob.bytes.subarray(0, 20_000), range: "0-19999" };
      const answers = await Promise.all([
        t.client.uploadPatch(location, chunk),
        t.client.uploadPatch(location, chunk),
      ]);
      const taken = answers.filter((answer) => answer.status === 202);
      expectThat(
        taken.length === 1,
        `Expected one of two equal chunks to be taken, got ${taken.length}`,
      );
      const [winner] = taken;
      if (winner === undefined) return;
      const rest = { body: blob.bytes.subarray(20_000), range: "20000-39999" };
      const done = await t.client.uploadPut(expectLocation(winner), blob.digest, rest);
      await verifyPushed(t, done, blob);
    },
    { level: "should" },
  ),
];
