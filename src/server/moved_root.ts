/** The registry that is moved: read, and never written. A server may serve it meanwhile, until the last pass. */
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import type { Committer } from "../metadata/metadata.ts";
import { movedFromIn, registryIdIn } from "../metadata/rows/content_rows.ts";
import type { RowStore } from "../metadata/rows/row_store.ts";
import type { Claim } from "../storage/root_lock.ts";
import type { Stores } from "../storage/stores.ts";
import { claimToCopy } from "./metadata_copy_root.ts";
import { metadataOf, registryOfBucket } from "./object_root.ts";
import { openPlace } from "./open_place.ts";
import { subStoresOf } from "./sub_stores.ts";

export interface MovedRegistry {
  /** As a person finds it, the same each time. */
  readonly name: string;
  readonly stores: Stores;
  readonly rows: RowStore;
  /** Keeps servers away. @throws with one line where one serves it. */
  claim(): Promise<Claim>;
  close(): Promise<void>;
}

/** @throws Error with one line for the operator. */
export async function openMoved(config: Config, clock: Clock): Promise<MovedRegistry> {
  const { storage } = config;
  const metadata = metadataOf(storage, clock);
  const rows = await metadata.openRows({ readonly: true });
  try {
    await requirePair(config, rows, clock);
    await requireWhole(rows, placeName(config, metadata.name));
  } catch (error) {
    await rows.close();
    throw error;
  }
  const stores = openPlace(config, clock).openBytes(noCommitter);
  return {
    name: placeName(config, metadata.name),
    stores,
    rows,
    claim: async () =>
      joined([
        () => metadata.claimToRead(),
        ...subStoresOf(storage).map(
          ({ rootDirectory }) =>
            async () =>
              claimToCopy(rootDirectory),
        ),
      ]),
    close: async () => {
      await stores.close();
      await rows.close();
    },
  };
}

/** The rows of a registry that is moved into. */
export function openMovedRows({ storage }: Config, clock: Clock): Promise<RowStore> {
  return metadataOf(storage, clock).openRows({ readonly: false });
}

/** What people call the place of a registry; the same for every run. */
export function nameOfPlace(config: Config, clock: Clock): string {
  return placeName(config, metadataOf(config.storage, clock).name);
}

function placeName({ storage: { storageDriver: driver } }: Config, name: string): string {
  if (driver === null) return name;
  const place = ["bucket", "container", "rootdirectory"].flatMap((key) => {
    const value = (driver as Readonly<Record<string, unknown>>)[key];
    return typeof value === "string" && value !== "" ? [value] : [];
  });
  return `${name} (${[driver.name, ...place].join(" ")})`;
}

/** @throws where it is being filled itself: it knows less than it has. */
async function requireWhole(rows: RowStore, name: string): Promise<void> {
  const from = await rows.snapshot(movedFromIn);
  if (from === null) return;
  throw new Error(
    `expected a registry that is whole, found ${name} being filled from ${from}; ` +
      "run that 'zot migrate' again until it says that it has moved",
  );
}

/** @throws where the bytes are not those of the metadata. */
async function requirePair({ storage }: Config, rows: RowStore, clock: Clock): Promise<void> {
  const own = await registryIdIn(rows.ask);
  const { storageDriver: driver, rootDirectory } = storage;
  if (driver === null) {
    if (own === null) return;
    throw new Error(
      `storage.storageDriver: expected the store that holds the content of ${rootDirectory}, got none`,
    );
  }
  const found = await registryOfBucket(driver, clock);
  if (found !== null && found === own) return;
  throw new Error(
    "storage.storageDriver: expected the bucket of the registry that moves, " +
      `found ${found === null ? "one without registry.json" : "that of another one"}`,
  );
}

async function joined(claims: readonly (() => Promise<Claim>)[]): Promise<Claim> {
  const taken: Claim[] = [];
  const release = (): void => {
    for (const claim of taken) claim.release();
  };
  try {
    for (const claim of claims) taken.push(await claim());
    return { release };
  } catch (error) {
    release();
    throw error;
  }
}

const noCommitter: Committer = {
  commit: () => Promise.reject(new Error("a registry that is moved is not written")),
};
