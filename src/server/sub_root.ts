/**
 * The stores beside the main one of a root directory (`storage.subPaths`): their directories are made, looked at, claimed
 * and opened with it.
 */
import type { Config } from "../config/schema.ts";
import { must } from "../lib/assert.ts";
import type { Clock } from "../lib/clock.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { atOnce, type BytesUnderLock } from "../metadata/sql/bytes_under_lock.ts";
import { settingsOf } from "../registry/store_settings.ts";
import {
  diskOf,
  lookAtStores,
  type StoreFindings,
  type StorePlaces,
} from "../storage/root_stores.ts";
import { joinPlaces } from "../storage/by_path/open_by_path.ts";
import { Places } from "../storage/by_path/place.ts";
import { readNote, writeMark, writeNote, type StoreNote } from "../storage/root_note.ts";
import { StorageFull } from "../storage/blob_store.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import { FileReserve } from "../storage/filesystem/reserve.ts";
import { otherRegistryAdvice } from "../storage/other_registry.ts";
import { claimRoot, claimTogether, makeRoot, type Claim } from "../storage/root_lock.ts";
import { checkRootTrust } from "../storage/root_trust.ts";
import type { SubObjectRoot } from "./sub_object_root.ts";
import { objectEntriesOf, subStoresOf, type OpenedPlace } from "./sub_stores.ts";

type Storage = Config["storage"];

/** Tries to agree with servers that start at the same moment. */
const notingTriesMax = 20;
const notingPauseMs = 25;

/** Every root directory of a configuration, the main one first. */
export function rootsOf(storage: Storage): string[] {
  return [storage.rootDirectory, ...subStoresOf(storage).map(({ rootDirectory }) => rootDirectory)];
}

/** Where a repository lies. */
export function rootOf(storage: Storage, repository: string): string {
  return settingsOf<{ readonly rootDirectory: string }>(storage, repository).rootDirectory;
}

function placesOf(storage: Storage): StorePlaces {
  const entries = subStoresOf(storage);
  return {
    mainRoot: storage.rootDirectory,
    stores: Object.fromEntries(
      entries.map(({ component, rootDirectory }) => [component, rootDirectory]),
    ),
    inObjects: new Set(
      entries.flatMap(({ component, driver }) => (driver === null ? [] : [component])),
    ),
  };
}

/** Makes their directories, once nothing speaks against it. Returns warnings. @throws with one line for the operator. */
export function makeSubStores(storage: Storage): string[] {
  return [
    ...requireSubStores(storage),
    ...subStoresOf(storage).flatMap(({ rootDirectory, option }) => {
      makeRoot(rootDirectory, option);
      return checkRootTrust(rootDirectory, option);
    }),
  ];
}

/** Returns warnings. @throws with a line for the operator for each reason not to serve them. */
export function requireSubStores(storage: Storage): readonly string[] {
  const { problems, warnings } = subStoreFindings(storage);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return warnings;
}

/** What a start would say of them; nothing is changed. */
export function subStoreFindings(storage: Storage): StoreFindings {
  try {
    return lookAtStores(placesOf(storage));
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)], warnings: [] };
  }
}

