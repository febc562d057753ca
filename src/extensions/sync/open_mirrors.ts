/** What pull-through is given: the mirrors of a configuration, and the names that lead to them. */
import { Lru } from "../../lib/lru.ts";
import { type NamedEntry, NameTable } from "./names.ts";
import type { Mirror, MirroredName, MirrorNames } from "./pull_through/mirror.ts";
import type { Upstreams } from "./upstream/open_upstreams.ts";
import type { Upstream } from "./upstream/upstream.ts";

/** Names whose upstreams a worker remembers: rules are of globs, and asked twice for each pull. */
const namesMax = 10_000;

/** Upstreams are opened when they are needed, unless they are. @throws as `Upstreams.of` does, then. */
export function openMirrors(entries: readonly NamedEntry[], upstreams: Upstreams): MirrorNames {
  const mirrors = new Map<NamedEntry, readonly Mirror[]>();
  const mirrorsOf = (entry: NamedEntry): readonly Mirror[] => {
    const known = mirrors.get(entry);
    if (known !== undefined) return known;
    const opened = upstreams.of(entry).map((upstream) => mirrorOf(entry, upstream));
    mirrors.set(entry, opened);
    return opened;
  };
  const table = new NameTable(entries);
  const known = new Lru<string, readonly MirroredName[]>({ entriesMax: namesMax });
  const upstreamsOf = (repository: string): readonly MirroredName[] =>
    table
      .upstreamsOf(repository)
      .flatMap(({ entry, name }) => mirrorsOf(entry).map((mirror) => ({ mirror, name })));
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
    onlySigned: values.onlySigned,
    takesCosignTags: values.syncLegacyCosignTags,
    propagatesDeletes: values.propagateDeletes,
    relaysUnknownBlobs: values.relayUnknownBlobs,
  };
}
