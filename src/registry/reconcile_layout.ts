/**
 * Takes in what another tool put into a repository's layout: an image copied in, a root left by zot,
 * or every repository when the metadata was lost.
 *
 * Promises: a layout whose index.json is ours as we wrote it costs one stat. Otherwise each manifest and
 * blob that the facts do not know is read and hashed before it is taken in, children and referrers
 * included; a tag that the other tool moved is moved, with a history row; nothing that the facts know is
 * dropped because a file does not mention it, and nothing that was pushed or deleted since our last
 * index.json is undone by one that does not know of it. Whatever cannot be taken in is reported, and the
 * index.json that named it is kept aside before ours replaces it.
 * Leaves to others: reading manifests (`take_in_manifests.ts`), hashing blobs (`take_in_blobs.ts`), writing
 * index.json (`layout_projector.ts`), when to look (`jobs.ts`).
 */
import type { Clock } from "../lib/clock.ts";
import type { LayoutState } from "../metadata/metadata.ts";
import { parseDigest } from "../oci/digest.ts";
import { LayoutIndexError, readLayoutIndex, type LayoutEntry } from "../oci/layout_index.ts";
import type { Intake } from "./intake.ts";
import type { Registry, Report } from "./registry.ts";
import { takeInBlobs } from "./take_in_blobs.ts";
import { takeInManifests, type TakenManifests } from "./take_in_manifests.ts";
import { takeInTags } from "./take_in_tags.ts";

/** An index.json that cannot be read and is younger than this may still be in the middle of being written. */
const writingMs = 5_000;

export interface Reconciled {
  /**
   * "ours": as we wrote it, or none; "taken": all of it was looked at; "unfinished": another tool seems to be
   * writing it just now.
   */
  readonly kind: "ours" | "taken" | "unfinished";
  /** The stamp of the index.json that was looked at; null when there was none. */
  readonly stamp: string | null;
  readonly manifests: number;
  readonly blobs: number;
  /** One line per thing that could not be taken in. */
  readonly problems: readonly string[];
}

const nothing = { manifests: 0, blobs: 0, problems: [] };

/** Whether the index.json with this stamp is one that we wrote. */
export function isOurs(stamp: string | null, state: LayoutState | null): boolean {
  return stamp === null || stamp === state?.stampCurrent || stamp === state?.stampNext;
}

/**
 * Compares a layout with the facts and takes in what is new.
 * @throws when `signal` aborts: what was taken in until then stays, and the rest is found again.
 */
export async function reconcileLayout(
  registry: Registry,
  repository: string,
  report: Report,
  signal?: AbortSignal,
): Promise<Reconciled> {
  const { storage, metadata, clock } = registry;
  const stamp = await storage.indexStamp(repository);
  const state = await metadata.layoutState(repository);
  if (isOurs(stamp, state)) return { ...nothing, kind: "ours", stamp };
  const index = await storage.readIndex(repository);
  if (index === null) return { ...nothing, kind: "ours", stamp: null };
  const read = readEntries(index.text);
  if (read.unreadable && isYoung(index.changedAt, clock)) {
    return { ...nothing, kind: "unfinished", stamp: index.stamp };
  }
  const intake: Intake = { registry, repository, projected: state?.projected ?? 0, signal };
  await createRepository(intake);
  const taken = await takeIn(intake, read.entries);
  const problems = [...read.problems, ...taken.problems];
  if (problems.length > 0) {
    const kept = await storage.quarantineIndex(repository, index.text, clock.now());
    for (const problem of problems) report("error", problem, { repository, kept });
  }
  const { manifests, blobs } = taken;
  report("info", "took in a layout that another tool wrote", {
    repository,
    manifests,
    blobs,
    problems: problems.length,
  });
  return { kind: "taken", stamp: index.stamp, manifests, blobs, problems };
}

async function takeIn(intake: Intake, entries: readonly LayoutEntry[]) {
  const manifests = await takeInManifests(
    intake,
    entries.map(({ descriptor }) => descriptor),
  );
  const tags = await takeInTags(intake, entries);
  const blobs = await takeInBlobs(intake, manifests.digests);
  const missing = await missingReferences(intake, manifests);
  return {
    manifests: manifests.taken,
    blobs: blobs.taken,
    problems: [...manifests.problems, ...tags.problems, ...blobs.problems, ...missing],
  };
}

interface ReadEntries {
  readonly entries: readonly LayoutEntry[];
  readonly problems: readonly string[];
  readonly unreadable: boolean;
}

function readEntries(text: string): ReadEntries {
  try {
    const { entries, skipped } = readLayoutIndex(text);
    const problems = skipped.map(({ reason }) => `index.json: ${reason}`);
    return { entries, problems, unreadable: false };
  } catch (error) {
    if (!(error instanceof LayoutIndexError)) throw error;
    const problems = [`index.json cannot be read: ${error.message}`];
    return { entries: [], problems, unreadable: true };
  }
}

function isYoung(changedAt: number, clock: Clock): boolean {
  return Math.abs(clock.now() - changedAt) < writingMs;
}

/** A layout without content is a repository as well. */
async function createRepository({ registry, repository }: Intake): Promise<void> {
  if (await registry.metadata.repositoryExists(repository)) return;
  await registry.metadata.commit({
    preconditions: [],
    changes: [{ kind: "create-repository", repository }],
    by: null,
  });
}

/** What the manifests that were taken in name and nobody has. */
async function missingReferences(
  { registry, repository }: Intake,
  { references }: TakenManifests,
): Promise<string[]> {
  const { metadata } = registry;
  const problems: string[] = [];
  for (const [text, parent] of references) {
    const digest = parseDigest(text);
    const present =
      digest !== null &&
      ((await metadata.blobSize(repository, digest)) !== null ||
        (await metadata.manifestByDigest(repository, digest)) !== null);
    if (!present) problems.push(`manifest ${parent}: it names ${text}, which is not here`);
  }
  return problems;
}
