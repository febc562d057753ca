// A registry without HTTP on a root of its own: bytes, facts and uploads as a server joins them, and the pushes that
// tests need in one line each.
//
// `crash` leaves the root as a killed process would, and opens it again; with `loseFacts` the database is gone by then.
// The clock stands still until a test moves it. Nothing of it is left at the end of the scope. It has no background
// loops (`jobs.test.ts` starts its own) and no processes (`test/faults`).

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { manualClock, type Clock } from "../../src/lib/clock.ts";
import {
  isRecordCommit,
  partsOf,
  type AnyCommit,
  type Commit,
  type CommitOutcome,
} from "../../src/metadata/metadata.ts";
import { layoutStates, type LayoutChange } from "../../src/metadata/layout_states.ts";
import { atOnce } from "../../src/metadata/sql/bytes_under_lock.ts";
import { SqliteMetadata } from "../../src/metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "../../src/metadata/sqlite/sqlite_writer.ts";
import { digestOf, type Algorithm, type Digest } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { parseReference, type Reference } from "../../src/oci/reference.ts";
import { Assured } from "../../src/registry/collection/assured.ts";
import { RoomSeen } from "../../src/registry/history/room_seen.ts";
import { ContentCache } from "../../src/registry/content_cache.ts";
import type { UndoSettings } from "../../src/registry/history/undo_settings.ts";
import { layoutSource } from "../../src/registry/layout_source.ts";
import { LayoutProjector } from "../../src/registry/layout_projector.ts";
import { finishUpload } from "../../src/registry/push_blob.ts";
import { pushManifest } from "../../src/registry/push_manifest.ts";
import { reconcileLayout } from "../../src/registry/reconcile_layout.ts";
import type { LayoutRegistry, Registry, Report } from "../../src/registry/registry.ts";
import { sweepOrphans } from "../../src/registry/sweep_orphans.ts";
import { blobKey, indexKey, metadataFile, ownDirectory } from "../../src/storage/layout.ts";
import {
  openFilesystem,
  type FilesystemStores,
} from "../../src/storage/filesystem/open_filesystem.ts";
import type { SynchronousBytes } from "../../src/storage/stores.ts";
import { Uploads } from "../../src/registry/uploads.ts";
import { sample, unlimited } from "../contracts/store_samples.ts";
import { commitOf, layoutRecords, type PlacedChange } from "../contracts/metadata_facts.ts";
import { memoryDirectory } from "../memory_directory.ts";

export const repository = "team/app";

/** Nothing is held for an undo. */
export const noUndo: UndoSettings = {
  windowMs: 0,
  pinMs: 0,
  bytesMax: null,
  minFree: { bytes: 0 },
};

