/** A blob on its way as a client gets it: whole or in part, as it comes, or straight from the upstream. */
import { KiB, MiB } from "../../../lib/bytes.ts";
import type { ContentRange, OpenContent } from "../../../storage/blob_store.ts";
import type { BlobFetch } from "./blob_fetch.ts";

/** What is read of a download for one client at once. */
const partBytes = 256 * KiB;
/** A range that begins so far behind what is here does not wait for it. */
export const aheadBytesMax = 8 * MiB;

/** The bytes of a range, or all of them, as they come. The stream fails where the download does. */
export function streamOf(
  fetch: BlobFetch,
  { first, last }: ContentRange,
): Extract<OpenContent, { kind: "stream" }> {
  const leave = fetch.enter();
  let position = first;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const bytes = await fetch.read(position, Math.min(partBytes, last + 1 - position));
          position += bytes.length;
          // What ends early is no end: the client must not take it for all.
          if (bytes.length === 0) throw new Error("mirror: a blob ended early");
          controller.enqueue(bytes);
          if (position <= last) return;
          leave();
          controller.close();
        } catch {
          leave();
          // The download has told what happened. The runtime prints what it is given here to standard error.
          controller.error();
        }
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
  return { kind: "stream", stream };
}
