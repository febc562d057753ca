// Runs a property of fast-check with a seed that is printed, so that a failure can be run again.
//
// `ZOT_SEED=<number>` runs with that seed, `ZOT_RUNS=<number>` with so many runs; a failure shows both, and the
// smallest input that fails.

import * as fc from "fast-check";

/** Fails as the property fails. `runs` is what a person waits for; a nightly run takes more. */
export async function holds<T>(
  what: string,
  property: fc.IAsyncProperty<T> | fc.IProperty<T>,
  runs: number,
): Promise<void> {
  const given = process.env["ZOT_SEED"];
  const seed = given === undefined ? crypto.getRandomValues(new Int32Array(1))[0] : Number(given);
  const numRuns = Number(process.env["ZOT_RUNS"] ?? runs);
  console.log(`${what}: ${numRuns} runs, ZOT_SEED=${seed}`);
  await fc.assert(property, { seed: seed ?? 0, numRuns, endOnFailure: false });
}
