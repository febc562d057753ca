// The ways to push one blob, each as steps that check every answer on the way.
//
// A step pushes and returns the exchange that closed the upload; `verifyPushed` judges it. The ways
// are those of the specification: one POST, POST and PUT, chunks, a stream, a mount. They are shared
// by the cases about pushing and by the data sets, which push through all ways in turn.
import type { Exchange } from "../../client/exchange.ts";
import type { Address } from "../../client/registry_url.ts";
import { chunkedBody } from "../../client/transport.ts";
import type { Blob } from "../content.ts";
import {
  errorCodesOf,
  expectBody,
  expectDigest,
  expectHeader,
  expectLocation,
  expectStatus,
  expectThat,
} from "../expect.ts";
import type { Trial } from "../trial.ts";
import { Broken, Skipped, Unsupported } from "../verdict.ts";

export const chunkBytes = 1024;

/** A session that was opened as the specification says [end-4a]. */
export async function openSession(t: Trial, repository = t.repository): Promise<Address> {
  const start = await t.client.uploadStart(repository);
  expectStatus(start, 202);
  noteChunkMinimum(t, start);
  return expectLocation(start);
}

function noteChunkMinimum(t: Trial, start: Exchange): void {
  const text = start.headers.get("OCI-Chunk-Min-Length");
  if (text === null) return;
  expectThat(/^\d+$/.test(text), `Expected OCI-Chunk-Min-Length to be a number, got ${text}`);
  t.facts.chunkBytesMin = Math.max(t.facts.chunkBytesMin, Number(text));
}

/** The size of chunks to send, not below what the registry wants. */
export function chunkSize(t: Trial): number {
  return Math.max(chunkBytes, t.facts.chunkBytesMin);
}

/** Checks 201, a Location that gives the bytes back, and the digest header when there is one. */
export async function verifyPushed(t: Trial, done: Exchange, blob: Blob): Promise<void> {
  skipRefusedAlgorithm(t, done, blob);
  expectStatus(done, 201);
  expectDigest(done, blob);
  const location = expectLocation(done);
  const pulled = await t.client.exchange({ method: "GET", url: location });
  expectStatus(pulled, 200, { why: "the Location of the pushed blob must be pullable" });
  expectBody(pulled, blob.bytes);
}

/** A registry may not know sha512; then 400 is the right answer and the rest cannot be tried. */
export function skipRefusedAlgorithm(t: Trial, done: Exchange, content: { digest: string }): void {
  const algorithm = content.digest.startsWith("sha512:") ? "sha512" : "sha256";
  if (algorithm !== "sha512" || done.status !== 400) return;
  t.facts.refusedAlgorithms.add(algorithm);
  throw new Unsupported(`Digests of ${algorithm} are refused: ${errorCodesOf(done).join(", ")}`);
}

export async function pushByPost(t: Trial, blob: Blob): Promise<void> {
  const done = await t.client.uploadPost(t.repository, blob.digest, blob.bytes);
  if (done.status === 202) {
    // The registry opened a session instead: go on with PUT, as clients do.
    const put = await t.client.uploadPut(expectLocation(done), blob.digest, { body: blob.bytes });
    await verifyPushed(t, put, blob);
    throw new Unsupported("A single POST is answered with 202: the blob has to be sent with PUT");
  }
  if (done.status === 405) throw new Unsupported("A single POST is answered with 405");
  await verifyPushed(t, done, blob);
}

export async function pushByPut(t: Trial, blob: Blob, repository = t.repository): Promise<void> {
  const location = await openSession(t, repository);
  const done = await t.client.uploadPut(location, blob.digest, { body: blob.bytes });
  await verifyPushed(t, done, blob);
}

/** Chunks of `size` bytes with Content-Range; the last one in the PUT when asked. */
export async function pushByChunks(
  t: Trial,
  blob: Blob,
  options: { size: number; lastInPut: boolean },
): Promise<void> {
  let location = await openSession(t);
  const { bytes, digest } = blob;
  for (let start = 0; start < bytes.length; start += options.size) {
    const end = Math.min(start + options.size, bytes.length);
    const body = bytes.subarray(start, end);
    const range = `${start}-${end - 1}`;
    if (options.lastInPut && end === bytes.length) {
      const done = await t.client.uploadPut(location, digest, { body, range });
      return verifyPushed(t, done, blob);
    }
    const answer = await t.client.uploadPatch(location, { body, range });
    expectStatus(answer, 202);
    location = expectLocation(answer);
    expectUploadRange(answer, end);
  }
  await verifyPushed(t, await t.client.uploadPut(location, digest), blob);
}

/** One PATCH without Content-Range, sent in HTTP chunks of unknown total length. */
export async function pushByStream(t: Trial, blob: Blob): Promise<void> {
  const location = await openSession(t);
  const answer = await t.client.uploadPatch(location, { body: chunkedBody(blob.bytes, 300) });
  expectStatus(answer, 202);
  const next = expectLocation(answer);
  const empty = chunkedBody(new Uint8Array(0));
  await verifyPushed(t, await t.client.uploadPut(next, blob.digest, { body: empty }), blob);
}

/** Checks `Range: 0-<last byte>` of an upload that holds `heldBytes` bytes. */
export function expectUploadRange(answer: Exchange, heldBytes: number): void {
  const range = expectHeader(answer, "Range");
  if (heldBytes > 0) {
    expectThat(range === `0-${heldBytes - 1}`, `Expected Range: 0-${heldBytes - 1}, got ${range}`);
  } else {
    // How to say "nothing yet" is not defined; clients accept 0-0 and 0--1.
    expectThat(/^0--?[0-9]+$/.test(range), `Expected a Range that begins with 0-, got ${range}`);
  }
}

/** Every way in turn until one works; for content whose way of pushing does not matter. */
export async function pushSomehow(t: Trial, blob: Blob): Promise<void> {
  try {
    await pushByPut(t, blob);
  } catch (error) {
    if (error instanceof Unsupported || !(error instanceof Broken)) throw error;
    const done = await t.client.uploadPost(t.repository, blob.digest, blob.bytes);
    if (done.status !== 201) throw new Skipped(`No way to push a blob works: ${error.message}`);
  }
}

/** Sends `bytes` as the chunk that starts at `start`; the answer was 202 and names what is held. */
export async function patchChunk(
  t: Trial,
  location: Address,
  bytes: Uint8Array,
  start = 0,
): Promise<Address> {
  const end = start + bytes.length;
  const chunk = { body: bytes, range: `${start}-${end - 1}` };
  const answer = await t.client.uploadPatch(location, chunk);
  expectStatus(answer, 202);
  expectUploadRange(answer, end);
  return expectLocation(answer);
}
