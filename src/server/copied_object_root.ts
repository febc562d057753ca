/** The main store of objects as a dry run opens it: rows of a copy of the metadata change, and objects stay. */
import type { Clock } from "../lib/clock.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { objectsUnderLock } from "../metadata/sql/objects_under_lock.ts";
import type { DriverValues } from "../storage/driver_options.ts";
import { openScratch } from "../storage/filesystem/open_scratch.ts";
import { openObjectStore } from "../storage/objects/open_object_store.ts";
import { openObjects } from "../storage/objects/open_objects.ts";
import { objectRecords } from "./object_records.ts";
import type { OpenedPlace } from "./sub_stores.ts";

/** @throws with one line where files of the driver cannot be read. */
export function copiedObjects(
  rootDirectory: string,
  driver: DriverValues,
  { clock, metadata }: { readonly clock: Clock; readonly metadata: () => Metadata },
): OpenedPlace {
  const store = openObjectStore(driver, { clock, env: process.env, report: () => undefined });
  const scratch = openScratch({ rootDirectory, clock });
  const records = objectRecords(metadata);
  const stores = openObjects({
    store,
    records,
    clock,
    scratch,
    sessions: null,
    redirectSeconds: null,
  });
  return {
    bytes: objectsUnderLock,
    prepare: async () => undefined,
    stores: {
      ...stores,
      close: async () => {
        await stores.close();
        await store.close();
      },
    },
  };
}
