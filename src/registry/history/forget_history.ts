/**
 * The job that keeps history within its limits: events that are older than `storage.history.keep` are forgotten, and of a
 * tag that moves very often the older events but the last of each day.
 *
 * Both read what is new since the last run and nothing else. What a tag was at any moment that is left stays known; a
 * read of an earlier moment is answered with "before-history". Nothing goes that a follower of the feed has not had, or
 * that an undo or collection still needs.
 */
import { collection } from "../../metadata/collection.ts";
import { forgotten, type ForgottenChange } from "../../metadata/forgotten.ts";
import { recordCommit } from "../../metadata/records.ts";
import { CollectionClock } from "../collection/collection_clock.ts";
import { everyRules } from "../retention/rules.ts";
import type { Registry } from "../registry.ts";

/** Events of a tag that are all kept, however often it moves. */
export const tagEventsMax = 10_000;
/** Events that are looked at, and removed, at once; then others have their turn. */
const sliceMax = 256;
const restFactor = 4;

/** The job, which believes no clock that jumped ahead. */
export function forgetHistoryJob(
  registry: Registry,
  historyMs: () => number,
  eventsMax = tagEventsMax,
): (signal: AbortSignal) => Promise<null> {
  const { metadata, clock, report } = registry;
  const waiting = new CollectionClock({
    name: "clock of history",
    clock,
    // Collection tells of a jump.
    report: (level, message, fields) => {
      if (level === "error") report(level, message, fields);
    },
    reads: metadata.records(collection),
    commit: async (change) => {
      await metadata.commit(recordCommit(collection, change));
    },
  });
  return async (signal) => {
    await waiting.look({ isWaiting: true });
    const until = waiting.dueUntil(keptMs(registry, historyMs()));
    await forget(registry, until, signal);
    await thin(registry, eventsMax, signal);
    return null;
  };
}

/** What waits for longer than history is kept needs it for longer. */
function keptMs({ retention, undo }: Registry, historyMs: number): number {
  const delays = everyRules(retention).flatMap(({ gcDelayMs, delayMs }) => [gcDelayMs, delayMs]);
  return Math.max(historyMs, ...delays, undo().windowMs);
}

async function forget(registry: Registry, until: number, signal: AbortSignal): Promise<void> {
  const reads = registry.metadata.records(forgotten);
  while (!signal.aborted && (await reads.isDue(until))) {
    await note(registry, { kind: "forget", until, limit: sliceMax }, signal);
  }
}

async function thin(registry: Registry, eventsMax: number, signal: AbortSignal): Promise<void> {
  const reads = registry.metadata.records(forgotten);
  while (!signal.aborted) {
    const events = await reads.unlooked(sliceMax);
    const last = events.at(-1);
    if (last === undefined) return;
    const tags = new Map(events.map((event) => [`${event.repository}:${event.tag}`, event]));
    for (const { repository, tag } of tags.values()) {
      if (tag === null) continue;
      const change = { kind: "thin", repository, tag, kept: eventsMax, limit: sliceMax } as const;
      while (!signal.aborted && (await reads.isCrowded(repository, tag, eventsMax))) {
        await note(registry, change, signal);
      }
    }
    if (signal.aborted) return;
    await note(registry, { kind: "looked", sequence: last.sequence }, signal);
  }
}

/** Others have their turn after it. */
async function note(
  { metadata, clock }: Registry,
  change: ForgottenChange,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  await metadata.commit(recordCommit(forgotten, change));
  await clock.sleep((clock.monotonicMs() - startedMs) * restFactor, signal);
}
