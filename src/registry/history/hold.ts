/** Whether a change that removes content holds it for an undo: what to add to the change, and nothing where none is. */
import type { Hold } from "../../metadata/metadata.ts";
import type { Registry } from "../registry.ts";

type Holding = { readonly hold?: Hold };

/** For what somebody deletes. */
export function holdDeleted(registry: Registry): Holding {
  return registry.undo().windowMs > 0 ? { hold: { why: "deleted" } } : {};
}

/** For what collection removes, which nothing has needed since then; nothing when the time for an undo is over. */
export function holdCollected(registry: Registry, since: number): Holding {
  const { windowMs } = registry.undo();
  const isOver = since + windowMs <= registry.clock.now();
  return windowMs <= 0 || isOver ? {} : { hold: { why: "collected", since } };
}
