// Load: blobs pushed in the two ways that clients use, from a few buffers that are sent again and again.

import { type Blob, blobParts, makeBlob } from "../content.ts";
import { KiB } from "../../src/lib/bytes.ts";
import { Connection } from "./connection.ts";
import { expectStatus, locationOf, requestHead } from "./expect.ts";
import type { UploadJob } from "./jobs.ts";

/** Clients written in Go send chunks of this size. */
const chunkBytes = 32 * KiB;
const lastChunk = Buffer.from("0\r\n\r\n");

/** Makes the blobs first: nothing is hashed while the server works. */
export function prepareUploads(
  job: UploadJob,
): () => Promise<{ operations: number; bytes: number }> {
  const blobs = Array.from({ length: job.count }, (_, index) =>
    makeBlob(job.seed, job.first + index, job.bytes),
  );
  return async () => {
    const queue = blobs.values();
    const loop = async (): Promise<void> => {
      const connection = await Connection.open(job.port, job.tls);
      for (const blob of queue) await push(connection, job, blob);
      connection.close();
    };
    await Promise.all(Array.from({ length: job.connections }, loop));
    return { operations: job.count, bytes: job.count * job.bytes };
  };
}

async function push(connection: Connection, job: UploadJob, blob: Blob): Promise<void> {
  const start = `/v2/${job.repository}/blobs/uploads/`;
  const started = await connection.send(requestHead("POST", start, "Content-Length: 0"));
  const session = locationOf(expectStatus(started, 202, `POST ${start}`), `POST ${start}`);
  const type = "Content-Type: application/octet-stream";
  if (job.way === "monolithic") {
    const head = requestHead("PUT", closing(session, blob), type, `Content-Length: ${blob.bytes}`);
    const reply = await connection.sendParts(parts(head, blobParts(blob)));
    expectStatus(reply, 201, `PUT ${session}`);
    return;
  }
  const head = requestHead("PATCH", session, type, "Transfer-Encoding: chunked");
  const patched = await connection.sendParts(parts(head, chunkedParts(blob)));
  const next = locationOf(expectStatus(patched, 202, `PATCH ${session}`), `PATCH ${session}`);
  const closed = await connection.send(
    requestHead("PUT", closing(next, blob), "Content-Length: 0"),
  );
  expectStatus(closed, 201, `PUT ${next}`);
}

function closing(session: string, blob: Blob): string {
  return `${session}${session.includes("?") ? "&" : "?"}digest=${blob.digest}`;
}

function parts(head: Uint8Array, body: Iterator<Uint8Array>): () => Uint8Array | null {
  let headSent = false;
  return () => {
    if (headSent) return body.next().value ?? null;
    headSent = true;
    return head;
  };
}

const framed = new WeakMap<Uint8Array, Uint8Array>();

function* chunkedParts(blob: Blob): Generator<Uint8Array> {
  for (const part of blobParts(blob)) {
    const known = framed.get(part);
    const bytes = known ?? frame(part);
    if (known === undefined) framed.set(part, bytes);
    yield bytes;
  }
  yield lastChunk;
}

/** A part of a body with chunk lines around every `chunkBytes` of it (RFC 9112 §7.1). */
function frame(part: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < part.length; at += chunkBytes) {
    const piece = part.subarray(at, at + chunkBytes);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat(pieces);
}
