// The process for heavy work, as `heavy.test.ts` starts it: with work that computes until it is told to end.

import { existsSync } from "node:fs";
import { runHeavy } from "../src/cli/heavy.ts";
import type { Registry } from "../src/registry/registry.ts";

/** Makes a repository named by its process, then computes until the file is there, and gives the process. */
export const burn = {
  name: "burn",
  run: async (
    { metadata }: Registry,
    { until, msMax }: { readonly until: string; readonly msMax: number },
  ): Promise<number> => {
    await metadata.commit({
      repository: `burning-${process.pid}`,
      preconditions: [],
      changes: [{ kind: "create-repository" }],
      by: null,
    });
    const endMs = performance.now() + msMax;
    while (!existsSync(until) && performance.now() < endMs);
    return process.pid;
  },
};

if (import.meta.main) {
  const untyped = {
    name: burn.name,
    run: burn.run as (registry: Registry, argument: never) => Promise<number>,
  };
  process.exit(await runHeavy([untyped]));
}
