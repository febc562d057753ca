// The registry under test: a root on disk, its jobs, and a process that can end in the middle of anything.
//
// A fuse counts calls to storage and metadata. When it burns down, the call that it ends at happens or does not, and no
// later one does; `restart` then opens the root as the next process would. The clock stands still until it is moved.

import { Database } from "bun:sqlite";
import { join } from "node:path";
import { manualClock } from "../../src/lib/clock.ts";
import { Collector, type CollectionSettings } from "../../src/registry/collection/collector.ts";
import { walkFiles } from "../../src/registry/collection/file_walk.ts";
import { runHere } from "../../src/jobs/heavy_work.ts";
import { endHolds } from "../../src/registry/history/end_holds.ts";
import type { UndoSettings } from "../../src/registry/history/undo_settings.ts";
import { LayoutProjector } from "../../src/registry/layout_projector.ts";
import type { LayoutRegistry, Registry, Report } from "../../src/registry/registry.ts";
import { RetentionJob } from "../../src/registry/retention/retention_job.ts";
import { compileRules } from "../../src/registry/retention/rules.ts";
import { sweepOrphans } from "../../src/registry/sweep_orphans.ts";
import { metadataFile } from "../../src/storage/layout.ts";
import type { SynchronousBytes } from "../../src/storage/stores.ts";
import { memoryDirectory } from "../memory_directory.ts";
import { collecting } from "../registry/collecting.ts";
import { noUndo, openRoot } from "../registry/world.ts";

/** The process ended. */
export class Ended extends Error {
  override readonly name = "Ended";
}

export interface Fuse {
  /** Calls until the process ends; null for never. */
  left: number | null;
  /** Whether the last call still happens. */
  happens: boolean;
  ended: boolean;
}

export interface Settings {
  collection: CollectionSettings;
  undo: UndoSettings;
}

export interface Planted {
  /** A mistake that the product does not make, planted in front of it. */
  readonly registry?: (registry: LayoutRegistry) => LayoutRegistry;
  /** In the database of a root that was just made. */
  readonly sql?: string;
}

const nothing: Planted = {};

export class Place implements AsyncDisposable {
  /** Ahead of the clock that stamps files: none seems younger than it is. */
  readonly clock = manualClock(Date.now() + 24 * 60 * 60_000);
  readonly fuse: Fuse = { left: null, happens: true, ended: false };
  readonly settings: Settings;
  readonly root: string;
  /** Lines of the report that tell of errors. */
  readonly errors: string[] = [];
  readonly #directory: AsyncDisposable;
  readonly #planted: Planted;
  #opened!: Awaited<ReturnType<typeof openRoot>>;
  #jobs!: Jobs;

  private constructor(root: string, directory: AsyncDisposable, planted: Planted) {
    this.root = root;
    this.#directory = directory;
    this.#planted = planted;
    this.settings = { collection: collecting(), undo: { ...noUndo, windowMs: 0 } };
  }

  static async open(planted: Planted = nothing): Promise<Place> {
    const directory = await memoryDirectory("zot-model");
    const place = new Place(join(directory.path, "root"), directory, planted);
    await place.#open();
    return place;
  }

  get registry(): LayoutRegistry {
    return this.#jobs.registry;
  }

  /** Without a fuse, for those who look. */
  get observed(): LayoutRegistry {
    return this.#opened.registry;
  }

  /** What the next process does first is part of it: it reads in what it finds. */
  async restart(): Promise<void> {
    await this.#opened.close();
    await this.#open();
    await this.rest();
    await this.#lookAtClocks();
  }

