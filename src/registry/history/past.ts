/**
 * A repository as it was: what a name such as `at.7d/team/app` stands for at the moment when it is asked for.
 *
 * A moment in the future is now. Content is that which is here, live or held; absence says whether history does not
 * reach so far back, or the content was collected.
 */
import { formatMoment } from "../../lib/moment.ts";
import { forgotten } from "../../metadata/forgotten.ts";
import type { Digest } from "../../oci/digest.ts";
import { apiError, type ApiError } from "../../oci/errors.ts";
import { isPastName, parsePastName, type When } from "../../oci/past_name.ts";
import type { Registry } from "../registry.ts";

export interface Past {
  /** The repository itself. */
  readonly name: string;
  /** The last event by then; 0 when the repository had none. */
  readonly sequence: number;
  /** Microseconds since the epoch. */
  readonly moment: number;
  /** What the repository was then is forgotten. */
  readonly isForgotten: boolean;
  /** Asked by the number of an event that the repository does not have, or not any more. */
  readonly isBetween: boolean;
}

const microsPerMs = 1_000;

/** Null for a name that means the present. @throws PARAMETER_INVALID for a day or time that there is not. */
export async function pastOf(registry: Registry, repository: string): Promise<Past | null> {
  const parsed = parsePastName(repository);
  if (parsed === null) return null;
  const { name, when } = parsed;
  if (when === null) {
    throw apiError("PARAMETER_INVALID", {
      message: `Expected a time that there is, such as at.2026-11-30t12.00.00z/${name}`,
    });
  }
  const { past } = registry.metadata;
  const begin = await registry.metadata.records(forgotten).begin();
  if (when.kind === "event") {
    const { last } = await past.eventsAround(name, when.sequence);
    const { sequence = 0, moment: at = 0 } = last ?? {};
    const isForgotten = when.sequence < begin.sequence;
    return { name, sequence, moment: at, isForgotten, isBetween: sequence !== when.sequence };
  }
  const nowMs = registry.clock.now();
  const moment = Math.max(0, momentOf(when, nowMs));
  const isFuture = moment > nowMs * microsPerMs;
  // Events of one commit may be some microseconds ahead of the clock: now is after all of them.
  const sequence = await past.sequenceAt(name, isFuture ? Number.MAX_SAFE_INTEGER : moment);
  return {
    name,
    sequence,
    moment: isFuture ? nowMs * microsPerMs : moment,
    isForgotten: moment < begin.moment,
    isBetween: false,
  };
}

function momentOf(when: Exclude<When, { kind: "event" }>, nowMs: number): number {
  return when.kind === "moment" ? when.moment : (nowMs - when.ms) * microsPerMs;
}

/** What answers say: the event and the moment that they are from. */
export function describePast({ sequence, moment }: Past): string {
  return `n${sequence} ${formatMoment(moment)}`;
}

const dayMicros = 24 * 60 * 60 * 1_000_000;

/**
 * Of a tag that moves very often the last event of each day is known. @throws MANIFEST_UNKNOWN where what it was at the
 * moment is not.
 */
export async function requireKnown(
  { metadata }: Registry,
  { name, sequence, moment, isBetween }: Past,
  tag: string,
): Promise<void> {
  const reads = metadata.records(forgotten);
  const before = await reads.daysBefore(name, tag);
  if (before === null || moment >= before) return;
  const next = await reads.nextEvent(name, tag, sequence);
  const day = Math.floor(moment / dayMicros);
  if (next === null || (!isBetween && Math.floor(next / dayMicros) !== day)) return;
  const date = formatMoment(day * dayMicros).slice(0, 10);
  throw apiError("MANIFEST_UNKNOWN", {
    message: `Of ${tag} the last event of each day is known before ${formatMoment(before)}; ask for the end of the day: at.${date}/${name}`,
    detail: { reason: "before-history", since: formatMoment(before) },
  });
}

/** Absence where history does not reach back so far; null where there is no history at all. */
export async function beforeHistory(
  registry: Registry,
  { name }: Past,
  unknown: "MANIFEST_UNKNOWN" | "NAME_UNKNOWN",
): Promise<ApiError | null> {
  const { next } = await registry.metadata.past.eventsAround(name, 0);
  if (next === null) return null;
  const begin = await registry.metadata.records(forgotten).begin();
  const since = formatMoment(Math.max(next.moment, begin.moment));
  return apiError(unknown, {
    message: `The history of ${name} begins at ${since}, and tells of nothing before`,
    detail: { reason: "before-history", since },
  });
}

/** Absence of content: it was collected, or is not told of. */
export async function collectedSince(
  registry: Registry,
  { name }: Past,
  digest: Digest,
): Promise<ApiError> {
  const removedAt = await registry.metadata.past.removedAt(name, digest);
  if (removedAt === null) return apiError("MANIFEST_UNKNOWN", { detail: { name, digest } });
  const at = new Date(removedAt).toISOString();
  return apiError("MANIFEST_UNKNOWN", {
    message: `${digest} was removed at ${at}, and collected when the time for an undo was over`,
    detail: { reason: "collected", digest, removedAt: at },
  });
}

/** Repositories with names that read the past, made before such names did: they cannot be reached, and a start says so. */
export async function warnOfPastNames({ metadata, report }: Registry): Promise<void> {
  for (let after = "at"; ;) {
    const names = await metadata.repositories({ after, limit: namesAtOnce });
    for (const name of names) {
      if (!name.startsWith("at.")) continue;
      if (isPastName(name)) report("warn", "a repository has a name that reads the past", { name });
    }
    const last = names.at(-1);
    if (last === undefined || names.length < namesAtOnce || last > "at/") return;
    after = last;
  }
}

const namesAtOnce = 500;
