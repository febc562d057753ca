/**
 * The body of a `multipart/byteranges` answer (RFC 9110 §14.6).
 *
 * Parts come in the given order, each with its Content-Type and Content-Range; the boundary cannot occur by chance.
 * Parts that are small together are joined in memory, so that their length is known. Larger ones are sent in chunks as
 * they are read, and need memory for one read only. File parts cannot be joined in one `Blob`: the runtime silently
 * drops them (Bun 1.4.5).
 */
import { MiB } from "../lib/bytes.ts";
import type { OpenContent } from "../storage/blob_store.ts";
import { piecesOf } from "./send_content.ts";

/** Together this much is put together in memory. */
const joinedBytesMax = MiB;

export interface RangePart {
  /** Value of the part's Content-Range. */
  readonly header: string;
  /** Asked when its turn comes: what is open costs somebody a connection. */
  readonly open: () => Promise<OpenContent>;
  readonly lengthBytes: number;
}

export interface MultipartBody {
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
  readonly boundary: string;
  /** Null when the body is streamed. */
  readonly lengthBytes: number | null;
}

export async function multipartBody(
  parts: readonly RangePart[],
  contentType: string,
): Promise<MultipartBody> {
  const boundary = crypto.randomUUID().replaceAll("-", "");
  const total = parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const pieces = bodyPieces(parts, boundary, contentType);
  if (total > joinedBytesMax) {
    return { body: streamOf(pieces), boundary, lengthBytes: null };
  }
  const body = Buffer.concat(await Array.fromAsync(pieces));
  return { body, boundary, lengthBytes: body.length };
}

async function* bodyPieces(
  parts: readonly RangePart[],
  boundary: string,
  contentType: string,
): AsyncGenerator<Uint8Array> {
  for (const { header, open } of parts) {
    yield Buffer.from(
      `\r\n--${boundary}\r\nContent-Type: ${contentType}\r\nContent-Range: ${header}\r\n\r\n`,
    );
    yield* piecesOf(await open());
  }
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}

function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const next = await pieces.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}
