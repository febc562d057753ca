/**
 * Where repositories are no directories, only the metadata show what they hold. What would wait for an index.json, as
 * the removal of bytes does, waits no longer than for this.
 */
import type { Registry } from "./registry.ts";

/** Repositories looked at in one round. */
const roundMax = 256;
/** Stands for an index.json that nobody can have read. */
const noIndex = "none";

/** Records of every repository that what it shows is what it holds. */
export async function recordAllShown({ metadata }: Registry, signal?: AbortSignal): Promise<void> {
  for (;;) {
    const behind = await metadata.staleLayouts(roundMax);
    for (const repository of behind) {
      if (signal?.aborted === true) return;
      const { generation } = (await metadata.layoutState(repository)) ?? { generation: 0 };
      await metadata.commit({
        repository,
        preconditions: [],
        changes: [{ kind: "record-layout", stamp: noIndex, generation }],
        by: null,
      });
    }
    if (behind.length < roundMax) return;
  }
}
