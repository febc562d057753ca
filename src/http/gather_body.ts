/**
 * Streams of a known and modest length, gathered in memory before they are sent.
 *
 * The runtime (Bun 1.4.5) sends every stream in chunks, and drops a `Content-Length` that was given for it. Clients want
 * one: they show progress by it, and the conformance suite of the specification asks for it. Bytes that are at hand are
 * sent with their length. They hold memory until they are sent, so a stream that finds no room goes out in chunks.
 */
import { MiB } from "../lib/bytes.ts";
import { apiError } from "../oci/errors.ts";
import type { BodyMemory, Room } from "./body_memory.ts";
import type { Call } from "./call.ts";
import { slowBodyBytesMin, type Reply } from "./endpoint.ts";

/** Longer ones are sent as they come: their reader would wait for the last byte before it gets the first. */
export const gatheredBytesMax = 16 * MiB;

/** An answer with the bytes of its stream, which hold room in `answers`; null for any other, and where there is none. */
export async function gatherReply(
  answers: BodyMemory,
  call: Call,
  reply: Reply,
): Promise<{ readonly reply: Reply; readonly room: Room } | null> {
  const { body, streamBytes: sizeBytes = Infinity } = reply;
  if (!(body instanceof ReadableStream) || call.method === "HEAD") return null;
  // What is sent at once is not followed to its end, and needs no room.
  if (sizeBytes < slowBodyBytesMin || sizeBytes > gatheredBytesMax) return null;
  const room = answers.tryEnter(call.counted, sizeBytes);
  if (room === null) return null;
  try {
    const bytes = await gatherBody(body, sizeBytes, call.request.signal);
    return { reply: { ...reply, body: bytes }, room };
  } catch (error) {
    room.leave();
    // A stream that was broken off after its failure was told says nothing more, and nobody got a byte of it.
    throw error ?? apiError("UNAVAILABLE");
  }
}

/** All of it. @throws what the stream fails with, Error where it has another length. */
async function gatherBody(
  stream: ReadableStream<Uint8Array>,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for await (const piece of stream) {
    // Nobody waits for it any more, which is no failure of ours; leaving the loop ends the stream.
    if (signal.aborted) throw apiError("UNAVAILABLE", { message: "The client went away" });
    if (at + piece.length > sizeBytes) throw wrongLength(sizeBytes, at + piece.length);
    bytes.set(piece, at);
    at += piece.length;
  }
  if (at !== sizeBytes) throw wrongLength(sizeBytes, at);
  return bytes;
}

function wrongLength(expected: number, got: number): Error {
  return new Error(`http: expected a body of ${expected} bytes, got ${got}`);
}
