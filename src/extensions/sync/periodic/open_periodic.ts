/** The periodic job of a configuration: its entries with a `pollInterval`, with what rounds of them need. */
import type { Registry } from "../../../registry/registry.ts";
import type { RegistryJob } from "../../../registry/registry_job.ts";
import type { Stores } from "../../../storage/stores.ts";
import { namedEntries, type NamedEntry } from "../names.ts";
import { mirrorOf } from "../open_mirrors.ts";
import type { SyncValues } from "../options.ts";
import type { DownloadWatch } from "../pull_through/download.ts";
import type { FetchTicks } from "../pull_through/fetch_ticks.ts";
import type { Upstreams } from "../upstream/open_upstreams.ts";
import { periodicJob } from "./periodic_job.ts";

/** Entries that are copied from time to time. */
export function periodicEntries(sync: SyncValues): readonly NamedEntry[] {
  return namedEntries(sync).filter(
    ({ values }) => values.pollInterval > 0 && values.content.length > 0,
  );
}

/** Null where no entry asks for it. @throws with one line for what cannot be read, such as a file of logins. */
export function openPeriodic(
  sync: SyncValues,
  parts: {
    readonly registry: Registry;
    readonly stores: Stores;
    readonly ticks: FetchTicks;
    readonly upstreams: Upstreams;
    readonly watch: DownloadWatch;
  },
): RegistryJob | null {
  const { registry, stores, ticks, upstreams, watch } = parts;
  const fetch = { registry, uploads: stores.uploads, ticks, watch };
  return periodicJob(
    periodicEntries(sync).map((entry) => ({
      entry,
      fetch,
      mirrors: upstreams.of(entry).map((upstream) => mirrorOf(entry, upstream)),
    })),
  );
}
