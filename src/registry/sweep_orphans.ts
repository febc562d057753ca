/**
 * Removes bytes whose last name was deleted.
 *
 * Promises: bytes are removed under the metadata writer's lock, after checking again that neither a blob nor a
 * manifest of the repository has the digest; a push of the same digest that crosses the sweep
 * either keeps the bytes or notices and writes them again. A crash leaves at most a file to sweep.
 */
import type { Registry } from "./registry.ts";

const roundMax = 256;

/** Sweeps all orphans and returns how many files went. */
export async function sweepOrphans(registry: Registry, signal?: AbortSignal): Promise<number> {
  let swept = 0;
  for (;;) {
    const orphans = await registry.metadata.orphans(roundMax);
    if (orphans.length === 0 || signal?.aborted === true) return swept;
    const outcomes = await Promise.all(
      orphans.map(({ repository, digest }) =>
        registry.metadata.commit({
          repository,
          preconditions: [{ kind: "digest-free", digest }],
          changes: [{ kind: "sweep-orphan", digest }],
          by: null,
        }),
      ),
    );
    const removed = outcomes.filter((outcome) => outcome.committed).length;
    swept += removed;
    // An orphan that was named again is no orphan: its row went with that commit.
    if (removed === 0) return swept;
  }
}
