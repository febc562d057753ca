/**
 * What happened lately in all repositories: tags that were set or removed and manifests that were deleted, newest
 * first. Pushes that set no tag are left out: the children of an index would hide everything else.
 */
import { setImmediate } from "node:timers/promises";
import { followers } from "../../metadata/followers.ts";
import type { FeedRecord } from "../../metadata/metadata.ts";
import type { Registry } from "../registry.ts";

/** Records that are read in one turn, and turns of one answer: who may read little is told less. */
const recordsAtOnce = 500;
const turnsMax = 20;
/** Records of one repository that are looked at where a caller may not see some of them. */
const hiddenMax = 1_000;

export interface ActivityRequest {
  /** Only what came before this record; null for the newest. */
  readonly before: number | null;
  readonly count: number;
  readonly mayShow: (record: FeedRecord) => boolean;
}

export interface ActivityPage {
  readonly items: readonly FeedRecord[];
  /** Where the next page goes on; null where there is nothing before. */
  readonly next: number | null;
}

/** The number of the last record that there is: while it stays, so does every first page. */
export async function lastActivity({ metadata }: Registry): Promise<number> {
  return await metadata.records(followers).end();
}

export async function recentActivity(
  registry: Registry,
  { before, count, mayShow }: ActivityRequest,
): Promise<ActivityPage> {
  const items: FeedRecord[] = [];
  let end = before ?? (await lastActivity(registry)) + 1;
  for (let turn = 0; turn < turnsMax && end > 1; turn += 1) {
    const after = Math.max(0, end - 1 - recordsAtOnce);
    const records = await registry.metadata.feed(after, recordsAtOnce);
    for (const record of records.toReversed()) {
      if (record.sequence >= end || !isShown(record) || !mayShow(record)) continue;
      if (items.length === count) return { items, next: items.at(-1)?.sequence ?? 1 };
      items.push(record);
    }
    end = after + 1;
    await setImmediate();
  }
  return { items, next: end > 1 ? end : null };
}

/** The same of one repository, also of one that is not there any more: as much as one answer holds. */
export async function activityIn(
  { metadata }: Registry,
  repository: string,
  {
    count,
    mayShow,
    mayRead,
  }: Omit<ActivityRequest, "before"> & { readonly mayRead: (repository: string) => boolean },
): Promise<ActivityPage> {
  if (!mayRead(repository)) return { items: [], next: null };
  const last = await metadata.history(repository, null, count);
  if (last.every(mayShow)) return { items: last, next: null };
  const more = await metadata.history(repository, null, hiddenMax);
  return { items: more.filter(mayShow).slice(0, count), next: null };
}

function isShown({ tag, digest }: FeedRecord): boolean {
  return tag !== null || digest === null;
}
