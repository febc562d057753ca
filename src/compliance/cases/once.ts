// Content that the cases of one scenario share: made by the first that asks.
import type { Trial } from "../trial.ts";

/** Calls `make` at most once; every caller gets the same outcome, also a failure. */
export function once<T>(make: (t: Trial) => Promise<T>): (t: Trial) => Promise<T> {
  let made: Promise<T> | null = null;
  return (t) => (made ??= make(t));
}
