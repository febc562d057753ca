// What a promise is rejected with, as a value to compare. A promise that is kept gives `{ value }`, which no
// expectation of an error fits.

export function reasonOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => ({ value }),
    (reason: unknown) => reason,
  );
}
