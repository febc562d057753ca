/**
 * Reads in what another tool put into a repository's layout: an image copied in, a root left by zot, or every
 * repository when the metadata was lost.
 *
 * A layout whose index.json is as we wrote it costs one stat. Otherwise content that is not in the metadata is adopted
 * (hashed and flushed, `../storage/adopt.ts`) and then recorded, children and referrers included. Content in the
 * metadata is not read again, and no more than a page of either is in memory.
 *
 * Nothing is removed from the metadata because a file does not mention it, and nothing that was pushed or deleted since
 * the tool read is undone (`take_in_tags.ts`). What cannot be read in is reported; the index.json that named it is
 * quarantined before ours replaces it, and the rest goes on. `layout_projector.ts` writes index.json, `jobs.ts` decides
 * when to look.
 */
import type { Clock } from "../lib/clock.ts";
import { layoutStates, type LayoutState } from "../metadata/layout_states.ts";
import { mirrors } from "../metadata/mirrors.ts";
import { recordCommit } from "../metadata/records.ts";
import {
  isOciLayout,
  LayoutIndexError,
  LayoutIndexReader,
  newOrigin,
  type LayoutBase,
  type LayoutEntry,
} from "../oci/layout_index.ts";
import { fileTrouble } from "../storage/adopt.ts";
import type { OpenIndex } from "../storage/layout_directory.ts";
import { noteRead, unreadKeptDays } from "./collection/unread_layout.ts";
import { Problems, type Intake } from "./intake.ts";
import { followLaterIndex } from "./older_metadata.ts";
import type { LayoutRegistry, Report } from "./registry.ts";
import { takeInCached } from "./take_in_cached.ts";
import { takeInFiles } from "./take_in_files.ts";
import { takeInManifests } from "./take_in_manifests.ts";
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
  /** One line for each file that could not be read in. */
  readonly problems: readonly string[];
}

const nothing = { manifests: 0, blobs: 0, problems: [] };

/** Whether the index.json with this stamp is one that we wrote. */
export function isOurs(stamp: string | null, state: LayoutState | null): boolean {
  return stamp === null || stamp === state?.stampCurrent || stamp === state?.stampNext;
}

export interface StandingIndex {
  /** Null when there is none. */
  readonly stamp: string | null;
  readonly state: LayoutState | null;
  /** There is nothing in it, or none at all, that we have not written. */
  readonly ours: boolean;
  /** It was removed after we had written it. */
  readonly removed: boolean;
}

/** Looks at the index.json that stands there without reading it. */
export async function lookAtIndex(
  { layouts, metadata }: LayoutRegistry,
  repository: string,
): Promise<StandingIndex> {
  const stamp = await layouts.indexStamp(repository);
  const state = await metadata.records(layoutStates).state(repository);
  const written = (state?.projected ?? 0) > 0;
  if (isOurs(stamp, state)) return { stamp, state, ours: true, removed: stamp === null && written };
  // The first one of a new repository, or of one that lost its own. Without metadata its blobs are to be looked at.
  const empty = state !== null && layouts.hasEmptyIndex(repository);
  return { stamp, state, ours: empty, removed: empty && written };
}

/**
 * Compares a layout with the metadata and reads in what is new.
 * @throws when `signal` aborts: what was read in until then stays, and the rest is found again.
 */
