/**
 * The names of everything that is mirrored, both ways: entries of `registries` in their order, then the shorthand
 * `mirrors`.
 *
 * `ns` chooses among the upstreams that are configured and is never a place to go to.
 */
import { formatOrigin, parseRegistryUrl } from "../../client/registry_url.ts";
import { ContentRules } from "./content_rules.ts";
import { folderOf, hostOfUrl, isHub, normaliseHost } from "./hosts.ts";
import type { RegistryValues, SyncValues } from "./options.ts";
import { shorthandValues } from "./shorthand.ts";

/** One upstream with what is mirrored of it. Those of one entry with several URLs are alike but for the URL. */
export interface NamedEntry {
  readonly values: RegistryValues;
  readonly rules: ContentRules;
  /** Of each URL, in order. */
  readonly hosts: readonly string[];
  /** The entry's place in the file: `registries[0]`, or `mirrors[0]`. */
  readonly place: string;
  /** Where all of it lies, for an entry of the shorthand; null for one of `registries`. */
  readonly folder: string | null;
}

/** All entries, also those that are only mirrored from time to time. */
export function namedEntries({ registries, mirrors }: SyncValues): readonly NamedEntry[] {
  const written = registries.map((values, index): NamedEntry => ({
    values,
    rules: new ContentRules(values.content),
    hosts: values.urls.map(hostOfUrl),
    place: `registries[${index}]`,
    folder: null,
  }));
  const short = mirrors.map((mirror, index): NamedEntry => {
    const folder = folderOf(hostOfUrl(mirror));
    const url = formatOrigin(parseRegistryUrl(mirror).origin);
    const values = shorthandValues(url, `/${folder}`);
    return {
      values,
      rules: new ContentRules(values.content),
      hosts: [hostOfUrl(mirror)],
      place: `mirrors[${index}]`,
      folder,
    };
  });
  return [...written, ...short];
}

/** A name at an upstream. */
export interface EntryName {
  readonly entry: NamedEntry;
  readonly name: string;
}

/** The names of the entries that are mirrored when somebody asks. */
export class NameTable {
  readonly #entries: readonly NamedEntry[];
  readonly #hub: NamedEntry | null;

  constructor(entries: readonly NamedEntry[]) {
    this.#entries = entries.filter(({ values }) => values.onDemand);
    this.#hub =
      this.#entries.find(({ folder, hosts }) => folder !== null && hosts.some(isHub)) ?? null;
  }

  /** The name here of what a client asks for at a registry; null for a registry or name that is not mirrored. */
  localName(
    namespace: string,
    name: string,
  ): { readonly repository: string; readonly host: string } | null {
    const host = normaliseHost(namespace);
    if (host === null) return null;
    for (const entry of this.#entries) {
      if (!entry.hosts.includes(host)) continue;
      const asked = askedName(entry, host, name);
      const repository = entry.rules.localName(asked);
      if (repository !== null) return { repository, host };
    }
    return null;
  }

  /** The one spelling of a name here that has several: `docker.io/alpine` is `docker.io/library/alpine`. */
  canonical(repository: string): string {
    const folder = this.#hub?.folder ?? null;
    if (folder === null || !repository.startsWith(`${folder}/`)) return repository;
    return `${folder}/${hubName(repository.slice(folder.length + 1))}`;
  }

  /** What a name without a host means at the mirror of Docker Hub, for clients that know no other; null without one. */
  atRoot(name: string): string | null {
    const folder = this.#hub?.folder ?? null;
    return folder === null ? null : `${folder}/${hubName(name)}`;
  }

  /** Where a name here comes from, in the order in which it is asked for there. */
  upstreamsOf(repository: string): readonly EntryName[] {
    const canonical = this.canonical(repository);
    return this.#entries.flatMap((entry) => {
      const name = entry.rules.upstreamName(canonical);
      return name === null ? [] : [{ entry, name }];
    });
  }
}

/** A client may name the registry by the path of its mirror beside `ns` (BuildKit: `zot.example/ghcr.io`). */
function askedName({ folder }: NamedEntry, host: string, name: string): string {
  if (folder === null) return name;
  const bare = name.startsWith(`${folder}/`) ? name.slice(folder.length + 1) : name;
  return isHub(host) ? hubName(bare) : bare;
}

/** At Docker Hub what has one component is below `library`. */
function hubName(name: string): string {
  return name.includes("/") ? name : `library/${name}`;
}
