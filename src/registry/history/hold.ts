/** The `hold` of a change that removes content: it keeps the content for an undo. */
import type { Hold } from "../../metadata/metadata.ts";
import type { Registry } from "../registry.ts";

/**
 * `{ hold }` for a change that removes what somebody deletes, or what nothing has named from `since` on and collection
 * removes; `{}` for a delete while undo is off. Where the window is over already, content is held only for other held
 * content that names it.
 */
export function heldFor(
  { undo, clock }: Registry,
  why: Hold["why"],
  since: number = clock.now(),
): { readonly hold?: Hold } {
  const { windowMs } = undo();
  // What was held before, by a server that had such a time, keeps what it needs.
  if (windowMs === 0 && why === "deleted") return {};
  const isOver = since + windowMs <= clock.now();
  return { hold: { why, since, ...(isOver ? { isOver } : {}) } };
}
