/** Entries of `storage.subPaths`, and places for bytes as a process opens them. */
import type { Config } from "../config/schema.ts";
import type { BytesUnderLock } from "../metadata/sql/bytes_under_lock.ts";
import type { DriverValues } from "../storage/driver_options.ts";
import type { Stores } from "../storage/stores.ts";

export interface SubStore {
  /** The first component of the names that lie there. */
  readonly component: string;
  /** Of its files; or of uploads on their way, where its content lies in a store of objects. */
  readonly rootDirectory: string;
  readonly commit: boolean;
  /** Where the directory stands in the configuration. */
  readonly option: string;
  /** Null for files. */
  readonly driver: DriverValues | null;
}

/** An entry whose content lies in a store of objects. */
export interface ObjectEntry {
  readonly component: string;
  readonly rootDirectory: string;
  readonly driver: DriverValues;
  /** Whether clients are sent there. */
  readonly redirects: boolean;
  /** Where the driver stands in the configuration. */
  readonly option: string;
}

export interface OpenedPlace {
  readonly stores: Stores;
  /** As commits look at them. */
  readonly bytes: BytesUnderLock;
  prepare(): Promise<void>;
  /** As `Place.onOutage`. */
  readonly onOutage?: (problem: unknown) => void;
}

type Storage = Config["storage"];

export function subStoresOf({ subPaths }: Storage): SubStore[] {
  return Object.entries(subPaths).map(([key, { rootDirectory, commit, storageDriver }]) => ({
    component: key.slice(1),
    rootDirectory,
    commit,
    option: `storage.subPaths["${key}"].rootDirectory`,
    driver: storageDriver,
  }));
}

export function objectEntriesOf({ subPaths }: Storage): ObjectEntry[] {
  return Object.entries(subPaths).flatMap(([key, entry]) => {
    const { rootDirectory, storageDriver: driver, redirectBlobURL: redirects } = entry;
    const option = `storage.subPaths["${key}"].storageDriver`;
    return driver === null
      ? []
      : [{ component: key.slice(1), rootDirectory, driver, redirects, option }];
  });
}