/** One line of the report. */
export interface Reported {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface World extends AsyncDisposable {
  readonly root: string;
  /** As it is now: `crash` puts another one in its place. */
  readonly registry: LayoutRegistry;
  readonly stores: FilesystemStores;
  readonly projector: LayoutProjector;
  readonly clock: ReturnType<typeof manualClock>;
  readonly reports: Reported[];
  readonly report: Report;
  crash(options?: {
    readonly loseFacts?: boolean;
    /** What somebody does while it is down. */
    readonly meanwhile?: () => void;
  }): Promise<void>;
  commit(...changes: PlacedChange[]): Promise<CommitOutcome>;
  /** Takes in every layout and writes every index.json, as a start and a moment of rest do. */
  settle(): Promise<void>;
  pathOf(key: string): string;
}

export interface WorldOptions {
  readonly dedupe?: boolean;
  /** What is held for an undo; nothing without it. */
  readonly undo?: () => UndoSettings;
}

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const { undo } = options;
  const rootOptions = undo === undefined ? {} : { undo };
  const directory = await memoryDirectory("zot-registry");
  const root = join(directory.path, "root");
  const clock = manualClock(Date.now());
  const reports: Reported[] = [];
  const report: Report = (level, message, fields = {}) => {
    reports.push({ level, message, fields: { ...fields } });
  };
  let opened = await openRoot(root, clock, options.dedupe ?? true, report, rootOptions);
  let projector = new LayoutProjector(opened.registry, report);
  return {
    root,
    clock,
    reports,
    report,
    get registry() {
      return opened.registry;
    },
    get stores() {
      return opened.stores;
    },
    get projector() {
      return projector;
    },
    pathOf: (key) => join(root, key),
    commit: (...changes) => opened.registry.metadata.commit(commitOf(changes, { at: repository })),
    crash: async ({ loseFacts = false, meanwhile } = {}) => {
      await opened.close();
      meanwhile?.();
      if (loseFacts) {
        for (const end of ["", "-wal", "-shm"]) {
          await rm(join(root, `${metadataFile}${end}`), { force: true });
        }
      }
      opened = await openRoot(root, clock, options.dedupe ?? true, report, rootOptions);
      projector = new LayoutProjector(opened.registry, report);
    },
    settle: async () => {
      for await (const name of opened.registry.layouts.repositories()) {
        await projector.takeIn(name);
      }
      await projector.run("all");
      await sweepOrphans(opened.registry);
    },
    [Symbol.asyncDispose]: async () => {
      await opened.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

export interface RootOptions {
  readonly undo?: Registry["undo"];
  readonly wrapped?: (bytes: SynchronousBytes) => SynchronousBytes;
  /** Flushes, for tests that cut the power; the others do not wait for a disk. */
  readonly durable?: boolean;
}

/** Opens a root, as one of the processes that share it. */
export async function openRoot(
  root: string,
  clock: Clock,
  dedupe: boolean,
  report: Report,
  { undo = () => noUndo, wrapped = (bytes) => bytes, durable = false }: RootOptions = {},
) {
  await mkdir(join(root, ownDirectory), { recursive: true });
  const stores = openFilesystem({ rootDirectory: root, durable, clock });
  await stores.prepare();
  const path = join(root, metadataFile);
  const writer = new SqliteWriter({
    path,
    durable,
    clock,
    bytes: atOnce(wrapped(stores.underLock)),
  });
  const registry: LayoutRegistry = {
    blobs: stores.blobs,
    layouts: stores.layouts,
    metadata: new SqliteMetadata(path, writer),
    uploads: new Uploads(stores.uploads, clock),
    clock,
    contentCache: new ContentCache(),
    assured: new Assured(),
    roomSeen: new RoomSeen(),
    origin: null,
    quotas: null,
    pushChecks: [],
    sources: [layoutSource],
    dedupes: () => dedupe,
    mirroredFrom: () => [],
    mayBeSparse: (name) => name.startsWith("sparse/"),
    undo,
    retention: {
      dryRun: false,
      delayMs: 0,
      gcDelayMs: 0,
      policies: [],
      ignoresPulls: false,
      apart: new Map(),
    },
    report,
  };
  const close = async (): Promise<void> => {
    await registry.metadata.close();
    await writer.close();
    await stores.close();
  };
  return { registry, stores, close };
}

/** Pushes a blob as a client does, in one request; returns its digest. */
export async function pushBlob(
  { registry }: { readonly registry: Registry },
  bytes: Uint8Array,
  at = repository,
  algorithm: Algorithm = "sha256",
): Promise<Digest> {
  const digest = digestOf(algorithm, bytes);
  const id = await registry.uploads.start(at);
  await registry.uploads.hold(at, id, (upload) =>
    finishUpload(registry, upload, {
      repository: at,
      digest,
      last: { source: { body: bytes, lengthBytes: bytes.length }, chunk: null, ...unlimited },
      acknowledgedBytes: 0,
      by: "alice",
    }),
  );
  return digest;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function bytesOf(document: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}

/** A small image's manifest and blobs; equal seeds give equal images. */
export function image(seed: number, members: object = {}) {
  const config = bytesOf({ architecture: "amd64", os: "linux", seed });
  const layer = sample(2000 + seed, seed);
  const describe = (mediaType: string, bytes: Uint8Array): Descriptor => ({
    mediaType,
    digest: digestOf("sha256", bytes),
    size: bytes.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: describe(mediaTypes.ociConfig, config),
    layers: [describe(mediaTypes.ociLayer, layer)],
    ...members,
  };
  const bytes = bytesOf(manifest);
  return {
    blobs: [config, layer],
    bytes,
    digest: digestOf("sha256", bytes),
    descriptor: describe(manifest.mediaType, bytes),
  };
}

export type Image = ReturnType<typeof image>;

/** Pushes an image with its blobs, under a tag or, with null, under its digest alone. */
export async function pushImage(
  world: { readonly registry: Registry },
  pushed: Image,
  tag: string | null,
  at = repository,
): Promise<Digest> {
  for (const blob of pushed.blobs) await pushBlob(world, blob, at);
  return putManifest(world, pushed.bytes, tag ?? pushed.digest, at);
}

/** Pushes a manifest whose references are there. */
export async function putManifest(
  { registry }: { readonly registry: Registry },
  bytes: Uint8Array,
  reference: string,
  at = repository,
): Promise<Digest> {
  const { digest } = await pushManifest(registry, {
    repository: at,
    reference: parseReference(reference) as Reference,
    tags: [],
    bytes,
    contentType: null,
    tagIs: null,
    by: "alice",
  });
  return digest;
}

/** The lines of an index.json on disk, as `tag digest`, or null when there is none. */
export async function readIndex(world: World, at = repository): Promise<string[] | null> {
  const text = await readFile(world.pathOf(indexKey(at)), "utf8").catch(() => null);
  return text === null ? null : linesOf(text);
}

const refName = "org.opencontainers.image.ref.name";

export function linesOf(indexText: string): string[] {
  const index = JSON.parse(indexText) as { manifests: Descriptor[] | null };
  return (index.manifests ?? []).map(
    ({ digest, annotations }) => `${annotations?.[refName] ?? "-"} ${digest}`,
  );
}

/** What index.json must say by the facts. */
export async function factLines({ registry }: World, at = repository): Promise<string[]> {
  const { records } = await layoutRecords(registry.metadata, at);
  return records.map(({ tag, digest }) => `${tag ?? "-"} ${digest}`);
}

/** Writes a layout as another tool would: files of these digests, oci-layout and index.json. */
export async function writeLayout(
  world: World,
  layout: {
    readonly at?: string;
    readonly blobs?: readonly Uint8Array[];
    /** Descriptors, the text of index.json, or null to leave it as it is. */
    readonly index: readonly Descriptor[] | string | null;
  },
): Promise<void> {
  const { at = repository, blobs = [], index } = layout;
  for (const blob of blobs) await writeBlobFile(world, digestOf("sha256", blob), blob, at);
  await mkdir(world.pathOf(at), { recursive: true });
  await writeFile(world.pathOf(`${at}/oci-layout`), '{"imageLayoutVersion": "1.0.0"}');
  if (index === null) return;
  const text =
    typeof index === "string" ? index : JSON.stringify({ schemaVersion: 2, manifests: index });
  await writeFile(world.pathOf(indexKey(at)), text);
}

/** What a tool writes that had read this index.json: with these entries in place of those of the same tags. */
export function changedIndex(read: string, entries: readonly Descriptor[]): string {
  const index = JSON.parse(read) as { manifests: Descriptor[] | null };
  const tags = new Set(entries.map(({ annotations }) => annotations?.[refName]));
  const kept = (index.manifests ?? []).filter(
    ({ annotations }) => annotations?.[refName] === undefined || !tags.has(annotations[refName]),
  );
  return JSON.stringify({ ...index, manifests: [...kept, ...entries] }, null, 2);
}

/** Writes a blob's file, with whatever bytes. */
export async function writeBlobFile(
  world: World,
  digest: Digest,
  bytes: Uint8Array,
  at = repository,
): Promise<void> {
  const path = world.pathOf(blobKey(at, digest));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

export function named(descriptor: Descriptor, tag: string): Descriptor {
  return { ...descriptor, annotations: { [refName]: tag } };
}

/** Takes in one layout, as a start does, and tells what came of it. */
export function reconcile(world: World, at = repository) {
  return reconcileLayout(world.registry, at, world.report);
}

/** Every file below the root but our own, by path. */
export async function filesOf(world: Pick<World, "root">): Promise<string[]> {
  const glob = new Bun.Glob("**/*");
  const files = await Array.fromAsync(glob.scan({ cwd: world.root, dot: true }));
  return files.filter((path) => !path.startsWith(`${ownDirectory}/`)).toSorted();
}

/** The registry, with `before` run ahead of each commit to a repository; what it throws is the commit's failure. */
export function watched<R extends Registry>(
  registry: R,
  before: (commit: Commit) => Promise<void>,
): R {
  return beforeCommits(registry, async (commit) => {
    for (const part of partsOf(commit)) await before(part);
  });
}

/** The same for what the projector records of layouts. */
export function watchedLayouts<R extends Registry>(
  registry: R,
  before: (change: LayoutChange) => Promise<void>,
): R {
  return beforeCommits(registry, async (commit) => {
    if (!isRecordCommit(commit) || commit.records !== layoutStates.name) return;
    for (const change of commit.changes) await before(change as LayoutChange);
  });
}

function beforeCommits<R extends Registry>(
  registry: R,
  before: (commit: AnyCommit) => Promise<void>,
): R {
  return changedCommits(registry, async (commit, commits) => {
    await before(commit);
    return commits(commit);
  });
}

/** The registry with other commits: `commits` makes the real one. */
export function changedCommits<R extends Registry>(
  registry: R,
  change: (
    commit: AnyCommit,
    commits: (commit: AnyCommit) => Promise<CommitOutcome>,
  ) => Promise<CommitOutcome>,
): R {
  const metadata = new Proxy(registry.metadata, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property !== "commit") return value.bind(target) as unknown;
      return (commit: AnyCommit) => change(commit, (each) => target.commit(each));
    },
  });
  return { ...registry, metadata };
}

export const kindsOf = (commit: Commit): string[] => commit.changes.map(({ kind }) => kind);
