// Assertions: the third kind of error, for what cannot happen.
//
// Absent is `null` and an API error is an `ApiError`; the third kind is a bug in our own
// code. Such a state ends the request (500 and an error id) or, where stored state may be damaged,
// the process. An assertion is never the answer to something that a user sent.

/** A promise of our own code that was broken. Never caught to go on, only to report. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws an AssertionError with `message` unless `condition` is truthy. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Returns `value`, which our own code promised to be there; throws an AssertionError if it is not. */
export function must<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) throw new AssertionError(message);
  return value;
}

/** The end of an exhaustive switch: the compiler proves it is not reached, this catches a lie. */
export function unreachable(value: never): never {
  throw new AssertionError(`Unreachable case reached with ${String(value)}`);
}
