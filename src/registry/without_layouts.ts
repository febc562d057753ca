/**
 * For storage that has no directories of repositories: there only the metadata shows what they hold. A step that would
 * otherwise wait for an index.json, such as the removal of bytes, runs at once after this.
 */
import type { Registry } from "./registry.ts";

/** Repositories looked at in one round. */
const roundMax = 256;
/** Stands for an index.json that no tool can have read. */
const noIndex = "none";

/** Records for every repository that its layout is up to date. */
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
