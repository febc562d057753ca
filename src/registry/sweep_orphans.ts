/**
 * Removes bytes whose last name was deleted.
 *
 * Whether nothing names them is decided where they are removed, under the metadata writer's lock; a push of the same
 * digest that crosses the sweep either keeps the bytes or notices and writes them again. A crash leaves at most a file
 * to sweep.
 */
import type { Registry } from "./registry.ts";

const roundMax = 256;

/** Sweeps all orphans and returns how many there were. */
export async function sweepOrphans(registry: Registry, signal?: AbortSignal): Promise<number> {
  let swept = 0;
  for (;;) {
    const orphans = await registry.metadata.orphans(roundMax);
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