export async function reconcileLayout(
  registry: LayoutRegistry,
  repository: string,
  report: Report,
  signal?: AbortSignal,
): Promise<Reconciled> {
  const { layouts, clock } = registry;
  const { stamp, state, ours } = await lookAtIndex(registry, repository);
  if (ours) return { ...nothing, kind: "ours", stamp };
  const index = await layouts.openIndex(repository);
  if (index === null) return { ...nothing, kind: "ours", stamp: null };
  const unfinished: Reconciled = { ...nothing, kind: "unfinished", stamp: index.stamp };
  const problems = new Problems();
  const read = await readThrough(index, problems, signal);
  if (read.kind === "no index" && isYoung(index.changedAt, clock)) return unfinished;
  const mirror = read.kind === "index" ? await mirrorOf(registry, repository, read, state) : null;
  await createRepository(registry, repository, mirror);
  const later = read.kind === "index" ? laterGeneration(read.base, state) : null;
  const proved = later !== null && (await isNewest(registry, repository, index));
  const known = read.kind === "index" ? generationIn(read.base, state) : null;
  const base = proved ? later : known;
  const counts = { manifests: 0, blobs: 0, tags: 0, stale: 0 };
  const laterAt = later === null ? null : index.changedAt;
  const intake: Intake = {
    registry,
    repository,
    base,
    laterAt,
    isMirror: mirror !== null,
    signal,
    counts,
    problems,
  };
  if (read.kind === "index") await layouts.flushIndex(repository);
  await checkMarker(intake);
  const tags = proved ? new Set<string>() : null;
  if (read.kind === "index") {
    for await (const entries of entriesOf(index, () => undefined, signal)) {
      await takeInEntries(intake, entries);
      for (const { tag } of entries) if (tag !== null) tags?.add(tag);
    }
  }
  // A tool that replaced it while it was read may have written anything: start again.
  if ((await layouts.indexStamp(repository)) !== index.stamp) return unfinished;
  if (later !== null) await followLaterIndex(intake, { generation: later, tags });
  await takeInFiles(intake);
  await noteRead(registry, repository, problems.hidesNames ? "in part" : "whole");
  // Ours by its annotation, though the metadata does not have it: no other tool wrote it.
  const isOwn = isUnread(state) && read.kind === "index" && isMarked(read.base);
  await tell(intake, read.kind === "unreadable" ? "move" : "copy", report, isOwn);
  const { manifests, blobs } = counts;
  // What could not be read stands there no more.
  const left = read.kind === "unreadable" ? null : index.stamp;
  return { kind: "taken", stamp: left, manifests, blobs, problems: problems.lines };
}

type Read =
  | { readonly kind: "index"; readonly base: LayoutBase | null; readonly upstream: string | null }
  /** Its text is none. */
  | { readonly kind: "no index" }
  /** Its bytes cannot be had. */
  | { readonly kind: "unreadable" };

/** Reads an index.json once, to know that all of it is one before any of it is believed. */
async function readThrough(
  index: OpenIndex,
  problems: Problems,
  signal: AbortSignal | undefined,
): Promise<Read> {
  if (index.lying === "other") {
    problems.addHiding("index.json: it is no file");
    return { kind: "unreadable" };
  }
  try {
    const entries = entriesOf(
      index,
      (reason) => problems.addHiding(`index.json: ${reason}`),
      signal,
    );
    for (;;) {
      const next = await entries.next();
      if (next.done === true) return { kind: "index", ...next.value };
    }
  } catch (error) {
    if (error instanceof LayoutIndexError) {
      problems.addHiding(`index.json cannot be read: ${error.message}`);
      return { kind: "no index" };
    }
    problems.addHiding(`index.json: ${fileTrouble(error)}`);
    return { kind: "unreadable" };
  }
}

