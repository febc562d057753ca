/**
 * The extensions of a process that runs, as one: the rest of the server tells and asks all of them here, and knows none
 * by name.
 */
import type { CollectedTotals } from "../registry/collection/collected.ts";
import type { App, DiscoveredExtension, Page } from "../api/app.ts";
import type { RegistryConfig } from "../config/schema.ts";
import type { AccessRecord } from "../http/dispatch.ts";
import type { Endpoint } from "../http/endpoint.ts";
import type { HeavyRunner } from "../jobs/heavy_work.ts";
import type { JobWatcher } from "../jobs/job.ts";
import { assert } from "../lib/assert.ts";
import type { MirroredHost } from "../lib/mirror_clients.ts";
import type { Follower } from "../metadata/followers.ts";
import type { Committer } from "../metadata/metadata.ts";
import type { RegistryJob } from "../registry/registry_job.ts";
import type { Origin } from "../registry/origin.ts";
import type { PushCheck } from "../registry/push_check.ts";
import type { Registry } from "../registry/registry.ts";
import type { Stores } from "../storage/stores.ts";
import type {
  CacheName,
  Extension,
  ExtensionParts,
  Figures,
  PrimaryExtension,
  WorkerExtension,
} from "./extension.ts";

/** What each extension gives a worker, by its name; goes to the worker's process. */
export type Places = Readonly<Record<string, unknown>>;

/** Endpoints of all extensions that are on. */
export function extensionEndpoints(
  table: readonly Extension[],
  config: RegistryConfig,
): readonly Endpoint<App>[] {
  return table.flatMap((extension) => extension.endpoints?.(config) ?? []);
}

/** Pages of all extensions that are on. */
export function extensionPages(
  table: readonly Extension[],
  config: RegistryConfig,
): readonly Page[] {
  return table.flatMap((extension) => extension.page?.(config) ?? []);
}

/** What clients that look for extensions are told. */
export function discoveredExtensions(
  table: readonly Extension[],
  config: RegistryConfig,
): readonly DiscoveredExtension[] {
  return table.flatMap((extension) => extension.discovers?.(config) ?? []);
}

/** Upstreams that are mirrored when somebody pulls. */
export function mirroredHostsOf(
  table: readonly Extension[],
  config: RegistryConfig,
): readonly MirroredHost[] {
  return table.flatMap((extension) => extension.mirrors?.(config) ?? []);
}

/** Hosts of the upstreams that are mirrored under a repository's name. */
export function mirroredFrom(
  table: readonly Extension[],
  config: RegistryConfig,
  repository: string,
): readonly string[] {
  return table.flatMap((extension) => extension.mirroredFrom?.(config, repository) ?? []);
}

/** What all of them find unwise about a configuration on this machine. @throws with one line for what cannot be. */
export async function checkExtensions(
  table: readonly Extension[],
  config: RegistryConfig,
): Promise<readonly string[]> {
  const found = await Promise.all(table.map(async (each) => (await each.check?.(config)) ?? []));
  return found.flat();
}

export function jobNamesOf(table: readonly Extension[]): readonly string[] {
  return table.flatMap(({ jobNames = [] }) => jobNames);
}

export function followerNamesOf(table: readonly Extension[]): readonly string[] {
  return table.flatMap(({ followerNames = [] }) => followerNames);
}

/** Names are known before anything is opened, for labels and for what is off. */
function requireNamed(
  rows: readonly { readonly name: string }[],
  names: readonly string[],
  member: string,
): void {
  for (const { name } of rows) {
    assert(names.includes(name), `extensions: ${name} is not in the ${member} of its extension`);
  }
}

export class PrimaryExtensions {
  readonly #table: readonly Extension[];
  readonly #open: readonly { readonly name: string; readonly extension: PrimaryExtension }[];

