// Background work under a clock that the test moves: what runs when, who runs it, and what a stop leaves.

import { describe, expect, test } from "bun:test";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import {
  factLines,
  image,
  named,
  openWorld,
  pushImage,
  readIndex,
  repository,
  type World,
  writeLayout,
} from "../../test/registry/world.ts";
import { leaseOf, until } from "../../test/registry/run_jobs.ts";
import { uploadsDirectory } from "../storage/layout.ts";
import { FilesystemLayouts } from "../storage/filesystem/filesystem_layouts.ts";
import type { KeyedFiles } from "../storage/filesystem/keyed_files.ts";
import { layoutStates } from "../metadata/layout_states.ts";
import { removeManifest } from "./delete.ts";
import { runHere } from "../jobs/heavy_work.ts";
import { JobLoop } from "../jobs/job_loop.ts";
import type { Lease } from "../lib/lease.ts";
import { collecting } from "../../test/registry/collecting.ts";
import type { CollectionSettings } from "./collection/collector.ts";
import { registryJobs } from "./jobs.ts";
import type { Registry } from "./registry.ts";

const minute = 60_000;
const second = 1_000;

interface Running {
  readonly jobs: JobLoop<Registry>;
  /** How often each was called. */
  readonly counts: { walks: number; reconciled: number };
}

/** Jobs on the world's registry, or on what `changes` makes of it; walks of the root are counted. */
function startJobs(
  world: World,
  changes: {
    readonly uploadIdleMs?: number;
    readonly collection?: Partial<CollectionSettings>;
    readonly fastRestart?: boolean;
    readonly take?: () => Promise<Lease | null>;
  } = {},
  registry: Registry = world.registry,
  files: KeyedFiles = world.stores.files,
): Running {
  const counts = { walks: 0, reconciled: 0 };
  const counting = new Proxy(files, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property !== "list") return value.bind(target) as unknown;
      return (key: string) => {
        if (key === "") counts.walks += 1;
        return target.list(key);
      };
    },
  });
  const served: Registry = { ...registry, layouts: new FilesystemLayouts(counting, null) };
  const { report } = world;
  const heavy = runHere<Registry>(served);
  const jobs = new JobLoop({
    jobs: registryJobs({
      heavy,
      registry: served,
      report,
      uploadIdleMs: () => changes.uploadIdleMs ?? 60 * minute,
      collection: () => collecting(changes.collection),
      fastRestart: changes.fastRestart,
      scrub: () => ({ enable: false, interval: 0 }),
      historyMs: () => 365 * 24 * 60 * 60_000,
      directoryOf: (repository) => repository,
      upkeep: null,
      removalDelayMs: () => 0,
      auditIntervalMs: () => 0,
      exporter: null,
      exports: () => ({ exportInterval: 0, exportsKept: 1 }),
      onReconciled: () => {
        counts.reconciled += 1;
      },
    }),
    heavy,
    leases: { take: changes.take ?? (() => Promise.resolve(leaseOf(() => undefined))) },
    clock: world.clock,
    report,
  });
  jobs.start();
  return { jobs, counts };
}

const indexIsExact = async (world: World): Promise<boolean> => {
  const index = await readIndex(world);
  return index !== null && Bun.deepEquals(index, await factLines(world));
};

