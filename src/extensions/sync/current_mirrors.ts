/**
 * The mirrors of a process as the configuration in force has them. Whoever holds this asks the upstreams of another
 * configuration from the moment it is in force; what was begun before goes on with those that it was begun with.
 */
import type { RegistryConfig } from "../../config/schema.ts";
import type { LocatedMirror, MirroredName, MirrorNames } from "./pull_through/mirror.ts";
import { namedEntries, type NamedEntry } from "./names.ts";
import { openMirrors } from "./open_mirrors.ts";
import type { SyncValues } from "./options.ts";
import type { Upstreams } from "./upstream/open_upstreams.ts";

export interface CurrentMirrorsOptions {
  /** @throws with one line for what cannot be read. */
  readonly open: (config: RegistryConfig) => Upstreams;
  /** Entries that this process needs: with a mistake in their files no configuration is in force. */
  readonly needs: (entries: readonly NamedEntry[]) => readonly NamedEntry[];
}

interface InForce {
  readonly sync: SyncValues;
  readonly entries: readonly NamedEntry[];
  readonly upstreams: Upstreams;
  readonly names: MirrorNames;
}

export class CurrentMirrors implements MirrorNames {
  readonly #options: CurrentMirrorsOptions;
  #now: InForce;
  /** What was in force before: requests of it may have left connections since. */
  #before: Upstreams[] = [];

  /** @throws with one line for what cannot be read, such as an authority or a file of logins. */
  constructor(config: RegistryConfig, options: CurrentMirrorsOptions) {
    this.#options = options;
    this.#now = this.#opened(config);
  }

  get sync(): SyncValues {
    return this.#now.sync;
  }

  get entries(): readonly NamedEntry[] {
    return this.#now.entries;
  }

  get upstreams(): Upstreams {
    return this.#now.upstreams;
  }

  /** Puts another configuration into force. @throws as at the start; then all is as it was. */
  replace(config: RegistryConfig): void {
    const next = this.#opened(config);
    this.#before = [...this.#before, this.#now.upstreams].slice(-beforeMax);
    this.#now = next;
    for (const each of this.#before) each.close();
  }

  close(): void {
    for (const each of [...this.#before, this.#now.upstreams]) each.close();
  }

  localName(namespace: string, name: string): LocatedMirror | null {
    return this.#now.names.localName(namespace, name);
  }

  canonical(repository: string): string {
    return this.#now.names.canonical(repository);
  }

  atRoot(name: string): string | null {
    return this.#now.names.atRoot(name);
  }

  upstreamsOf(repository: string): readonly MirroredName[] {
    return this.#now.names.upstreamsOf(repository);
  }

  #opened(config: RegistryConfig): InForce {
    const { sync } = config.extensions;
    const entries = namedEntries(sync);
    const upstreams = this.#options.open(config);
    for (const entry of this.#options.needs(entries)) upstreams.of(entry);
    return { sync, entries, upstreams, names: openMirrors(entries, upstreams) };
  }
}

/** Configurations whose idle connections are looked after. */
const beforeMax = 8;