  constructor(table: readonly Extension[], parts: ExtensionParts) {
    this.#table = table;
    this.#open = table.flatMap((row) => {
      const extension = row.openPrimary?.(parts) ?? null;
      return extension === null ? [] : [{ name: row.name, extension }];
    });
  }

  get #all(): readonly PrimaryExtension[] {
    return this.#open.map(({ extension }) => extension);
  }

  jobs(registry: Registry, stores: Stores, heavy: HeavyRunner<Registry>): readonly RegistryJob[] {
    const jobs = this.#all.flatMap((extension) => extension.jobs?.(registry, stores, heavy) ?? []);
    requireNamed(jobs, jobNamesOf(this.#table), "jobNames");
    return jobs;
  }

  /** Their followers of the feed, and the names of those that are off. */
  follows(
    registry: Registry,
    heavy: HeavyRunner<Registry>,
  ): {
    readonly on: readonly Follower[];
    readonly off: readonly string[];
  } {
    const on = this.#all.flatMap((extension) => extension.follows?.(registry, heavy) ?? []);
    const names = followerNamesOf(this.#table);
    requireNamed(on, names, "followerNames");
    return { on, off: names.filter((name) => on.every((follower) => follower.name !== name)) };
  }

  /** The first of the table stands nearest to the metadata. */
  commits(committer: Committer): Committer {
    return this.#all.reduce((next, extension) => extension.commits?.(next) ?? next, committer);
  }

  /** Undefined where nobody listens. */
  get onBatch(): ((commits: number, ms: number) => void) | undefined {
    const listening = this.#all.filter((extension) => extension.onBatch !== undefined);
    if (listening.length === 0) return undefined;
    return (commits, ms) => {
      for (const extension of listening) extension.onBatch?.(commits, ms);
    };
  }

  onJob: JobWatcher = (job, ms, failed) => {
    for (const extension of this.#all) extension.onJob?.(job, ms, failed);
  };

  onExpired(uploads: number): void {
    for (const extension of this.#all) extension.onExpired?.(uploads);
  }

  onCollected(removed: CollectedTotals | null, ms: number): void {
    for (const extension of this.#all) extension.onCollected?.(removed, ms);
  }

  onDrift(bytes: number): void {
    for (const extension of this.#all) extension.onDrift?.(bytes);
  }

  /** `tell` hears why requests should go elsewhere, by the name of the extension that finds so. */
  readiness(tell: (name: string, problem: string | null) => void): void {
    for (const { name, extension } of this.#open) {
      extension.readiness?.((problem) => tell(name, problem));
    }
  }

  reconfigure(config: RegistryConfig): void {
    for (const extension of this.#all) extension.reconfigure?.(config);
  }

  places(worker: number): Places {
    return Object.fromEntries(
      this.#open.map(({ name, extension }) => [name, extension.place?.(worker) ?? null]),
    );
  }

  workerEnded(places: Places, asked: boolean): void {
    for (const { name, extension } of this.#open) {
      const place = places[name] ?? null;
      if (place !== null) extension.workerEnded?.(place, asked);
    }
  }

  async close(): Promise<void> {
    for (const extension of this.#all.toReversed()) await extension.close?.();
  }
}

export class WorkerExtensions {
  readonly #all: readonly WorkerExtension[];

  constructor(table: readonly Extension[], parts: ExtensionParts & { readonly places: Places }) {
    const figures = (): readonly Figures[] =>
      this.#all.flatMap((extension) => extension.figures?.() ?? []);
    this.#all = table.flatMap((row) => {
      const place = parts.places[row.name] ?? null;
      const extension = row.openWorker?.({ ...parts, place, figures }) ?? null;
      return extension === null ? [] : [extension];
    });
  }

  endpoints(registry: Registry): readonly Endpoint<App>[] {
    return this.#all.flatMap((extension) => extension.endpoints?.(registry) ?? []);
  }

  /** Null where none of them has upstreams. */
  origin(registry: Registry, stores: Stores): Origin | null {
    const found = this.#all.flatMap((extension) => extension.origin?.(registry, stores) ?? []);
    assert(found.length <= 1, "extensions: one of them has the upstreams");
    return found[0] ?? null;
  }

  /** Rules that pushed manifests must keep. */
  pushChecks(registry: Registry): readonly PushCheck[] {
    return this.#all.flatMap((extension) => extension.checksPush?.(registry) ?? []);
  }

  /** Those that hear of answers: asked once, since this is on the way of every request. */
  get onAnswer(): readonly ((record: AccessRecord, failure: unknown) => void)[] {
    return this.#all.flatMap((extension) =>
      extension.onAnswer === undefined ? [] : [extension.onAnswer.bind(extension)],
    );
  }

  /** Undefined where nobody listens. */
  lookup(cache: CacheName): ((hit: boolean) => void) | undefined {
    const [first, ...others] = this.#all.flatMap((extension) => extension.lookup?.(cache) ?? []);
    if (first === undefined || others.length === 0) return first;
    return (hit) => {
      for (const listener of [first, ...others]) listener(hit);
    };
  }

  /** @throws with one line for the operator when one of them cannot. */
  reconfigure(config: RegistryConfig): void {
    for (const extension of this.#all) extension.reconfigure?.(config);
  }

  async close(): Promise<void> {
    for (const extension of this.#all.toReversed()) await extension.close?.();
  }
}
