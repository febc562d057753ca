/**
 * A blob that goes from the upstream to one client and is not kept: for a disk that is nearly full, and for ranges far
 * ahead of a download. The whole of a blob is verified: its last bytes are held back until it has its digest.
 */
import { algorithmOf, newHasher, type Digest } from "../../../oci/digest.ts";
import type { Report } from "../../../registry/registry.ts";
import type { ContentRange, OpenContent } from "../../../storage/blob_store.ts";
import type { UpstreamBlob } from "../upstream/upstream.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import { heldBackBytes, type FetchedBlob } from "./fetched_blob.ts";
import type { DownloadWatch } from "./download.ts";
import type { MirroredName } from "./mirror.ts";
import { worst } from "./upstream_answers.ts";

type Stream = Extract<OpenContent, { kind: "stream" }>;

export interface PassParts {
  readonly watch: DownloadWatch;
  readonly report: Report;
}

/** Resolves once an upstream sends. @throws UpstreamTrouble. */
export async function passThrough(
  blob: FetchedBlob,
  range: ContentRange | null,
  { watch, report }: PassParts,
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
      if (got !== null) return streamOf(blob, range, { source, got, abort, watch, report });
      const words = `has no blob ${blob.digest} of ${source.name}`;
      troubles.push(new UpstreamTrouble("broken", upstream.host, { words, status: 404 }));
    } catch (error) {
      if (!(error instanceof UpstreamTrouble)) throw error;
      troubles.push(error);
    }
  }
  throw worst(troubles) ?? new Error("mirror: a blob has an upstream");
}

interface Passing {
  readonly source: MirroredName;
  readonly got: UpstreamBlob;
  readonly abort: AbortController;
  readonly watch: DownloadWatch;
  readonly report: Report;
}

function streamOf(blob: FetchedBlob, range: ContentRange | null, passing: Passing): Stream {
  const { report } = passing;
  const parts = range === null ? verified(blob, passing) : partOf(range, passing);
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const next = await parts.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        } catch (error) {
          report("warn", "a blob of an upstream broke off on its way to a client", {
            repository: blob.repository,
            digest: blob.digest,
            problem: error instanceof Error ? error.message : String(error),
          });
          // The runtime prints what it is given here to standard error.
          controller.error();
        }
      },
      cancel: async () => {
        passing.abort.abort();
        passing.got.close();
        await parts.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return { kind: "stream", stream };
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
