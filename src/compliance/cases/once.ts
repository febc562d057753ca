// Content that the cases of one scenario share: made by the first that asks.
import type { Trial } from "../trial.ts";

/** Calls `make` at most once per run; every caller gets the same outcome, also a failure. */
export function once<T>(make: (t: Trial) => Promise<T>): (t: Trial) => Promise<T> {
  const made = new WeakMap<Trial, Promise<T>>();
  return (t) => {
    const before = made.get(t);
    if (before !== undefined) return before;
    const promise = make(t);
    made.set(t, promise);
    return promise;
  };
}
