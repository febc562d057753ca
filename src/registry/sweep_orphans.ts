/**
 * Removes bytes whose last name was deleted.
 *
 * The writer of the metadata checks, under its lock, that nothing names the bytes at the moment when they are removed.
 * A push of the same digest at that moment either keeps the bytes, or notices and writes them again. A crash leaves at
 * most a file to sweep.
 */
import { layoutStates } from "../metadata/layout_states.ts";
import type { Registry } from "./registry.ts";

const roundMax = 256;

/** Sweeps all orphans and returns how many there were. */
export async function sweepOrphans(registry: Registry, signal?: AbortSignal): Promise<number> {
  let swept = 0;
  for (;;) {
    const orphans = await sweepable(registry);
    if (orphans.length === 0 || signal?.aborted === true) return swept;
    await Promise.all(
      orphans.map(({ repository, digest }) =>
        registry.metadata.commit({
          repository,
          preconditions: [],
          changes: [{ kind: "sweep-orphan", digest }],
          by: null,
        }),
      ),
    );
    swept += orphans.length;
    if (orphans.length < roundMax) return swept;
  }
}

/** What index.json still lists waits until that is written anew; without layouts nothing has to wait. */
function sweepable({ metadata, layouts }: Registry) {
  return layouts === null
    ? metadata.orphans(roundMax)
    : metadata.records(layoutStates).unlistedOrphans(roundMax);
}
