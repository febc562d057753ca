/**
 * Comparing the files of two images in the background: heavy work, of which one piece is done at a time. The listing of
 * each layer is made once and kept, and so is what came of a comparison; both can be made again.
 */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  compareImageFiles,
  comparedMsMax,
  isReadForFiles,
  type FileComparison,
} from "../../inspect/files/compare_image_files.ts";
import { listLayer, readBytesMax, type LayerEntry } from "../../inspect/files/layer_listing.ts";
import { LayerProblem } from "../../inspect/files/layer_problem.ts";
import type { ReadBudget } from "../../inspect/files/plain_bytes.ts";
import { layersOf, seeManifest } from "../../inspect/seen_manifest.ts";
import type { HeavyRunner } from "../../jobs/heavy_work.ts";
import { comparisons, listingBytesMax } from "../../metadata/comparisons.ts";
import { recordCommit } from "../../metadata/records.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { parseDigest } from "../../oci/digest.ts";
import type { Registry } from "../registry.ts";
import type { RegistryJob, RegistryWork } from "../registry_job.ts";
import { resolveBlob } from "../resolve.ts";
import { registryContent } from "./registry_content.ts";

/** An image, not an index, of a repository as it is or was. */
export interface ComparedImage {
  readonly repository: string;
  readonly digest: string;
}

export interface CompareRequest {
  readonly a: ComparedImage;
  readonly b: ComparedImage;
}

/** What is kept of a comparison. `isPassing`: another attempt may give another result. */
export type KeptComparison = FileComparison & { readonly isPassing?: boolean };

/** Raised when what listings hold changes: others are made anew. */
const listingVersion = 1;

/** The layers of both follow from the digests of the images. */
export function comparisonKey({ a, b }: CompareRequest): string {
  return `${listingVersion} ${a.digest} ${b.digest}`;
}

export const compareFilesWork: RegistryWork<CompareRequest, KeptComparison> = {
  name: "compare-files",
  run: async (registry, request, signal) => {
    const timed = AbortSignal.any([signal, AbortSignal.timeout(comparedMsMax)]);
    const [a, b] = [await layersIn(registry, request.a), await layersIn(registry, request.b)];
    if (a === null || b === null) return { problem: "an image is gone", isPassing: true };
    const budget = { bytesLeft: readBytesMax };
    try {
      return await compareImageFiles({ a, b }, (layer, side) =>
        listingOf(registry, { layer, repository: request[side].repository }, budget, timed),
      );
    } catch (error) {
      if (!timed.aborted || signal.aborted) throw error;
      const minutes = comparedMsMax / 60_000;
      return { problem: `it would take more than ${minutes} minutes`, isPassing: true };
    }
  },
};

async function layersIn(
  registry: Registry,
  { repository, digest }: ComparedImage,
): Promise<Descriptor[] | null> {
  const image = await seeManifest(registryContent(registry, repository, null), digest);
  return image === null ? null : layersOf(image);
}

/**
 * A layer that must be read for a comparison and is not in the repository; null where all are. Manifests may name what
 * their repository does not have: layers that lie elsewhere, and content of a mirror that was not fetched yet. What other
 * repositories have under the same digest is not told of.
 */
export async function missingLayer(
  registry: Registry,
  repository: string,
  layers: readonly Descriptor[],
): Promise<Descriptor | null> {
  for (const layer of layers.filter(isReadForFiles)) {
    if (!(await isHere(registry, repository, layer))) return layer;
  }
  return null;
}

async function isHere(registry: Registry, repository: string, layer: Descriptor): Promise<boolean> {
  const digest = parseDigest(layer.digest);
  return digest !== null && (await resolveBlob(registry, repository, digest)).found !== null;
}

async function listingOf(
  registry: Registry,
  { layer, repository }: { readonly layer: Descriptor; readonly repository: string },
  budget: ReadBudget,
  signal: AbortSignal,
): Promise<readonly LayerEntry[]> {
  const { metadata } = registry;
  const key = `${listingVersion} ${layer.digest}`;
  if (!(await isHere(registry, repository, layer))) throw new LayerProblem("it is not here");
  const kept = await metadata.records(comparisons).listing(key);
  if (kept !== null) return decoded(kept);
  const digest = parseDigest(layer.digest);
  const content = registryContent(registry, repository, null);
  const blob = digest === null ? null : await content.blob({ digest, sizeBytes: layer.size });
  if (blob === null) throw new LayerProblem("it is not here");
  const entries = await listLayer(blob, { budget, signal });
  const listing = encoded(entries);
  if (listing.length <= listingBytesMax) {
    await metadata.commit(
      recordCommit(comparisons, { kind: "keep-listing", digest: key, listing }),
    );
  }
  return entries;
}

function encoded(entries: readonly LayerEntry[]): Uint8Array {
  return zstdCompressSync(JSON.stringify(entries));
}

function decoded(listing: Uint8Array): LayerEntry[] {
  return JSON.parse(new TextDecoder().decode(zstdDecompressSync(listing))) as LayerEntry[];
}

/** The job that does all that waits, in the order in which it was wanted. */
export function compareFilesJob(
  registry: Registry,
  heavy: HeavyRunner<Registry>,
): Omit<RegistryJob, "name" | "lease"> {
  return {
    everyMs: 60_000,
    // Somebody waits for it; looking whether anybody does is a read of an index, once a second at most.
    followsCommits: true,
    restFactor: 0,
    run: async (signal) => {
      for (;;) {
        const next = await registry.metadata.records(comparisons).waiting();
        if (next === null) return null;
        signal.throwIfAborted();
        const result = await compared(registry, heavy, next.request, signal);
        const change = { kind: "done", key: next.key, result: JSON.stringify(result) } as const;
        await registry.metadata.commit(recordCommit(comparisons, change));
      }
    },
  };
}

async function compared(
  registry: Registry,
  heavy: HeavyRunner<Registry>,
  request: string,
  signal: AbortSignal,
): Promise<KeptComparison> {
  try {
    return await heavy.run(compareFilesWork, JSON.parse(request) as CompareRequest, signal);
  } catch (error) {
    signal.throwIfAborted();
    registry.report("error", "the files of two images could not be compared", {
      error: String(error),
    });
    return { problem: "the layers cannot be read now; the server's log says why", isPassing: true };
  }
}
