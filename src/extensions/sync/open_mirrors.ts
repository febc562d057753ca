/** What pull-through is given: the mirrors of a configuration, and the names that lead to them. */
import { namedEntries, type NamedEntry, NameTable } from "./names.ts";
import type { Mirror, MirroredName, MirrorNames } from "./pull_through/mirror.ts";
import type { SyncValues } from "./options.ts";
import type { Upstreams } from "./upstream/open_upstreams.ts";
import type { Upstream } from "./upstream/upstream.ts";

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
  return {
    localName: (namespace, name) => table.localName(namespace, name),
    canonical: (repository) => table.canonical(repository),
    atRoot: (name) => table.atRoot(name),
    upstreamsOf: (repository) =>
      table
        .upstreamsOf(repository)
        .flatMap(({ entry, name }): readonly MirroredName[] =>
          (mirrors.get(entry) ?? []).map((mirror) => ({ mirror, name })),
        ),
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
