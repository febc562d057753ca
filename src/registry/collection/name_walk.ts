/**
 * Finds names in a store of objects that stand for nothing: what a crash left behind between the bytes of a push and its
 * commit.
 *
 * Once a day it passes over all names, page by page, and asks the metadata for them. What is not known, and was named a
 * day ago at least, is given to the sweep, which proves under the writer's lock that nothing has it. A walk that is
 * broken off goes on where it was. Where content lies in files `file_walk.ts` does the same.
 */
import { collection } from "../../metadata/collection.ts";
import { objects, type ObjectName } from "../../metadata/objects.ts";
import { recordCommit } from "../../metadata/records.ts";
import { parseDigest } from "../../oci/digest.ts";
import type { WalkOptions } from "./file_walk.ts";

const dayMs = 24 * 60 * 60_000;
/** Names that are asked for at once. */
const pageMax = 256;
/** After a page it rests so many times as long as the page took. */
const restFactor = 4;
/** Pages after which the place is noted. */
const notedPages = 64;

interface NameWalk {
  readonly startedAt: number;
  /** The last name that was looked at; null before the first. */
  readonly after: ObjectName | null;
  readonly isFinished: boolean;
}

const first: ObjectName = { repository: "", name: "" };

/** Walks if it is time for it; how many names it gave to the sweep. */
export async function walkNames(options: WalkOptions): Promise<number> {
  const { registry, mayGoOn, signal } = options;
  const { metadata, clock } = registry;
  const reads = metadata.records(objects);
  let walk = await currentWalk(options);
  let released = 0;
  const goesOn = (): boolean => mayGoOn(null) && signal?.aborted !== true;
  for (let pages = 1; !walk.isFinished && goesOn(); pages += 1) {
    const startedMs = clock.monotonicMs();
    const page = await reads.names(walk.after ?? first, pageMax);
    released += await releaseUnknown(options, page);
    const isFinished = page.length < pageMax;
    const { repository, name } = page.at(-1) ?? walk.after ?? first;
    walk = { ...walk, after: { repository, name }, isFinished };
    // A registry without objects notes nothing.
    if ((isFinished && page.length > 0) || pages % notedPages === 0) await note(options, walk);
    await clock.sleep((clock.monotonicMs() - startedMs) * restFactor, signal);
  }
  return released;
}

/** The walk that is not finished, the next one if it is time for it, or the last one. */
async function currentWalk({ registry: { metadata, clock } }: WalkOptions): Promise<NameWalk> {
  const text = await metadata.records(collection).value("names");
  const last = text === null ? null : (JSON.parse(text) as NameWalk);
  if (last !== null && !last.isFinished) return last;
  const now = clock.now();
  const isRecent = last !== null && Math.abs(now - last.startedAt) < dayMs;
  return isRecent ? last : { startedAt: now, after: null, isFinished: false };
}

async function note({ registry }: WalkOptions, walk: NameWalk): Promise<void> {
  const value = JSON.stringify(walk);
  await registry.metadata.commit(recordCommit(collection, { kind: "set", name: "names", value }));
}

async function releaseUnknown(
  { registry, isWalked, mayGoOn, delayMs }: WalkOptions,
  page: readonly (ObjectName & { readonly since: number })[],
): Promise<number> {
  const { metadata, clock, report } = registry;
  const now = clock.now();
  let released = 0;
  for (const [repository, names] of Map.groupBy(page, (each) => each.repository)) {
    if (!isWalked(repository) || !mayGoOn(repository)) continue;
    const oldBefore = now - Math.max(delayMs(repository), dayMs);
    const old = names.filter(({ since }) => since < oldBefore);
    const digests = old.flatMap(({ name }) => parseDigest(name) ?? []);
    const held = new Set<string>(
      (await metadata.held(repository, digests)).map(({ digest }) => digest),
    );
    for (const digest of digests.filter((each) => !held.has(each))) {
      report("info", "an object that nothing names is given to the sweep", { repository, digest });
      const changes = [{ kind: "release-bytes", digest } as const];
      await metadata.commit({ repository, preconditions: [], changes, by: null });
      released += 1;
    }
  }
  return released;
}
