/** How content that a store opened becomes an answer: the one place that knows all of its kinds. */
import type { Reply } from "../http/endpoint.ts";
import { bodyReply, emptyReply } from "../http/reply.ts";
import { assert } from "../lib/assert.ts";
import type { OpenContent } from "../storage/blob_store.ts";

/** An answer with the content, or one that sends the client to it. */
export function contentReply(
  status: number,
  content: OpenContent,
  headers: Readonly<Record<string, string>>,
): Reply {
  if (content.kind === "redirect") return redirectReply(content.location, headers);
  if (content.kind === "bytes") return bodyReply(status, content.bytes, headers);
  if (content.kind === "blob") return bodyReply(status, content.blob, headers);
  return { status, headers, body: content.stream, streamBytes: content.sizeBytes };
}

/**
 * 307: the client asks there as it asked here, its `Range` included. What says how the content looks is said there;
 * what names it is said here. The place is good for a while only, so nobody may remember it.
 */
export function redirectReply(location: string, headers: Readonly<Record<string, string>>): Reply {
  const digest = headers["docker-content-digest"];
  return emptyReply(307, {
    location,
    ...(digest === undefined ? {} : { "docker-content-digest": digest }),
    "cache-control": "no-store",
    "content-length": "0",
  });
}

/** The bytes of content that is sent as a part of an answer, piece by piece. */
export function piecesOf(content: OpenContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  assert(content.kind !== "redirect", "a redirect is answered as a whole");
  if (content.kind === "bytes") return [content.bytes];
  return content.kind === "blob" ? content.blob.stream() : content.stream;
}