/** The entries, as they come, and at the end what the index says of itself. */
async function* entriesOf(
  index: OpenIndex,
  onSkipped: (reason: string) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<
  LayoutEntry[],
  { readonly base: LayoutBase | null; readonly upstream: string | null }
> {
  const reader = new LayoutIndexReader(onSkipped);
  for await (const piece of index.pieces()) {
    signal?.throwIfAborted();
    yield reader.push(piece);
  }
  const base = reader.end();
  return { base, upstream: reader.upstream };
}

/**
 * The upstream of a mirror whose metadata were lost: what its own index.json says, where the configuration mirrors that
 * upstream there. A repository that the metadata know is what they say.
 */
async function mirrorOf(
  { mirroredFrom, metadata }: LayoutRegistry,
  repository: string,
  { base, upstream }: Extract<Read, { kind: "index" }>,
  state: LayoutState | null,
): Promise<string | null> {
  if (!isUnread(state) || upstream === null || !isMarked(base)) return null;
  if (!mirroredFrom(repository).includes(upstream)) return null;
  const origin = await metadata.records(mirrors).origin(repository);
  return origin === null || origin === upstream ? upstream : null;
}

/** A request may have made the repository, or a process that ended while it read the layout in. */
function isUnread(state: LayoutState | null): boolean {
  return state === null || state.projected === 0;
}

/** Whether an index.json says that this registry wrote it, or that a tool had read one of ours. */
function isMarked(base: LayoutBase | null): boolean {
  return base !== null && base.origin !== newOrigin;
}

/** The generation that a tool had read, if it is one of this repository's and the metadata know it. */
function generationIn(base: LayoutBase | null, state: LayoutState | null): number | null {
  if (base?.origin === newOrigin) return 0;
  if (base === null || base.origin !== state?.origin) return null;
  return base.generation <= state.generation ? base.generation : null;
}

/** The generation of this repository that the file shows and the metadata have not come to; null when they have. */
function laterGeneration(base: LayoutBase | null, state: LayoutState | null): number | null {
  if (base === null || base.origin !== state?.origin) return null;
  return base.generation > state.generation ? base.generation : null;
}

/** Whether no tag was changed here after the file was written: what was acknowledged since then stands. */
async function isNewest(
  { metadata }: LayoutRegistry,
  repository: string,
  { changedAt }: OpenIndex,
): Promise<boolean> {
  const [last] = await metadata.history(repository, null, 1);
  return last === undefined || last.at <= changedAt;
}

async function takeInEntries(intake: Intake, entries: readonly LayoutEntry[]): Promise<void> {
  intake.signal?.throwIfAborted();
  await takeInManifests(
    intake,
    entries.map(({ descriptor }) => descriptor),
  );
  await takeInCached(intake, entries);
  await takeInTags(intake, entries);
}

/** A layout of another version is read as far as it goes, since index.json was one. */
async function checkMarker({ registry, repository, problems }: Intake): Promise<void> {
  try {
    const marker = await registry.layouts.adoptMarker(repository);
    if (marker === null || marker === "" || isOciLayout(marker)) return;
    problems.add("oci-layout: expected imageLayoutVersion 1.x");
  } catch (error) {
    problems.add(`oci-layout: ${fileTrouble(error)}`);
  }
}

async function tell(
  { registry, repository, problems, counts }: Intake,
  how: "copy" | "move",
  report: Report,
  isOwn: boolean,
): Promise<void> {
  const { lines } = problems;
  if (lines.length > 0) {
    const kept = await registry.layouts.quarantineIndex(repository, how, registry.clock.now());
    for (const line of lines) report("error", line, { repository, kept });
    if (problems.hidesNames) {
      const message = `collection leaves the repository alone for ${unreadKeptDays} days, or until its layout is mended`;
      report("warn", message, { repository, kept });
    }
  }
  if (counts.stale > 0) {
    const message =
      "another tool wrote index.json from an older copy; what was pushed and deleted since stands";
    report("warn", message, { repository, entries: counts.stale });
  }
  const { manifests, blobs, tags } = counts;
  if (manifests + blobs + tags === 0 && lines.length === 0) return;
  const own = "took in a layout whose metadata was lost";
  report("info", isOwn ? own : "took in a layout that another tool wrote", {
    repository,
    manifests,
    blobs,
    tags,
    problems: lines.length,
  });
}

function isYoung(changedAt: number, clock: Clock): boolean {
  return Math.abs(clock.now() - changedAt) < writingMs;
}

/** A layout without content is a repository as well, and one that exists may not be known as a mirror yet. */
async function createRepository(
  { metadata, clock }: LayoutRegistry,
  repository: string,
  mirror: string | null,
): Promise<void> {
  if (mirror === null && (await metadata.repositoryExists(repository))) return;
  const origin = { kind: "set-origin", repository, host: mirror ?? "", at: clock.now() } as const;
  await metadata.commit({
    repository,
    preconditions: [],
    changes: [{ kind: "create-repository" }],
    by: null,
    ...(mirror !== null && { records: [recordCommit(mirrors, origin)] }),
  });
}
