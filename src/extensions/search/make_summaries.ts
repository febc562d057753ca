/** Reads manifests and configurations of a repository, and makes their summaries. */
import { isMediaTypeOfConfig } from "../../oci/image_config.ts";
import type { NewSummary, SummarisableManifest } from "../../metadata/summaries.ts";
import { summaries } from "../../metadata/summaries.ts";
import { KiB, MiB } from "../../lib/bytes.ts";
import { parseStrictJson } from "../../lib/strict_json.ts";
import { parseDigest, type Digest } from "../../oci/digest.ts";
import { ApiError } from "../../oci/errors.ts";
import { parseManifest, type Manifest } from "../../oci/manifest.ts";
import { manifestType } from "../../oci/media_types.ts";
import { DamagedContent, readContent } from "../../registry/content.ts";
import type { Registry } from "../../registry/registry.ts";
import { summariseImage, summariseIndex, summariseUnread } from "./summarise.ts";

/** Bytes of a configuration that is read. */
const configBytesMax = MiB;
const configDepthMax = 64;
/** Manifests of one index that are read, those of indexes in it included. */
const childrenMax = 256;
const depthMax = 8;
/** Bytes of a manifest, or a configuration, that is parsed beside the commits: a millisecond or two. */
const lightBytesMax = 256 * KiB;

/** It has to be done where computing keeps nobody waiting. */
export class TooHeavy extends Error {
  override readonly name = "TooHeavy";
}

export interface Making {
  readonly registry: Registry;
  readonly repository: string;
  /** @throws TooHeavy for what takes long to parse. */
  readonly isLight: boolean;
}

/**
 * Summaries of these manifests and of what they name, as far as they are here and have none. `again`: those that are
 * made though they have one.
 */
export async function makeSummaries(
  making: Making,
  digests: readonly Digest[],
  again: ReadonlySet<string>,
): Promise<NewSummary[]> {
  const reads = making.registry.metadata.records(summaries);
  const made = new Map<string, NewSummary>();
  for (const found of await reads.manifests(making.repository, digests)) {
    if (found.isSummarised && !again.has(found.digest)) continue;
    await make({ ...making, made, read: 0 }, found, 0);
  }
  const all = [...made.values()];
  const known = await reads.manifests(
    making.repository,
    all.map(({ digest }) => digest),
  );
  const summarised = new Set(known.flatMap((each) => (each.isSummarised ? each.digest : [])));
  return all.filter(({ digest }) => !summarised.has(digest) || again.has(digest));
}

interface Work extends Making {
  /** What was made, what is named before what names it. */
  readonly made: Map<string, NewSummary>;
  /** Manifests that were read for one of those that were asked for. */
  read: number;
}

/** What is read for one summary. */
interface Reading extends Making {
  isDamaged: boolean;
}

async function make(work: Work, found: SummarisableManifest, depth: number): Promise<void> {
  if (work.made.has(found.digest)) return;
  work.made.set(found.digest, await summaryOf(work, found, depth));
}

async function summaryOf(
  work: Work,
  found: SummarisableManifest,
  depth: number,
): Promise<NewSummary> {
  const kind = manifestType(found.mediaType)?.kind ?? "image";
  const reading: Reading = { ...work, isDamaged: false };
  const manifest = await manifestOf(reading, found);
  const isPoor = (): { isPoor?: true } => (reading.isDamaged ? { isPoor: true } : {});
  if (manifest === null) return { ...summariseUnread(found, kind), ...isPoor() };
  if (manifest.kind === "image") {
    const summary = summariseImage({ ...found, manifest }, await configOf(reading, manifest));
    return { ...summary, ...isPoor() };
  }
  const known = await knownBy(work, manifest, depth);
  return summariseIndex({ ...found, manifest }, known);
}

/** What an index leads to, made before it. */
async function knownBy(
  work: Work,
  { references }: Manifest,
  depth: number,
): Promise<Map<string, NewSummary>> {
  const known = new Map<string, NewSummary>();
  if (depth >= depthMax) return known;
  const reads = work.registry.metadata.records(summaries);
  const named = references.flatMap(({ target, descriptor }) =>
    target === "manifest" ? descriptor.digest : [],
  );
  const here = await reads.manifests(work.repository, named.slice(0, childrenMax));
  for (const child of here) {
    if (!work.made.has(child.digest) && ++work.read > childrenMax) break;
    await make(work, child, depth + 1);
    const summary = work.made.get(child.digest);
    if (summary === undefined) continue;
    known.set(child.digest, summary);
    for (const { digest } of summary.children) {
      const leaf = work.made.get(digest);
      if (leaf !== undefined) known.set(digest, leaf);
    }
  }
  return known;
}

async function manifestOf(work: Reading, found: SummarisableManifest): Promise<Manifest | null> {
  try {
    const bytes = await read(work, found);
    return bytes === null ? null : parseManifest(bytes, found.mediaType);
  } catch (error) {
    // Another tool may have brought it, and knows another kind of manifest.
    if (error instanceof ApiError) return null;
    throw error;
  }
}

async function configOf(work: Reading, { references }: Manifest): Promise<unknown> {
  const config = references.find(({ role }) => role === "config")?.descriptor;
  const digest = config === undefined ? null : parseDigest(config.digest);
  if (config === undefined || digest === null || config.size > configBytesMax) return null;
  if (!isMediaTypeOfConfig(config.mediaType)) return null;
  const bytes = await read(work, { digest, sizeBytes: config.size });
  const parsed = bytes === null ? null : parseStrictJson(bytes, { depthMax: configDepthMax });
  return parsed !== null && "value" in parsed ? parsed.value : null;
}

/** Null where the bytes are damaged: checks tell of them. */
async function read(
  reading: Reading,
  content: { readonly digest: Digest; readonly sizeBytes: number },
): Promise<Uint8Array | null> {
  const { registry, repository, isLight } = reading;
  if (isLight && content.sizeBytes > lightBytesMax) throw new TooHeavy();
  try {
    return await readContent(registry, { ...content, repository });
  } catch (error) {
    if (!(error instanceof DamagedContent)) throw error;
    reading.isDamaged = true;
    return null;
  }
}