describe("jobs", () => {
  test("take in what is there, and say so once they have looked at everything", async () => {
    await using world = await openWorld();
    for (const at of ["a", "b/c"]) {
      const app = image(1);
      const blobs = [...app.blobs, app.bytes];
      await writeLayout(world, { at, blobs, index: [named(app.descriptor, "v1")] });
    }
    const { jobs, counts } = startJobs(world);
    await until(world, "all layouts were looked at", () => counts.reconciled > 0);
    for (const at of ["a", "b/c"]) {
      expect(await world.registry.metadata.manifestByTag(at, "v1")).not.toBeNull();
    }
    await jobs.stop();
  });

  test("let index.json follow a commit, and remove bytes once it does", async () => {
    await using world = await openWorld();
    const { jobs } = startJobs(world);
    await pushImage(world, image(1), "v1");
    await pushImage(world, image(2), "v2");
    jobs.kick();
    await until(world, "index.json follows", () => indexIsExact(world));
    const target = image(2).digest;
    await removeManifest(world.registry, { repository, target, by: null });
    jobs.kick();
    await until(
      world,
      "the bytes are gone",
      async () => (await world.registry.blobs.stat(repository, target)) === null,
    );
    expect(await readIndex(world)).toEqual([`v1 ${image(1).digest}`]);
    await jobs.stop();
  });

  test("do not walk the disk for a commit: the walk comes every few minutes", async () => {
    await using world = await openWorld();
    const { jobs, counts } = startJobs(world);
    await until(world, "the first walk", () => counts.reconciled === 1);
    expect(counts.walks).toBe(1);
    for (let index = 0; index < 20; index += 1) {
      await pushImage(world, image(1), `v${index}`);
      jobs.kick();
      await world.clock.advance(second);
    }
    await until(world, "index.json follows", () => indexIsExact(world));
    expect(counts.walks).toBe(1);
    await until(world, "the second walk", () => counts.walks === 2, minute);
    await jobs.stop();
  });

  test("look again soon at a layout that another tool is writing", async () => {
    await using world = await openWorld();
    const app = image(1);
    const blobs = [...app.blobs, app.bytes];
    await writeLayout(world, { blobs, index: '{"schemaVersion"' });
    const { jobs, counts } = startJobs(world);
    await until(world, "the first walk", () => counts.reconciled === 1);
    await writeLayout(world, { index: [named(app.descriptor, "v1")] });
    await until(world, "the second walk", () => counts.walks === 2, second);
    await until(world, "it is taken in", () => indexIsExact(world));
    expect(await readIndex(world)).toEqual([`v1 ${app.digest}`]);
    await jobs.stop();
  });

  test("drop uploads that were idle for too long, and old temporary files", async () => {
    await using world = await openWorld();
    const id = await world.registry.uploads.start(repository);
    const { jobs } = startJobs(world, { uploadIdleMs: 10 * minute });
    await world.clock.advance(5 * minute);
    expect(await world.registry.uploads.size(repository, id)).toBe(0);
    await until(
      world,
      "the upload is dropped",
      async () => (await world.registry.uploads.size(repository, id)) === null,
      minute,
    );
    const told = () => world.reports.filter(({ message }) => message === "dropped idle uploads");
    await until(world, "it is told", () => told().length > 0);
    expect(told()).toHaveLength(1);
    await jobs.stop();
  });

  test("drop uploads soon that may be idle for a few seconds only", async () => {
    await using world = await openWorld();
    const { jobs } = startJobs(world, { uploadIdleMs: 3 * second });
    await world.settle();
    const id = await world.registry.uploads.start(repository);
    const start = world.clock.now();
    await until(
      world,
      "the upload is dropped",
      async () => (await world.registry.uploads.size(repository, id)) === null,
      second,
    );
    expect(world.clock.now() - start).toBeLessThanOrEqual(7 * second);
    await jobs.stop();
  });

  test("collect what nothing names once it has waited for long enough", async () => {
    await using world = await openWorld();
    const { jobs } = startJobs(world, { collection: { gcDelay: 5 * minute } });
    const digest = await pushImage(world, image(1), null);
    const start = world.clock.now();
    await until(
      world,
      "the bytes are gone",
      async () => (await world.registry.blobs.stat(repository, digest)) === null,
      minute / 60,
    );
    expect(world.clock.now() - start).toBeGreaterThanOrEqual(5 * minute);
    await jobs.stop();
  });

  test("of a fast restart do not walk the disk first, unless the metadata were lost", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    await world.settle();
    const first = startJobs(world, { fastRestart: true });
    await until(world, "it is ready", () => first.counts.reconciled === 1);
    expect(first.counts.walks).toBe(0);
    await until(world, "the walk comes later", () => first.counts.walks > 0, 10_000);
    await first.jobs.stop();
    await world.crash({ loseFacts: true });
    const second = startJobs(world, { fastRestart: true });
    await until(world, "it is ready", () => second.counts.reconciled === 1);
    expect(await world.registry.metadata.manifestByTag(repository, "v1")).not.toBeNull();
    await second.jobs.stop();
  });

  test("of a server without the lease: it serves, does nothing, and takes over when it can", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    const lease = { free: false, claims: 0 };
    const { jobs, counts } = startJobs(world, {
      take: async () => {
        lease.claims += 1;
        return lease.free ? leaseOf(() => undefined) : null;
      },
    });
    await until(world, "it can serve", () => counts.reconciled > 0);
    for (let index = 0; index < 20; index += 1) await world.clock.advance(second);
    expect(counts.walks).toBe(0);
    expect(await readIndex(world)).toEqual([]);
    lease.free = true;
    await until(world, "index.json is written", () => indexIsExact(world), second);
    await until(world, "the disk is walked", () => counts.walks === 1, minute);
    await jobs.stop();
  });
});

