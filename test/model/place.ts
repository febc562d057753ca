// The registry under test: a root on disk, its jobs, and a process that can end in the middle of anything.
//
// A fuse counts calls to storage and metadata. When it burns down, the call that it ends at happens or does not, and no
// later one does; `restart` then opens the root as the next process would. On a disk whose power can be cut, it is cut at
// that call, and what was not flushed is gone at the restart. The clock stands still until it is moved.

import { Database } from "bun:sqlite";
import { rm } from "node:fs/promises";
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
import { itemOf } from "./content.ts";
import { checkRoot } from "../faults/check_root.ts";
import { memoryDirectory } from "../memory_directory.ts";
import type { TempDirectory } from "../temp.ts";
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
  /** The last call is on its way, and what it calls happens. */
  isEnding: boolean;
  /** Called when the last call is over. */
  readonly onEnd: () => void;
}

/** A disk whose power can be cut. */
export interface CutDisk {
  /** Of an empty directory. */
  readonly path: string;
  readonly cut: () => void;
  readonly remount: () => Promise<void>;
}

export interface Settings {
  collection: CollectionSettings;
  undo: UndoSettings;
}

export interface Planted {
  /** A mistake that the product does not make, planted in front of it. */
  readonly registry?: (registry: LayoutRegistry, root: string) => LayoutRegistry;
  /** In the database of a root that was just made. */
  readonly sql?: string;
  /** On a disk whose power is cut. */
  readonly neverFlushes?: boolean;
}

export interface PlaceOptions {
  readonly planted?: Planted;
  /** Null for a directory in memory, where only processes end. */
  readonly disk?: CutDisk | null;
}

const nothing: Planted = {};

/** A manifest may be deleted though an index names it that has no tag, and that is listed for as long as it is there. */
function isSparse(violation: string): boolean {
  const [, needed] = / needs (\S+), which is not there$/.exec(violation) ?? [];
  return needed !== undefined && itemOf(needed).kind === "manifest";
}

/** The root on it is gone at the end of the scope. */
function emptied({ path }: CutDisk): TempDirectory {
  return {
    path,
    [Symbol.asyncDispose]: () => rm(join(path, "root"), { recursive: true, force: true }),
  };
}

export class Place implements AsyncDisposable {
  /** Ahead of the clock that stamps files: none seems younger than it is. */
  readonly clock = manualClock(Date.now() + 24 * 60 * 60_000);
  readonly fuse: Fuse = {
    left: null,
    happens: true,
    ended: false,
    isEnding: false,
    onEnd: () => this.#disk?.cut(),
  };
  readonly settings: Settings;
  readonly root: string;
  /** Lines of the report that tell of errors. */
  readonly errors: string[] = [];
  readonly #directory: AsyncDisposable;
  readonly #planted: Planted;
  readonly #disk: CutDisk | null;
  #opened!: Awaited<ReturnType<typeof openRoot>>;
  #jobs!: Jobs;

  private constructor(
    root: string,
    directory: AsyncDisposable,
    { planted, disk }: Required<PlaceOptions>,
  ) {
    this.root = root;
    this.#disk = disk;
    this.#directory = directory;
    this.#planted = planted;
    this.settings = { collection: collecting(), undo: { ...noUndo, windowMs: 0 } };
  }

  static async open({ planted = nothing, disk = null }: PlaceOptions = {}): Promise<Place> {
    const directory = disk === null ? await memoryDirectory("zot-model") : emptied(disk);
    const place = new Place(join(directory.path, "root"), directory, { planted, disk });
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

  /**
   * What the next process does first is part of it: it reads in what it finds. Returns what is wrong on the disk before,
   * to somebody who knows nothing of the registry.
   */
  async restart(): Promise<readonly string[]> {
    await this.#close();
    const violations = checkRoot(this.root).violations.filter((line) => !isSparse(line));
    await this.#open();
    await this.rest();
    await this.#lookAtClocks();
    return violations;
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
    await walkFiles({
      registry: this.registry,
      delayMs: () => 0,
      isWalked: () => true,
      mayGoOn: () => true,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#directory[Symbol.asyncDispose]();
  }

  /** Nobody hears what goes wrong without a disk. */
  async #close(): Promise<void> {
    const isCut = this.#disk !== null && this.fuse.ended;
    await this.#opened.close().catch((error: unknown) => {
      if (!isCut) throw error;
    });
    if (isCut) await this.#disk?.remount();
  }

  async #open(): Promise<void> {
    const { fuse, settings, clock } = this;
    Object.assign(fuse, { left: null, ended: false, isEnding: false });
    const report: Report = (level, message, fields) => {
      if (level === "error") this.errors.push(`${message} ${JSON.stringify(fields)}`);
    };
    const wrap = (bytes: SynchronousBytes): SynchronousBytes => fused(bytes, fuse, "mixed");
    this.#opened = await openRoot(this.root, clock, true, report, {
      undo: () => settings.undo,
      wrapped: wrap,
      durable: this.#disk !== null && this.#planted.neverFlushes !== true,
    });
    const { sql } = this.#planted;
    if (sql !== undefined) plantSql(this.root, sql);
    const { registry: opened } = this.#opened;
    const own: LayoutRegistry = {
      ...opened,
      metadata: fused(opened.metadata, fuse),
      blobs: fused(opened.blobs, fuse),
      layouts: fused(opened.layouts, fuse, "mixed"),
    };
    const registry = withRules(this.#planted.registry?.(own, this.root) ?? own, settings);
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
        if (fuse.ended && !fuse.isEnding) return end("after its end");
        const isLast = fuse.left === 0 && !fuse.ended;
        if (fuse.left !== null) fuse.left -= 1;
        if (!isLast) {
          const result: unknown = value.apply(target, given);
          return result instanceof Promise ? silent(result) : result;
        }
        fuse.ended = true;
        if (!fuse.happens) {
          fuse.onEnd();
          return end(`before ${String(property)}`);
        }
        const result: unknown = value.apply(target, given);
        if (!(result instanceof Promise)) {
          fuse.onEnd();
          return end(`after ${String(property)}`);
        }
        fuse.isEnding = true;
        const over = result.finally(() => {
          fuse.isEnding = false;
          fuse.onEnd();
        });
        return silent(
          over.then((opened: unknown) => {
            letGo(opened);
            throw new Ended(`after ${String(property)}`);
          }),
        );
      };
    },
  });
}

/** A process that ends keeps nothing open; what the last call opened here, nobody else has. */
function letGo(opened: unknown): void {
  if (typeof opened !== "object" || opened === null || !("close" in opened)) return;
  if (typeof opened.close === "function") void opened.close();
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
