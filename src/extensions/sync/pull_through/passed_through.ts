/**
 * A blob that goes from the upstream to one client and is not kept: for a disk that is nearly full, and for ranges far
 * ahead of a download. The whole of a blob is verified: its last bytes are held back until it has its digest.
 *
 * It has one of the upstream's places for as long as its client reads: one that hardly does is broken off.
 */
import type { Clock } from "../../../lib/clock.ts";
import { algorithmOf, newHasher, type Digest } from "../../../oci/digest.ts";
import type { Report } from "../../../registry/registry.ts";
import type { ContentRange, OpenContent } from "../../../storage/blob_store.ts";
import type { UpstreamBlob } from "../upstream/upstream.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import { heldBackBytes, type FetchedBlob } from "./fetched_blob.ts";
import type { DownloadWatch } from "./download.ts";
import type { MirroredName } from "./mirror.ts";
import { worst } from "./upstream_answers.ts";

/** A client that takes nothing more for so long gives its place to others; it may come again, with `Range`. */
const unreadMs = 60_000;

type Stream = Extract<OpenContent, { kind: "stream" }>;

export interface PassParts {
  readonly watch: DownloadWatch;
  readonly report: Report;
  readonly clock: Clock;
  /** Called once it has ended, in whatever way; not where it did not begin. */
  readonly onEnd?: () => void;
}

/** Resolves once an upstream sends. @throws UpstreamTrouble. */
export async function passThrough(
  blob: FetchedBlob,
  range: ContentRange | null,
  parts: PassParts,
): Promise<Stream> {
  const troubles: UpstreamTrouble[] = [];
  for (const source of blob.sources) {
    const { upstream } = source.mirror;
    const abort = new AbortController();
    try {
      const got = await upstream.getBlob(source.name, blob.digest, {
        ...(range === null ? {} : { fromByte: range.first, lastByte: range.last }),
        signal: abort.signal,
      });
      if (got !== null) return streamOf(blob, range, { source, got, abort, ...parts });
      const words = `has no blob ${blob.digest} of ${source.name}`;
      troubles.push(new UpstreamTrouble("broken", upstream.host, { words, status: 404 }));
    } catch (error) {
      if (!(error instanceof UpstreamTrouble)) throw error;
      troubles.push(error);
    }
  }
  throw worst(troubles) ?? new Error("mirror: a blob has an upstream");
}

interface Passing extends PassParts {
  readonly source: MirroredName;
  readonly got: UpstreamBlob;
  readonly abort: AbortController;
}

function streamOf(blob: FetchedBlob, range: ContentRange | null, passing: Passing): Stream {
  const broke = (problem: string): void => {
    const { repository, digest } = blob;
    const what = "a blob of an upstream broke off on its way to a client";
    passing.report("warn", what, { repository, digest, problem });
  };
  const parts = range === null ? verified(blob, passing) : partOf(range, passing);
  const end = endOf(passing);
  let unread: AbortController | null = null;
  /** Ends it where the client does not ask for more. */
  const awaitReader = async (controller: ReadableStreamDefaultController): Promise<void> => {
    const read = new AbortController();
    unread = read;
    await passing.clock.sleep(unreadMs, read.signal);
    if (read.signal.aborted) return;
    broke(`its client took nothing for ${unreadMs / 1000} s`);
    end();
    controller.error();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        unread?.abort();
        try {
          const next = await parts.next();
          if (next.done === true) {
            end();
            controller.close();
            return;
          }
          controller.enqueue(next.value);
          void awaitReader(controller);
        } catch (error) {
          broke(error instanceof Error ? error.message : String(error));
          end();
          // The runtime prints what it is given here to standard error.
          controller.error();
        }
      },
      cancel: async () => {
        unread?.abort();
        end();
        await parts.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return { kind: "stream", stream };
}

/** Gives the upstream's place back, once. */
function endOf({ abort, got, onEnd }: Passing): () => void {
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    abort.abort();
    got.close();
    onEnd?.();
  };
}

/** One range, which nobody can verify. */
async function* partOf(
  { first, last }: ContentRange,
  { source, got, watch }: Passing,
): AsyncGenerator<Uint8Array, undefined> {
  let skippedBytes = first - got.fromByte;
  let leftBytes = last - first + 1;
  for await (const part of got.body) {
    watch.received(source.mirror.upstream.host, part.length);
    const skipped = Math.min(skippedBytes, part.length);
    skippedBytes -= skipped;
    const bytes = part.subarray(skipped, skipped + leftBytes);
    leftBytes -= bytes.length;
    if (bytes.length > 0) yield bytes.slice();
    if (leftBytes === 0) break;
  }
  got.close();
  if (leftBytes > 0) throw new UpstreamTrouble("broken", source.mirror.upstream.host);
}

async function* verified(
  { digest, sizeBytes }: FetchedBlob,
  { source, got, watch }: Passing,
): AsyncGenerator<Uint8Array, undefined> {
  const { host } = source.mirror.upstream;
  const hasher = newHasher(algorithmOf(digest));
  let total = 0;
  let held: Uint8Array = new Uint8Array();
  for await (const part of got.body) {
    watch.received(host, part.length);
    hasher.update(part);
    total += part.length;
    const joined = Buffer.concat([held, part]);
    const outBytes = Math.max(0, joined.length - heldBackBytes);
    held = joined.subarray(outBytes);
    if (outBytes > 0) yield joined.subarray(0, outBytes);
  }
  got.close();
  const actual: Digest = hasher.digest();
  if (actual !== digest || (sizeBytes !== null && total !== sizeBytes)) {
    watch.mismatch(host, digest);
    throw new UpstreamTrouble("wrong-digest", host, { words: `sent ${actual} for ${digest}` });
  }
  if (held.length > 0) yield held;
}
