/** What pull-through is given: the mirrors of a configuration, and the names that lead to them. */
import { Lru } from "../../lib/lru.ts";
import { namedEntries, type NamedEntry, NameTable } from "./names.ts";
import type { Mirror, MirroredName, MirrorNames } from "./pull_through/mirror.ts";
import type { SyncValues } from "./options.ts";
import type { Upstreams } from "./upstream/open_upstreams.ts";
import type { Upstream } from "./upstream/upstream.ts";

/** Names whose upstreams a worker remembers: rules are of globs, and asked twice for each pull. */
const namesMax = 10_000;

/** @throws with one line for what cannot be read, such as an authority or a file of logins. */
export function openMirrors(sync: SyncValues, upstreams: Upstreams): MirrorNames {
  const entries = namedEntries(sync).filter(({ values }) => values.onDemand);
  const mirrors = new Map(
    entries.map((entry) => [
      entry,
      upstreams.of(entry).map((upstream) => mirrorOf(entry, upstream)),
    ]),
  );
  const table = new NameTable(entries);
  const known = new Lru<string, readonly MirroredName[]>({ entriesMax: namesMax });
  const upstreamsOf = (repository: string): readonly MirroredName[] =>
    table
      .upstreamsOf(repository)
      .flatMap(({ entry, name }) => (mirrors.get(entry) ?? []).map((mirror) => ({ mirror, name })));
  return {
    localName: (namespace, name) => table.localName(namespace, name),
    canonical: (repository) => table.canonical(repository),
    atRoot: (name) => table.atRoot(name),
    upstreamsOf: (repository) => {
      let found = known.get(repository);
      if (found === null) {
        found = upstreamsOf(repository);
        known.set(repository, found);
      }
      return found;
    },
  };
}

export function mirrorOf({ values, hosts }: NamedEntry, upstream: Upstream): Mirror {
  return {
    upstream,
    hosts,
    manifestCheckMs: values.manifestCheckInterval,
    serveStale: values.serveStale,
    mergesTags: values.listTags === "merge",
    allowsPush: values.allowPush,
    onDenied: values.onDenied,
    onClientGone: values.onClientGone,
    propagatesDeletes: values.propagateDeletes,
    relaysUnknownBlobs: values.relayUnknownBlobs,
  };
}
