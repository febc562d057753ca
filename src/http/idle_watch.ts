/**
 * Notices a sender that stopped sending. A slow sender is no stopped one: with a byte from time to time it may take as
 * long as it needs.
 */
import type { Clock } from "../lib/clock.ts";

/** How often a body is looked at for progress, within its idle limit. */
const looks = 4;

export interface WatchedBody {
  readonly idleMs: number;
  /** A number that grows with every byte that comes. */
  readonly arrivedBytes: () => number | Promise<number>;
  /** Called once when no byte came for `idleMs`. */
  readonly onIdle: () => void;
}

/** Watches until what it returns is called, or until it has told that the sender is idle. */
export function watchIdle(clock: Clock, body: WatchedBody): () => void {
  const ended = new AbortController();
  void watch(clock, body, ended.signal);
  return () => ended.abort();
}

async function watch(
  clock: Clock,
  { idleMs, arrivedBytes, onIdle }: WatchedBody,
  signal: AbortSignal,
): Promise<void> {
  let seen = await arrivedBytes();
  let sinceMs = clock.monotonicMs();
  while (!signal.aborted) {
    await clock.sleep(idleMs / looks, signal);
    if (signal.aborted) return;
    const arrived = await arrivedBytes();
    if (arrived !== seen) {
      seen = arrived;
      sinceMs = clock.monotonicMs();
    } else if (clock.monotonicMs() - sinceMs >= idleMs) {
      // The watch was ended while we looked: the bytes are all there.
      if (!signal.aborted) onIdle();
      return;
    }
  }
}
