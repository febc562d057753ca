/** What collection leaves alone for now, because somebody else is at work on it. */
import type { Candidate } from "../../metadata/collection.ts";
import { lookAtIndex } from "../reconcile_layout.ts";
import { hasLayouts, type LayoutRegistry, type Registry } from "../registry.ts";
import type { Decision } from "./decide_candidate.ts";
import { unreadUntil } from "./unread_layout.ts";

/** Until it is looked at again. */
export const postponedMs = 60_000;
/** A file that seems to come from the future by more than that has no time that can be believed. */
const futureMs = 60 * 60_000;

export function postponed(now: number): Decision {
  return { kind: "waits", until: now + postponedMs };
}

/** What is known of the index.json of repositories; for a turn. */
export type Indexes = Map<string, KnownIndex>;

interface KnownIndex {
  readonly ours: boolean;
  readonly stamp: string | null;
  /** Not all of it could be read: until then what it named stays. */
  readonly unreadUntil: number | null;
}

/** Whether another tool's index.json, or one that is newer than the metadata, is to be read in first. */
export async function mustBeRead(registry: Registry, repository: string): Promise<boolean> {
  return hasLayouts(registry) && !(await lookAtIndex(registry, repository)).ours;
}

/** Null when nothing keeps it from being decided about. `delayMs` is the age below which no file is removed. */
export async function mustWait(
  registry: Registry,
  candidate: Candidate,
  { delayMs, indexes }: { readonly delayMs: number; readonly indexes: Indexes },
): Promise<Decision | null> {
  const now = registry.clock.now();
  const { repository, kind } = candidate;
  if (kind === "repository" && (await registry.uploads.isOpenIn(repository))) return postponed(now);
  if (!hasLayouts(registry)) return null;
  const index = indexes.get(repository) ?? (await lookAt(registry, repository));
  indexes.set(repository, index);
  // Another tool wrote it: what it lists is taken in first.
  if (!index.ours) return postponed(now);
  if (kind === "repository") return null;
  if (index.unreadUntil !== null) return { kind: "waits", until: index.unreadUntil };
  return youngFile(registry, candidate, delayMs);
}

async function lookAt(registry: LayoutRegistry, repository: string): Promise<KnownIndex> {
  const { ours, stamp } = await lookAtIndex(registry, repository);
  return { ours, stamp, unreadUntil: await unreadUntil(registry, repository) };
}

/** Another tool wrote the file anew, and may be about to list it. */
function youngFile(
  { layouts, clock }: LayoutRegistry,
  { repository, digest }: Candidate,
  delayMs: number,
): Decision | null {
  const now = clock.now();
  const changedAt = layouts.lookAtBlob(repository, digest)?.changedAt ?? 0;
  const oldAt = changedAt + delayMs;
  return oldAt > now && changedAt <= now + futureMs ? { kind: "waits", until: oldAt } : null;
}