  /** The jobs of a server run soon after its start, and look at the clock first. */
  async #lookAtClocks(): Promise<void> {
    const { collection } = this.settings;
    this.settings.collection = { ...collection, gc: false };
    await this.collect();
    await this.retain();
    this.settings.collection = collection;
  }

  /** Every index.json is read in or written, and orphans are swept. */
  async rest(): Promise<void> {
    const { registry, projector } = this.#jobs;
    for await (const name of registry.layouts.repositories()) await projector.takeIn(name);
    await projector.run("all");
    await sweepOrphans(registry);
  }

  async collect(): Promise<void> {
    await this.#jobs.collector.round();
  }

  async retain(): Promise<void> {
    await this.#jobs.retention.run(new AbortController().signal);
  }

  async endHolds(): Promise<void> {
    await endHolds(this.registry);
  }

  async walk(): Promise<void> {
    await walkFiles({ registry: this.registry, delayMs: 0, mayGoOn: () => true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.close();
    await this.#directory[Symbol.asyncDispose]();
  }

  async #open(): Promise<void> {
    const { fuse, settings, clock } = this;
    Object.assign(fuse, { left: null, ended: false });
    const report: Report = (level, message, fields) => {
      if (level === "error") this.errors.push(`${message} ${JSON.stringify(fields)}`);
    };
    const wrap = (bytes: SynchronousBytes): SynchronousBytes => fused(bytes, fuse, "mixed");
    this.#opened = await openRoot(this.root, clock, true, report, () => settings.undo, wrap);
    const { sql } = this.#planted;
    if (sql !== undefined) plantSql(this.root, sql);
    const { registry: opened } = this.#opened;
    const own: LayoutRegistry = {
      ...opened,
      metadata: fused(opened.metadata, fuse),
      blobs: fused(opened.blobs, fuse),
      layouts: fused(opened.layouts, fuse, "mixed"),
    };
    const registry = withRules(this.#planted.registry?.(own) ?? own, settings);
    this.#jobs = openJobs(registry, report, () => settings.collection);
  }
}

/** The rules are those in force at any moment. */
function withRules(registry: LayoutRegistry, settings: Settings): LayoutRegistry {
  return {
    ...registry,
    get retention() {
      return compileRules(settings.collection.retention, settings.collection.gcDelay);
    },
  };
}

interface Jobs {
  readonly registry: LayoutRegistry;
  readonly projector: LayoutProjector;
  readonly collector: Collector;
  readonly retention: RetentionJob;
}

function openJobs(
  registry: LayoutRegistry,
  report: Report,
  settings: () => CollectionSettings,
): Jobs {
  const heavy = runHere<Registry>(registry);
  return {
    registry,
    projector: new LayoutProjector(registry, report),
    collector: new Collector({ registry, report, settings }),
    retention: new RetentionJob({ registry, heavy, report, settings }),
  };
}

function plantSql(root: string, sql: string): void {
  using database = new Database(join(root, metadataFile), { strict: true });
  database.run(sql);
}

/** The same object, whose calls end with the process: those of an `async` one with promises that say so. */
function fused<T extends object>(of: T, fuse: Fuse, kind: "async" | "mixed" = "async"): T {
  const end = (where: string): unknown => {
    const error = new Ended(where);
    if (kind === "mixed") throw error;
    return silent(Promise.reject(error));
  };
  return new Proxy(of, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property === "records") return recordsOf(target, value, fuse);
      return (...given: unknown[]): unknown => {
        if (fuse.ended) return end("after its end");
        const isLast = fuse.left === 0;
        if (fuse.left !== null) fuse.left -= 1;
        if (!isLast) {
          const result: unknown = value.apply(target, given);
          return result instanceof Promise ? silent(result) : result;
        }
        fuse.ended = true;
        if (!fuse.happens) return end(`before ${String(property)}`);
        const result: unknown = value.apply(target, given);
        if (!(result instanceof Promise)) return end(`after ${String(property)}`);
        return silent(result.then(() => Promise.reject(new Ended(`after ${String(property)}`))));
      };
    },
  });
}

/** Who called may have ended before it looks. */
function silent<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Reads of a feature's records count as calls, too. */
function recordsOf<T extends object>(target: T, value: Function, fuse: Fuse): unknown {
  return (store: unknown): unknown => fused(value.call(target, store) as object, fuse);
}
