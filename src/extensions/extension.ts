/**
 * The contract of an extension: something that the registry can do beside serving content, and that can be left out.
 *
 * An extension is a folder here with its `options.ts` (joined in `options.ts`) and an `Extension` (a row of
 * `extensions.ts`), or a value that a program gives `createRegistry`. It says which endpoints, jobs and followers it adds, opens what it needs in the primary and in each worker,
 * and hears what happens there. Everything but its name may be left out; a hook that it does not have costs nothing.
 * Extensions know nothing of each other: what two of them need is in a lower layer.
 */
import type { App, DiscoveredExtension, Page } from "../api/app.ts";
import type { RegistryConfig } from "../config/schema.ts";
import type { AccessRecord } from "../http/dispatch.ts";
import type { Endpoint } from "../http/endpoint.ts";
import type { HeavyRunner } from "../jobs/heavy_work.ts";
import type { JobWatcher } from "../jobs/job.ts";
import type { Clock } from "../lib/clock.ts";
import type { Sample } from "../lib/metrics/exposition.ts";
import type { Metric } from "../lib/metrics/metric.ts";
import type { MirroredHost } from "../lib/mirror_clients.ts";
import type { Follower } from "../metadata/followers.ts";
import type { Committer } from "../metadata/metadata.ts";
import type { RegistryJob, RegistryWork } from "../registry/registry_job.ts";
import type { CollectedTotals } from "../registry/collection/collected.ts";
import type { Origin } from "../registry/origin.ts";
import type { PushCheck } from "../registry/push_check.ts";
import type { Registry, Report } from "../registry/registry.ts";
import type { Stores } from "../storage/stores.ts";

/** `Place` is what the primary gives each worker of it: plain values, which go from process to process. */
export interface Extension<Place = unknown> {
  /** Its folder, and its section of the configuration; a program's own has neither. */
  readonly name: string;
  /** Its endpoints while a configuration has it on: for the documents, and for whoever names all of them. */
  endpoints?(config: RegistryConfig): readonly Endpoint<App>[];
  /** Its page in the interface while it is on: one of its endpoints. */
  page?(config: RegistryConfig): Page | null;
  /** What clients that look for extensions are told of it while it is on; null for nothing. */
  discovers?(config: RegistryConfig): DiscoveredExtension | null;
  /** Upstreams that it mirrors when somebody pulls, for the settings of clients. */
  mirrors?(config: RegistryConfig): readonly MirroredHost[];
  /** Hosts of the upstreams that it mirrors under a repository's name, when somebody pulls or from time to time. */
  mirroredFrom?(config: RegistryConfig, repository: string): readonly string[];
  /** Names of its jobs, whether it is on or off. */
  readonly jobNames?: readonly string[];
  /** Names of its followers of the feed, whether it is on or off: for one that is off the feed keeps nothing. */
  readonly followerNames?: readonly string[];
  /** Work of it that runs in a process of its own; its jobs ask for it (`src/jobs/heavy_work.ts`). */
  readonly heavyWork?: readonly RegistryWork<never, unknown>[];
  /**
   * Reads the files that a configuration names, before it is put into force or where somebody asks: what is unwise about
   * it here. Keeps nothing. @throws with one line for what cannot be in force.
   */
  check?(config: RegistryConfig): Promise<readonly string[]>;
  /** Called once in the primary, before the metadata are opened; null while it is off. */
  openPrimary?(parts: ExtensionParts): PrimaryExtension<Place> | null;
  /** Called once in each worker, before the metadata are opened, with its place; null while it is off. */
  openWorker?(parts: WorkerParts<Place>): WorkerExtension | null;
}

/** What an extension is opened with, in every process. */
export interface ExtensionParts {
  readonly config: RegistryConfig;
  readonly clock: Clock;
  readonly report: Report;
  /** All that this configuration serves and does, those of other extensions included, for labels. */
  readonly served: {
    readonly endpoints: readonly Endpoint<App>[];
    readonly jobs: readonly string[];
  };
}

export interface WorkerParts<Place> extends ExtensionParts {
  /** What `PrimaryExtension.place` gave; null where it gave none. */
  readonly place: Place | null;
  /** What the extensions of this process add to metrics, now. */
  readonly figures: () => readonly Figures[];
}

/** What a server that runs has of an extension in its primary. */
export interface PrimaryExtension<Place = unknown> {
  /** Its rows of the table of jobs. */
  jobs?(registry: Registry, stores: Stores, heavy: HeavyRunner<Registry>): readonly RegistryJob[];
  /** Its followers of the feed: each is handed every push, tag move and delete, in order, in the background. */
  follows?(registry: Registry, heavy: HeavyRunner<Registry>): readonly Follower[];
  /** Stands before every commit, those of background work included: sees them and what came of them, in order. */
  commits?(next: Committer): Committer;
  /** Hears of every transaction of the metadata. */
  onBatch?(commits: number, ms: number): void;
  /** Hears of every run of a job. */
  readonly onJob?: JobWatcher;
  /** Hears of uploads that were dropped. */
  onExpired?(uploads: number): void;
  /** Hears of every round of collection, and what it removed; null when it failed. */
  onCollected?(removed: CollectedTotals | null, ms: number): void;
  /** A total of content was wrong by so many bytes, and is mended. */
  onDrift?(bytes: number): void;
  /** Given the function that says why requests should go elsewhere for now; null for no reason. */
  readiness?(tell: (problem: string | null) => void): void;
  /** What a worker with this number, from 1, is opened with: plain data. Called again for one that takes another's place. */
  place?(worker: number): Place | null;
  /** A worker with this place is gone, unasked when it ended by itself. */
  workerEnded?(place: Place, asked: boolean): void;
  /** Another configuration is in force, which differs in what may change while the server runs. */
  reconfigure?(config: RegistryConfig): void;
  /** The last call, when nothing else runs any more. */
  close?(): void | Promise<void>;
}

/** What a worker that runs has of an extension. */
export interface WorkerExtension {
  /** Its endpoints, as in `Extension.endpoints`, with what answers them. */
  endpoints?(registry: Registry): readonly Endpoint<App>[];
  /** The upstreams behind a mirror; at most one extension has them. */
  origin?(registry: Registry, stores: Stores): Origin | null;
  /** A rule that pushed manifests must keep. */
  checksPush?(registry: Registry): PushCheck;
  /** Hears of every answer; `failure` is what was thrown where it is 5xx. */
  onAnswer?(record: AccessRecord, failure: unknown): void;
  /** Hears of lookups in the memory of the worker. */
  lookup?(cache: CacheName): (hit: boolean) => void;
  /** What it adds to metrics: read when they are asked for. */
  figures?(): readonly Figures[];
  /** As `PrimaryExtension.reconfigure`. @throws with one line when it cannot; then all of it is as it was. */
  reconfigure?(config: RegistryConfig): void;
  close?(): void | Promise<void>;
}

/** What workers remember: content, and what the metadata said of it. */
export type CacheName = "content" | "facts";

/** A metric with its series. */
export interface Figures {
  readonly metric: Metric;
  readonly samples: readonly Sample[];
}
