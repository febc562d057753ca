/**
 * Whether something happened in the registry: asks every few seconds while the page is looked at.
 *
 * The registry answers 304 while nothing was pushed, moved or deleted, which costs it one number.
 */
import { ask } from "./http.ts";
import { Store } from "./store.ts";

/** Raised when something happened: what is shown may be old. */
export const changes = new Store(0);

/** Search takes up what was pushed a moment later: what is shown is loaded again then. */
const laterMs = [1_500, 6_000];

/** Something happened in the registry. */
export function changed(): void {
  const raise = (): void => changes.set(changes.value + 1);
  raise();
  for (const ms of laterMs) window.setTimeout(raise, ms);
}

/** An entry of what happened. */
export interface Activity {
  readonly id: string;
  readonly name: string;
  readonly tag: string | null;
  readonly event: "tagged" | "untagged" | "deleted";
  readonly digest: string | null;
  readonly previous: string | null;
  readonly at: string;
  readonly by: string | null;
}

const everyMs = 3_000;
/** After an answer that is an error. */
const pauseMs = 15_000;
const path = "v2/_zot/activity?n=1";

/** Looks until what is returned is called. */
export function startLive(): () => void {
  let timer = 0;
  let tag: string | null = null;
  let isLooking = false;
  const next = (ms: number): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void look(), ms);
  };
  const look = async (): Promise<void> => {
    if (document.hidden || isLooking) return;
    isLooking = true;
    try {
      const response = await ask(path, { headers: tag === null ? {} : { "If-None-Match": tag } });
      const found = response.headers.get("ETag");
      if (response.ok) {
        if (tag !== null) changed();
        tag = found;
      }
      next(response.ok || response.status === 304 ? everyMs : pauseMs);
    } catch {
      next(pauseMs);
    } finally {
      isLooking = false;
    }
  };
  const onVisible = (): void => next(0);
  document.addEventListener("visibilitychange", onVisible);
  next(0);
  return () => {
    window.clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
  };
}
