/**
 * Everything that heavy work needs in a process of its own: the registry, and the table that finds work by its name.
 */
import type { Config } from "../config/schema.ts";
import { extensions } from "../extensions/extensions.ts";
import type { Clock } from "../lib/clock.ts";
import { must } from "../lib/assert.ts";
import type { Log } from "../lib/log.ts";
import type { Committer } from "../metadata/metadata.ts";
import { registryWork } from "../registry/jobs.ts";
import type { Registry } from "../registry/registry.ts";
import { openPlace } from "./open_place.ts";
import { openRegistry } from "./open_registry.ts";
import { reporter } from "./reporter.ts";

/** Heavy work as its process sees it: whoever asks by this name sends the argument that goes with it. */
export interface NamedWork {
  readonly name: string;
  run(registry: Registry, argument: unknown, signal: AbortSignal): Promise<unknown>;
}

export interface HeavyWorkshop {
  run(name: string, argument: unknown, signal: AbortSignal): Promise<unknown>;
}

export function openWorkshop(
  config: Config,
  parts: { readonly log: Log; readonly committer: Committer; readonly clock: Clock },
  more: readonly NamedWork[],
): HeavyWorkshop {
  const { committer, clock, log } = parts;
  const root = openPlace(config, clock);
  const stores = root.openBytes(committer);
  const registry = openRegistry(config, { root, stores, committer, clock, report: reporter(log) });
  const table: readonly NamedWork[] = [
    ...registryWork,
    ...extensions.flatMap(({ heavyWork = [] }) => heavyWork),
    ...more,
  ];
  return {
    run: (name, argument, signal) => {
      const work = must(
        table.find((row) => row.name === name),
        "heavy work is in a table",
      );
      return work.run(registry, argument, signal);
    },
  };
}
