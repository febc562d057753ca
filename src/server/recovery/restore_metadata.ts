/**
 * Puts an export of the metadata back, where they were lost: into metadata that are empty, all of it or nothing.
 *
 * The bucket counts restores, and the metadata have the number that they were given: metadata of before are refused from
 * then on, and what the bucket has beyond the export is removed by nobody who was not told to. The bucket is marked first:
 * a restore that was cut off is begun anew.
 */
import type { Config } from "../../config/schema.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Committer } from "../../metadata/metadata.ts";
import { objects } from "../../metadata/objects.ts";
import { recordCommit } from "../../metadata/records.ts";
import { copyRows } from "../../metadata/rows/copy_rows.ts";
import type { Rows, RowSnapshot, RowTable } from "../../metadata/rows/row_store.ts";
import { objectsUnderLock } from "../../metadata/sql/objects_under_lock.ts";
import { ExportFile } from "../../storage/filesystem/export_files.ts";
import {
  exportKey,
  listExports,
  type ListedExport,
} from "../../storage/objects/metadata_exports.ts";
import type { ObjectStore } from "../../storage/objects/object_store.ts";
import {
  readRegistry,
  writeRegistry,
  type RegistryMark,
} from "../../storage/objects/registry_id.ts";
import type { MetadataPlace } from "../metadata_place.ts";
import { metadataOf, openBucket } from "../object_root.ts";
import { exportedGroups, readExport } from "./export_lines.ts";
import { metadataExporter } from "./metadata_exporter.ts";
import type { MetadataExport } from "../../registry/export_job.ts";

/** Which export: the newest, the newest up to a moment, or one by its name. */
export type WhichExport = "newest" | { readonly upTo: number } | { readonly name: string };

export interface Restored {
  readonly from: ListedExport;
  /** Rows that are there now, by table. */
  readonly rows: number;
}

/** What a bucket has. @throws with one line. */
export async function exportsOf(config: Config): Promise<readonly ListedExport[]> {
  return await withBucket(config, ({ store }) => listExports(store));
}

/** Writes one now, beside a server that may be running. @throws with one line. */
export async function backUp(config: Config, signal: AbortSignal): Promise<MetadataExport> {
  return await withBucket(config, async ({ store, place }) => {
    const { rootDirectory, exportsKept } = config.storage;
    const openRows = () => place.openRows({ readonly: true });
    const exporter = metadataExporter({ store, openRows, rootDirectory, clock: systemClock });
    return await exporter.write(exportsKept, signal);
  });
}

/** @throws with one line: nothing was changed, or it is to be begun anew. */
export async function restore(config: Config, which: WhichExport): Promise<Restored> {
  return await withBucket(config, async ({ store, mark }) => {
    const chosen = choose(await listExports(store), which);
    return await withPlace(config, async ({ place, open }) => {
      await using file = await ExportFile.in(config.storage.rootDirectory);
      await fetchExport(store, chosen.name, file);
      await verify(file, mark);
      await open((committer) => requireEmpty(place, committer));
      const restores = mark.restores + 1;
      await writeRegistry(store, { ...mark, restores });
      return { from: chosen, rows: await putBack(place, file, restores) };
    });
  });
}

/** Notes that the metadata which are there were put back by other means. @throws with one line. */
export async function takeAsTheyAre(config: Config): Promise<void> {
  await withBucket(config, ({ store, mark }) =>
    withPlace(config, ({ place, open }) =>
      open(async (committer) => {
        const metadata = place.openMetadata({ committer, remembers: false, onLookup: undefined });
        const own = await metadata.records(objects).value("registry");
        await metadata.close();
        if (own !== mark.id) {
          throw new Error(
            own === null
              ? `expected metadata of this bucket in ${place.name}, found none: zot restore puts back an export`
              : `expected metadata of the bucket (${mark.id}), found those of another registry (${own})`,
          );
        }
        const restores = mark.restores + 1;
        await writeRegistry(store, { ...mark, restores });
        await committer.commit(
          recordCommit(
            objects,
            { kind: "set", value: "restores", text: String(restores) },
            { kind: "unset", value: "audit" },
            { kind: "unset", value: "audit asked" },
            { kind: "forget-writing" },
          ),
        );
      }),
    ),
  );
}

interface Bucket {
  readonly store: ObjectStore;
  readonly mark: RegistryMark;
  readonly place: MetadataPlace;
}

async function withBucket<T>(config: Config, work: (bucket: Bucket) => Promise<T>): Promise<T> {
  const { storageDriver } = config.storage;
  if (storageDriver === null) {
    throw new Error(
      "expected storage.storageDriver, found content in files: there the layouts are read again when metadata are lost",
    );
  }
  const store = openBucket(storageDriver, systemClock);
  try {
    const mark = await readRegistry(store);
    if (mark === null) {
      throw new Error(
        "expected registry.json in the bucket, found none: it is no bucket of a registry",
      );
    }
    return await work({ store, mark, place: metadataOf(config.storage, systemClock) });
  } finally {
    await store.close();
  }
}

