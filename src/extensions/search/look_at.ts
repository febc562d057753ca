/**
 * Brings the summaries of a repository to what it holds: of tags that changed, of manifests that came and of those that
 * went. Everything is read when it is written, so that a look may come late, twice, or end in the middle.
 */
import type { HeavyRunner } from "../../jobs/heavy_work.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import { recordCommit } from "../../metadata/records.ts";
import { summaries, type NewSummary, type SummaryChange } from "../../metadata/summaries.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Registry } from "../../registry/registry.ts";
import type { RegistryWork } from "../../registry/registry_job.ts";
import { makeSummaries, TooHeavy } from "./make_summaries.ts";

/** Summaries, and images, that one commit writes: a few milliseconds of the writer. */
const sliceMax = 16;
/** Layers and manifests in one commit, about. */
const sliceRowsMax = 256;
/** Repositories that are looked at at once where that is no part of the primary. */
const togetherMax = 8;
/** Tags of an index whose images came or went that are looked at. */
const tagsMax = 1_000;

/** What to look at; plain, since it goes to another process where it is heavy. */
export interface Look {
  readonly repository: string;
  readonly tags: readonly string[];
  /** Manifests that came without a tag. */
  readonly came: readonly Digest[];
  readonly went: readonly Digest[];
}

/** A look that computes for long. */
export const lookAtWork: RegistryWork<readonly Look[], null> = {
  name: "summarise-images",
  run: async (registry, looks, signal) => {
    for (let at = 0; at < looks.length; at += togetherMax) {
      const slice = looks.slice(at, at + togetherMax);
      await lookTogether(slice, (look) => lookAt(registry, look, { signal, isLight: false }));
    }
    return null;
  },
};

/** Repositories wait for nothing of each other, and their commits share transactions. Ends when all have ended. */
export async function lookTogether(
  looks: readonly Look[],
  look: (look: Look) => Promise<void>,
): Promise<void> {
  const ended = await Promise.allSettled(looks.map((each) => look(each)));
  const failed = ended.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Looks beside the commits where that is done at once, else in another process. */
export async function lookLightly(
  registry: Registry,
  heavy: HeavyRunner<Registry>,
  look: Look,
  signal: AbortSignal,
): Promise<void> {
  try {
    await lookAt(registry, look, { signal, isLight: true });
  } catch (error) {
    if (!(error instanceof TooHeavy)) throw error;
    await heavy.run(lookAtWork, [look], signal);
  }
}

export async function lookAt(
  registry: Registry,
  { repository, tags, came, went }: Look,
  { signal, isLight }: { readonly signal: AbortSignal; readonly isLight: boolean },
): Promise<void> {
  const { metadata } = registry;
  const reads = metadata.records(summaries);
  const making = { registry, repository, isLight };
  const pointedAt = await metadata.tagDigests(repository, tags);
  const tagged = pointedAt.map(({ digest }) => digest as Digest);
  const parts = await partsOfIndexes(registry, repository, came);
  const made = await makeSummaries(making, [...tagged, ...parts], new Set());
  await write(metadata, repository, made, signal);
  const changed = [...made.map(({ digest }) => digest), ...went];
  const indexes = new Set<Digest>();
  for (const digest of changed) {
    for (const index of await reads.indexesOf(repository, digest)) indexes.add(index);
  }
  const others = [...indexes].filter((index) => !made.some(({ digest }) => digest === index));
  await write(metadata, repository, await makeSummaries(making, others, new Set(others)), signal);
  const affected = new Set(tags);
  for (const index of others) {
    for (const tag of await metadata.tagsOf(repository, index, tagsMax)) affected.add(tag);
  }
  if (went.length > 0) await commit(metadata, [{ kind: "forget", repository, digests: went }]);
  await setImages(metadata, repository, [...affected], signal);
  if (affected.size > 0) return;
  const subjects = await reads.manifests(repository, came);
  if (went.length === 0 && subjects.every(({ subject }) => subject === null)) return;
  await commit(metadata, [{ kind: "refresh", repository }]);
}

/** Of manifests without a tag only those that some index has waited for. */
async function partsOfIndexes(
  { metadata }: Registry,
  repository: string,
  came: readonly Digest[],
): Promise<Digest[]> {
  const reads = metadata.records(summaries);
  const parts: Digest[] = [];
  for (const digest of came) {
    if ((await reads.indexesOf(repository, digest)).length > 0) parts.push(digest);
  }
  return parts;
}

async function write(
  metadata: Metadata,
  repository: string,
  made: readonly NewSummary[],
  signal: AbortSignal,
): Promise<void> {
  let slice: SummaryChange[] = [];
  let rows = 0;
  const flush = async (): Promise<void> => {
    signal.throwIfAborted();
    if (slice.length > 0) await commit(metadata, slice);
    slice = [];
    rows = 0;
  };
  for (const summary of made) {
    slice.push({ kind: "summarise", repository, summary });
    rows += summary.layers.length + summary.names.length;
    if (slice.length >= sliceMax || rows >= sliceRowsMax) await flush();
  }
  await flush();
}

export async function setImages(
  metadata: Metadata,
  repository: string,
  tags: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < tags.length; at += sliceMax) {
    signal.throwIfAborted();
    const slice = tags.slice(at, at + sliceMax);
    await commit(metadata, [{ kind: "set-images", repository, tags: slice }]);
  }
}

async function commit(metadata: Metadata, changes: readonly SummaryChange[]): Promise<void> {
  await metadata.commit(recordCommit(summaries, ...changes));
}
