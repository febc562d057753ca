// Time as a value that is handed in, so that tests move it instead of waiting for it.
//
// `now` is for what is written down (history, expiry), `monotonicMs` for measuring, because the
// wall clock may jump. A manual clock stands still until `advance`, which wakes every sleeper whose
// hour has come, in order, and lets woken code run (and sleep again) before it goes on.

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. May jump in either direction. */
  now(): number;
  /** Milliseconds since an arbitrary moment; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms`, or early (never rejects) when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout fires at once beyond this, so that longer sleeps are taken in pieces. */
const timerMsMax = 2 ** 31 - 1;

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    let leftMs = ms;
    while (leftMs > timerMsMax) {
      await sleepOnce(timerMsMax, signal);
      if (signal?.aborted === true) return;
      leftMs -= timerMsMax;
    }
    // The runtime warns of a time that has passed, in the midst of the log.
    await sleepOnce(Math.max(leftMs, 0), signal);
  },
};

function sleepOnce(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted === true) return Promise.resolve();
  const timer = setTimeout(wake, ms);
  signal?.addEventListener("abort", wake);
  function wake(): void {
    clearTimeout(timer);
    signal?.removeEventListener("abort", wake);
    resolve();
  }
  return promise;
}

interface Sleeper {
  wakeMs: number;
  wake: () => void;
}

/**
 * A clock that only moves when told. `advance(ms)` resolves when everything it woke has run; `jump(ms)` sets the wall
 * clock alone, forward or back.
 */
export function manualClock(
  startMs = 0,
): Clock & { advance(ms: number): Promise<void>; jump(ms: number): void } {
  let elapsedMs = 0;
  let jumpedMs = 0;
  const sleepers = new Set<Sleeper>();
  return {
    now: () => startMs + elapsedMs + jumpedMs,
    monotonicMs: () => elapsedMs,
    sleep(ms, signal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (ms <= 0 || signal?.aborted === true) return Promise.resolve();
      const sleeper: Sleeper = { wakeMs: elapsedMs + ms, wake };
      function wake(): void {
        sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      }
      sleepers.add(sleeper);
      signal?.addEventListener("abort", wake);
      return promise;
    },
    jump(ms) {
      jumpedMs += ms;
    },
    async advance(ms) {
      const targetMs = elapsedMs + ms;
      await settle(); // Code that was just started reaches its sleep first.
      for (;;) {
        const next = earliest(sleepers, targetMs);
        if (next === null) break;
        elapsedMs = Math.max(elapsedMs, next.wakeMs);
        next.wake();
        await settle();
      }
      elapsedMs = Math.max(elapsedMs, targetMs);
    },
  };
}

/** The sleeper that wakes first, no later than `untilMs`; of equals the one that slept first. */
function earliest(sleepers: Iterable<Sleeper>, untilMs: number): Sleeper | null {
  let first: Sleeper | null = null;
  for (const sleeper of sleepers) {
    if (sleeper.wakeMs > untilMs) continue;
    if (first === null || sleeper.wakeMs < first.wakeMs) first = sleeper;
  }
  return first;
}

/** Lets all microtasks run: a macrotask comes after every promise that can settle now. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
