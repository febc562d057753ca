/** The rounds of a configuration: its entries with a `pollInterval`, with what rounds of them need. */
import type { CurrentMirrors } from "../current_mirrors.ts";
import type { NamedEntry } from "../names.ts";
import { mirrorOf } from "../open_mirrors.ts";
import type { FetchParts } from "../pull_through/blob_fetch.ts";
import type { RoundParts } from "./sync_round.ts";

/** Entries that are copied from time to time. */
export function periodicEntries(entries: readonly NamedEntry[]): readonly NamedEntry[] {
  return entries.filter(({ values }) => values.pollInterval > 0 && values.content.length > 0);
}

export function roundsOf(current: CurrentMirrors, fetch: FetchParts): readonly RoundParts[] {
  return periodicEntries(current.entries).map((entry) => ({
    entry,
    fetch,
    mirrors: current.upstreams.of(entry).map((upstream) => mirrorOf(entry, upstream)),
  }));
}