/** Claims them with the main root, which is claimed already, and notes whose they are. @throws as `claimRoot`. */
function claimSubStores(storage: Storage): Claim {
  const { shared } = storage;
  const claims: Claim[] = [];
  const release = (): void => {
    for (const claim of claims) claim.release();
  };
  try {
    const subStores = subStoresOf(storage);
    // Nothing is made where a disk is missing.
    requireSubStores(storage);
    for (const { rootDirectory, option } of subStores) {
      claims.push(claimRoot(rootDirectory, shared ? "shared" : "alone", option));
    }
    claims.push(claimNote(storage));
    return { release };
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * Notes the stores in the main root, and marks each as one of this registry. Servers that share a root must have the same
 * ones. @throws with one line for the operator.
 */
function claimNote(storage: Storage): Claim {
  const { rootDirectory: mainRoot, shared } = storage;
  for (let attempt = 1; ; attempt += 1) {
    const change = changeOfNote(storage);
    if (!shared) {
      change?.();
      return { release: () => undefined };
    }
    const claim = claimTogether(mainRoot, "stores", change);
    if (claim !== null) return claim;
    if (attempt >= notingTriesMax) break;
    // Another server with the same entries may be noting them at this moment.
    Bun.sleepSync(notingPauseMs);
  }
  throw new Error(
    `storage.subPaths: expected the entries of the other servers on ${mainRoot} (storage.shared), got others; ` +
      "give all of them the same, and restart them together where they change",
  );
}

/** Null where they are noted already. */
function changeOfNote(storage: Storage): (() => void) | null {
  const { rootDirectory: mainRoot } = storage;
  const { stores } = placesOf(storage);
  const note = readNote(mainRoot);
  const isNoted = Bun.deepEquals(note?.stores ?? {}, stores);
  return isNoted ? null : () => noteStores(mainRoot, note, stores);
}

function noteStores(mainRoot: string, note: StoreNote | null, stores: StorePlaces["stores"]): void {
  const registry = note?.registry ?? crypto.randomUUID();
  // The note comes last: where it names a store, that has its mark.
  if (note === null) writeNote(mainRoot, { registry, stores: {} });
  for (const root of Object.values(stores)) writeMark(root, { registry, mainRoot });
  writeNote(mainRoot, { registry, stores });
}

/** As `claimSubStores`; where that fails the main root is free again. */
export function claimApart(storage: Storage, main: Claim): Claim {
  try {
    return claimSubStores(storage);
  } catch (error) {
    main.release();
    throw error;
  }
}

/** Advice about root directories that another registry has written, a line each. */
export function registryAdvice(storage: Storage): string[] {
  return [
    otherRegistryAdvice(storage.rootDirectory),
    ...subStoresOf(storage).map(({ rootDirectory, option }) =>
      otherRegistryAdvice(rootDirectory, option),
    ),
  ].filter((advice) => advice !== null);
}

/** Space for deletes on the disks of the stores beside the main one. */
export class SubReserves {
  readonly #reserves: ReadonlyMap<string, FileReserve>;

  constructor(storage: Storage) {
    this.#reserves = new Map(
      subStoresOf(storage)
        .filter(({ driver }) => driver === null)
        .map(({ rootDirectory }) => [rootDirectory, new FileReserve(rootDirectory)]),
    );
  }

  of(rootDirectory: string): FileReserve | undefined {
    return this.#reserves.get(rootDirectory);
  }

  /** As far as there is room. */
  begin(): void {
    for (const reserve of this.#reserves.values()) reserve.fill();
  }

  /** @throws StorageFull where a disk has no room for it. */
  fill(): void {
    for (const [rootDirectory, reserve] of this.#reserves) {
      if (!reserve.fill())
        throw new StorageFull(`No space left for the reserve of ${rootDirectory}`);
    }
  }
}

/** Opens the main store with those beside it; without any it is the main one itself. */
export function openStores(
  main: OpenedPlace,
  storage: Storage,
  parts: {
    readonly clock: Clock;
    /** Those in stores of objects, and the metadata that tell of them. */
    readonly objects: SubObjectRoot;
    readonly metadata: () => Metadata;
    readonly reserves?: SubReserves;
    /** What is made of each of those in files. */
    readonly files?: (stores: FilesystemStores) => OpenedPlace;
  },
): OpenedPlace {
  const { clock, reserves, files = filesPlace, objects, metadata } = parts;
  const inObjects = objectEntriesOf(storage).map((entry) => ({
    ...objects.open(entry, metadata),
    component: entry.component,
    disk: `the store of objects of ${entry.component}/`,
  }));
  const inFiles = subStoresOf(storage)
    .filter(({ driver }) => driver === null)
    .map(({ component, rootDirectory, commit }) => {
      const options = { rootDirectory, durable: commit, clock };
      const stores = openFilesystem(options, reserves?.of(rootDirectory));
      return { ...files(stores), component, disk: diskOf(rootDirectory) };
    });
  const apart = [...inFiles, ...inObjects];
  if (apart.length === 0) return main;
  const all = [{ ...main, component: null, disk: mainDisk(storage) }, ...apart];
  const places = new Places(all);
  return {
    stores: joinPlaces(places),
    bytes: bytesByPath((repository) => {
      const { component } = places.of(repository);
      return must(
        all.find((place) => place.component === component),
        "each place was opened",
      ).bytes;
    }),
    prepare: async () => {
      for (const place of all) await place.prepare();
    },
  };
}

function mainDisk({ rootDirectory, storageDriver }: Storage): string {
  return storageDriver === null ? diskOf(rootDirectory) : "the main store of objects";
}

export function filesPlace(stores: FilesystemStores): OpenedPlace {
  return { stores, bytes: atOnce(stores.underLock), prepare: () => stores.prepare() };
}

function bytesByPath(of: (repository: string) => BytesUnderLock): BytesUnderLock {
  return {
    present: (work, repository, digest) => of(repository).present(work, repository, digest),
    remove: (work, repository, digest) => of(repository).remove(work, repository, digest),
    stamp: (work, repository, digest) => of(repository).stamp(work, repository, digest),
    quarantine: (work, repository, digest, to) =>
      of(repository).quarantine(work, repository, digest, to),
  };
}