interface OpenPlace {
  readonly place: MetadataPlace;
  /** With a writer, which is closed afterwards. */
  readonly open: <T>(work: (committer: Committer) => Promise<T>) => Promise<T>;
}

/** Nobody else has the metadata meanwhile. @throws with one line where a server has. */
async function withPlace<T>(config: Config, work: (opened: OpenPlace) => Promise<T>): Promise<T> {
  const place = metadataOf(config.storage, systemClock);
  place.make();
  const claim = place.claim({ warn: () => undefined });
  try {
    return await work({
      place,
      open: async (use) => {
        place.reserve();
        const hooks = { clock: systemClock, onBatch: undefined };
        const writer = await place.openWriter(hooks, objectsUnderLock);
        try {
          const lease = await place.leases.take("jobs");
          if (lease === null) {
            throw new Error(`expected no server of ${place.name}, found one that runs; stop it`);
          }
          try {
            return await use(writer.committer);
          } finally {
            await lease.release();
          }
        } finally {
          await writer.close();
        }
      },
    });
  } finally {
    claim.release();
  }
}

function choose(exports: readonly ListedExport[], which: WhichExport): ListedExport {
  const [newest] = exports;
  if (newest === undefined) throw new Error("expected an export in the bucket, found none");
  if (which === "newest") return newest;
  const found = exports.find(({ name, at }) =>
    "name" in which ? name === which.name : at <= which.upTo,
  );
  if (found !== undefined) return found;
  const asked = "name" in which ? which.name : `one up to ${new Date(which.upTo).toISOString()}`;
  throw new Error(
    `expected ${asked} among ${exports.length} exports, found ${exports.at(-1)?.name} to ${newest.name}; ` +
      "zot restore CONFIG --list shows them",
  );
}

async function fetchExport(store: ObjectStore, name: string, file: ExportFile): Promise<void> {
  const stream = await store.get(exportKey(name), null);
  if (stream === null) throw new Error(`expected the export ${name} in the bucket, found it gone`);
  await file.fill(stream);
}

/** Reads all of it before anything is changed. */
async function verify(file: ExportFile, { id }: RegistryMark): Promise<void> {
  const { head, rows } = await readExport(file);
  if (head.registry !== id) {
    throw new Error(
      `expected an export of ${id}, found one of another registry (${head.registry})`,
    );
  }
  for (const table of rows.shape.tables) await Array.fromAsync(rows.rows(table), () => null);
  await rows.finish();
}

/** What is there would be lost. */
async function requireEmpty(place: MetadataPlace, committer: Committer): Promise<void> {
  const metadata = place.openMetadata({ committer, remembers: false, onLookup: undefined });
  try {
    const [event] = await metadata.feed(0, 1);
    const [repository] = await metadata.repositories({ after: null, limit: 1 });
    const own = await metadata.records(objects).value("registry");
    if (event === undefined && repository === undefined && own === null) return;
    throw new Error(
      `expected empty metadata in ${place.name}, found some, which stay as they are; move them away, ` +
        "or take them as they are with --as-they-are",
    );
  } finally {
    await metadata.close();
  }
}

async function putBack(place: MetadataPlace, file: ExportFile, restores: number): Promise<number> {
  const { rows: read } = await readExport(file);
  const target = await place.openRows({ readonly: false });
  try {
    const groups = exportedGroups;
    const counts = await copyRows(ofNow(read, restores), target, { groups, emptied: [] });
    await read.finish();
    return Object.values(counts).reduce((sum, { rows }) => sum + rows, 0);
  } finally {
    await target.close();
  }
}

type ReadRows = Omit<RowSnapshot, "ask">;

/** What of an export is true no more: writes that went on, and what was noted of the bucket. */
function ofNow(snapshot: ReadRows, restores: number): ReadRows {
  return {
    ...snapshot,
    rows: async function* rows(table) {
      const change = changes[table.name];
      for await (const page of snapshot.rows(table)) yield change?.(table, page) ?? page;
      if (table.name === "objects_values") yield [valueRow(table, restores)];
    },
  };
}

const changes: Readonly<Record<string, (table: RowTable, page: Rows) => Rows>> = {
  objects_keys: (table, page) => {
    const state = placeOf(table, "state");
    return page.filter((row) => row[state] !== "writing" && row[state] !== "reserved");
  },
  objects_values: (table, page) => {
    const value = placeOf(table, "value");
    return page.filter((row) => !ofThen.has(String(row[value])));
  },
};
const ofThen = new Set(["restores", "audit", "audit asked", "export"]);

function valueRow(table: RowTable, restores: number): (string | null)[] {
  return table.columns.map(({ name }) => (name === "value" ? "restores" : String(restores)));
}

function placeOf({ columns }: RowTable, name: string): number {
  return columns.findIndex((column) => column.name === name);
}
