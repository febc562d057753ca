/**
 * Pages of a tag's history: what it pointed at, when, and who moved it, newest first. It outlives the tag, and the
 * manifests that it names.
 */
import { setImmediate } from "node:timers/promises";
import type { TagEvent } from "../../metadata/past.ts";
import type { ListPage } from "../lists.ts";
import type { Registry } from "../registry.ts";
import { beingRead, bring } from "../resolve.ts";

/** Events of a page at most; a larger `count` is clamped and the answer leads to the next page. */
export const eventsMax = 1_000;
/** Slices of as many events that a page looks at: one that finds less than it may list leads to the next page. */
const slicesMax = 10;

export interface HistoryRequest {
  readonly repository: string;
  readonly tag: string;
  /** Only events before this moment, in microseconds since the epoch. */
  readonly beforeMoment: number | null;
  /** Only events after this moment. */
  readonly sinceMoment: number | null;
  /** Only events of this digest. */
  readonly digest: string | null;
  readonly count: number | null;
  /** The last event of the page before. */
  readonly last: number | null;
}

/** Empty for an unknown repository or tag. The cursor is the sequence of the last event that was looked at. */
export async function tagHistory(
  registry: Registry,
  request: HistoryRequest,
): Promise<ListPage<TagEvent>> {
  const { repository, tag, beforeMoment, sinceMoment, digest } = request;
  const count = Math.min(request.count ?? eventsMax, eventsMax);
  if (count === 0) return { items: [], next: null };
  if ((await bring(registry, repository)) === "later") throw beingRead();
  const { past } = registry.metadata;
  const after = sinceMoment === null ? 0 : await past.sequenceAt(repository, sinceMoment);
  let before =
    beforeMoment === null ? null : (await past.sequenceAt(repository, beforeMoment - 1)) + 1;
  if (request.last !== null) before = Math.min(before ?? Infinity, request.last);
  const items: TagEvent[] = [];
  for (let slices = 0; slices < slicesMax; slices += 1) {
    const slice = await past.tagEvents(repository, tag, { before, after, limit: eventsMax });
    for (const event of slice) {
      if (digest !== null && event.digest !== digest) continue;
      if (items.length === count) return { items, next: String(items.at(-1)?.sequence) };
      items.push(event);
    }
    if (slice.length < eventsMax) return { items, next: null };
    before = slice.at(-1)?.sequence ?? 0;
    // A digest that fits little: others have their turn in between.
    await setImmediate();
  }
  return { items, next: String(before) };
}