describe("trouble", () => {
  test("with one repository is told, and the others are taken in and served", async () => {
    await using world = await openWorld();
    const app = image(1);
    for (const at of ["a", "b", "c"]) {
      const blobs = [...app.blobs, app.bytes];
      await writeLayout(world, { at, blobs, index: [named(app.descriptor, "v1")] });
    }
    const failing = new Proxy(world.stores.files, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        return (key: string, ...rest: unknown[]) => {
          if (property === "content" && key === "b/index.json") throw new Error("disk trouble");
          if (property === "list" && key === "c") {
            return Promise.reject(new Error("no permission"));
          }
          return (value as (...args: unknown[]) => unknown).call(target, key, ...rest);
        };
      },
    });
    const { jobs, counts } = startJobs(world, {}, world.registry, failing);
    await until(world, "everything was looked at", () => counts.reconciled > 0);
    const { names } = await world.registry.metadata.catalog({ after: null, limit: 9 });
    expect(names).toEqual(["a"]);
    const told = world.reports.filter(({ level }) => level === "error").map(({ fields }) => fields);
    expect(told).toEqual(
      expect.arrayContaining([
        { repository: "b", error: "Error: disk trouble" },
        { directory: "c", error: "Error: no permission" },
      ]) as never,
    );
    await jobs.stop();
  });

  test("with a whole job is told, and it comes again", async () => {
    await using world = await openWorld();
    const trouble = { on: true };
    const uploads = new Proxy(world.registry.uploads, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        if (property === "expire" && trouble.on) {
          return () => {
            throw new Error("disk trouble");
          };
        }
        return value.bind(target) as unknown;
      },
    });
    const id = await world.registry.uploads.start(repository);
    const path = join(world.root, uploadsDirectory);
    for (const name of await world.stores.uploads.ids()) {
      await utimes(join(path, name), 0, 0);
    }
    const { jobs } = startJobs(world, {}, { ...world.registry, uploads });
    const errors = () => world.reports.filter(({ level }) => level === "error");
    await until(world, "it is told", () => errors().length > 0);
    expect(errors()[0]).toMatchObject({
      fields: { job: "expire-uploads", error: "Error: disk trouble" },
    });
    trouble.on = false;
    await until(
      world,
      "the upload is dropped",
      async () => (await world.registry.uploads.size(repository, id)) === null,
      minute,
    );
    await jobs.stop();
  });
});

describe("a stop", () => {
  test("leaves every index.json exact, whatever still had to rest", async () => {
    await using world = await openWorld();
    const { jobs } = startJobs(world);
    for (let index = 0; index < 5; index += 1) {
      await pushImage(world, image(index), `v${index}`);
      jobs.kick();
    }
    await jobs.stop();
    expect(await indexIsExact(world)).toBe(true);
    expect(await world.registry.metadata.records(layoutStates).stale(9)).toEqual([]);
  });

  test("releases the lease, also when the last look fails", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    let released = 0;
    const { metadata } = world.registry;
    const stopping = { now: false };
    const failing = new Proxy(metadata, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        if (property === "records" && stopping.now) {
          return () => {
            throw new Error("disk trouble");
          };
        }
        return value.bind(target) as unknown;
      },
    });
    const take = async () => leaseOf(() => void (released += 1));
    const { jobs } = startJobs(world, { take }, { ...world.registry, metadata: failing });
    stopping.now = true;
    await jobs.stop();
    expect(released).toBe(1);
    expect(world.reports.at(-1)).toMatchObject({
      level: "error",
      message: "the last look at layouts failed; the next start goes on with it",
    });
  });

  test("does not wait for the end of a long intake; the next start goes on with it", async () => {
    await using world = await openWorld();
    const app = image(1);
    const blobs = [...app.blobs, app.bytes];
    await writeLayout(world, { blobs, index: [named(app.descriptor, "v1")] });
    // A file without an end.
    const endless = new ReadableStream<Uint8Array>({ pull: (to) => to.enqueue(new Uint8Array(9)) });
    const reading = Promise.withResolvers<void>();
    const slow = new Proxy(world.stores.files, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        if (property !== "content") return value.bind(target) as unknown;
        return () => {
          reading.resolve();
          return { stream: () => endless };
        };
      },
    });
    const { jobs, counts } = startJobs(world, {}, world.registry, slow);
    await reading.promise;
    await jobs.stop();
    expect(counts.reconciled).toBe(0);
    expect(world.reports.filter(({ level }) => level === "error")).toEqual([]);
    await world.crash();
    await world.settle();
    expect(await readIndex(world)).toEqual([`v1 ${app.digest}`]);
  });
});
