/** Whether a change that removes content holds it for an undo: what to add to the change, and nothing where none is. */
import type { Hold } from "../../metadata/metadata.ts";
import type { Registry } from "../registry.ts";

/**
 * `{ hold }` for a change that removes something which somebody deletes, or which collection removes since nothing has
 * needed it from a moment on; nothing where nothing is held. What was needed too long ago is held for others alone that
 * name it and are held.
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
