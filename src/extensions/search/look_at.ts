/**
 * Brings the summaries of a repository to what it holds: of tags that changed, of manifests that came and of those that
 * went. Everything is read when it is written, so that a look may come late, twice, or end in the middle.
 */
import type { HeavyRunner } from "../../jobs/heavy_work.ts";
import { recordCommit } from "../../metadata/records.ts";
import { summaries, type NewSummary, type SummaryChange } from "../../metadata/summaries.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Registry } from "../../registry/registry.ts";
import type { RegistryWork } from "../../registry/registry_job.ts";
import { makeSummaries, TooHeavy } from "./make_summaries.ts";

/** Images that one change sets. */
const sliceMax = 16;
/** Rows that one commit writes, about: a few milliseconds of the writer. */
const sliceRowsMax = 512;
/** Of a summary, or an image, beside those of its layers. */
const rowsOfOne = 12;
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
      await lookTogether(slice, (look) => lookAt(registry, look, signal));
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

/** What a look changes, found beside the commits where that is done at once; else another process has done all of it. */
export async function changesLightly(
  registry: Registry,
  heavy: HeavyRunner<Registry>,
  look: Look,
  signal: AbortSignal,
): Promise<readonly SummaryChange[]> {
  try {
    return await changesOf(registry, look, { isLight: true });
  } catch (error) {
    if (!(error instanceof TooHeavy)) throw error;
    await heavy.run(lookAtWork, [look], signal);
    return [];
  }
}

export async function lookAt(registry: Registry, look: Look, signal: AbortSignal): Promise<void> {
  for (const slice of slicesOf(await changesOf(registry, look, { isLight: false }))) {
    signal.throwIfAborted();
    await registry.metadata.commit(recordCommit(summaries, ...slice));
  }
}

async function changesOf(
  registry: Registry,
  { repository, tags, came, went }: Look,
  { isLight }: { readonly isLight: boolean },
): Promise<SummaryChange[]> {
  const { metadata } = registry;
  const reads = metadata.records(summaries);
  const making = { registry, repository, isLight };
  const pointedAt = await metadata.tagDigests(repository, tags);
  const tagged = pointedAt.map(({ digest }) => digest as Digest);
  const parts = await partsOfIndexes(registry, repository, came);
  const made = await makeSummaries(making, [...tagged, ...parts], new Set());
  const others = await indexesOver(registry, repository, made, went);
  const known = new Set(made.map(({ digest }) => digest));
  const again = (await makeSummaries(making, others, new Set(others))).filter(
    ({ digest }) => !known.has(digest),
  );
  const affected = new Set(tags);
  for (const index of others) {
    for (const tag of await metadata.tagsOf(repository, index, tagsMax)) affected.add(tag);
  }
  const changes: SummaryChange[] = [...made, ...again].map((summary) => ({
    kind: "summarise",
    repository,
    summary,
  }));
  if (went.length > 0) changes.push({ kind: "forget", repository, digests: went });
  if (affected.size > 0) return [...changes, ...imagesOf(repository, [...affected])];
  const subjects = await reads.manifests(repository, came);
  if (went.length > 0 || subjects.some(({ subject }) => subject !== null)) {
    changes.push({ kind: "refresh", repository });
  }
  return changes;
}

/** Indexes that show what came or went, and are not made anew already. */
async function indexesOver(
  { metadata }: Registry,
  repository: string,
  made: readonly NewSummary[],
  went: readonly Digest[],
): Promise<Digest[]> {
  const reads = metadata.records(summaries);
  const own = new Set(made.map(({ digest }) => digest));
  const indexes = new Set<Digest>();
  for (const digest of [...own, ...went]) {
    for (const index of await reads.indexesOf(repository, digest)) indexes.add(index);
  }
  return [...indexes].filter((index) => !own.has(index));
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

/** Changes that the images of these tags need, a slice of them in each. */
export function imagesOf(repository: string, tags: readonly string[]): SummaryChange[] {
  const changes: SummaryChange[] = [];
  for (let at = 0; at < tags.length; at += sliceMax) {
    changes.push({ kind: "set-images", repository, tags: tags.slice(at, at + sliceMax) });
  }
  return changes;
}

/** Changes in the order that they have, in pieces that each take a few milliseconds of the writer. */
export function slicesOf(changes: readonly SummaryChange[]): SummaryChange[][] {
  const slices: SummaryChange[][] = [];
  let rows = sliceRowsMax;
  for (const change of changes) {
    const more = rowsOf(change);
    if (rows + more > sliceRowsMax) {
      slices.push([]);
      rows = 0;
    }
    slices.at(-1)?.push(change);
    rows += more;
  }
  return slices;
}

/** Rows that a change writes, about. */
function rowsOf(change: SummaryChange): number {
  if (change.kind === "summarise") {
    return rowsOfOne + change.summary.layers.length + change.summary.names.length;
  }
  if (change.kind === "set-images") return rowsOfOne * change.tags.length;
  return change.kind === "forget" ? rowsOfOne * change.digests.length : rowsOfOne;
}
