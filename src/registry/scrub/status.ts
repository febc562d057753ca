/** What is known of checks and of damage, for people who ask. */
import { scrub, type Damaged, type DamagedPlace, type Sums } from "../../metadata/scrub.ts";
import type { Registry } from "../registry.ts";
import { affectedTags, type AffectedTags } from "./affected_tags.ts";
import type { RoundRecord } from "./round.ts";
import { readState } from "./scrub_job.ts";

/** Proofs that are told. */
const roundsTold = 10;
/** Tags of one damaged blob that are told. */
const tagsMax = 10;
/** Copies on a page: for each the tags are looked for. */
export const damagedMax = 100;

const dayMs = 24 * 60 * 60_000;
/** How long ago content was checked. */
const ages = [dayMs, 7 * dayMs, 30 * dayMs];

export interface Coverage extends Sums {
  readonly withinMs: number;
  /** Of the bytes, from 0 to 100. */
  readonly percent: number;
}

export interface ScrubStatus {
  /** "off", "running", "waiting" for the next round, or "stopped" where the disk failed. */
  readonly state: "off" | "running" | "waiting" | "stopped";
  readonly nextAt: number | null;
  /** The one that goes on; null while none does. */
  readonly round: RoundRecord | null;
  /** The newest first. */
  readonly rounds: readonly RoundRecord[];
  readonly all: Sums;
  readonly coverage: readonly Coverage[];
  readonly damaged: Sums;
}

export async function scrubStatus(registry: Registry): Promise<ScrubStatus> {
  const reads = registry.metadata.records(scrub);
  const state = await readState(registry);
  const rounds = (await reads.rounds(roundsTold)).map((text) => JSON.parse(text) as RoundRecord);
  const all = await reads.checkedSince(0);
  const now = registry.clock.now();
  const coverage: Coverage[] = [];
  for (const withinMs of ages) {
    const sums = await reads.checkedSince(now - withinMs);
    coverage.push({ withinMs, ...sums, percent: percentOf(sums.bytes, all.bytes) });
  }
  const isRunning = state?.round?.outcome === "running" && state.isEnabled;
  return {
    state: stateOf(state),
    nextAt: state?.nextAt ?? null,
    round: isRunning ? state.round : null,
    rounds,
    all,
    coverage,
    damaged: await reads.damagedSums(),
  };
}

function stateOf(state: Awaited<ReturnType<typeof readState>>): ScrubStatus["state"] {
  if (state === null || !state.isEnabled) return "off";
  if (state.round?.outcome === "running") return "running";
  return state.round?.outcome === "stopped" ? "stopped" : "waiting";
}

/** Never 100 while something is missing. */
function percentOf(bytes: number, allBytes: number): number {
  return allBytes === 0 ? 100 : Math.floor((bytes / allBytes) * 1_000) / 10;
}

export type ToldDamage = Damaged & AffectedTags;

/** A page of what is damaged, with the tags that lead to it. */
export async function listDamaged(
  registry: Registry,
  after: DamagedPlace | null,
  count: number,
): Promise<{ readonly items: readonly ToldDamage[]; readonly next: DamagedPlace | null }> {
  const limit = Math.min(count, damagedMax);
  const page = await registry.metadata.records(scrub).damaged(after, limit + 1);
  const items: ToldDamage[] = [];
  for (const mark of page.slice(0, limit)) {
    items.push({ ...mark, ...(await affectedTags(registry, mark, tagsMax)) });
  }
  return { items, next: page.length > limit ? (items.at(-1) ?? null) : null };
}
