// Opens the driver of S3 as a configuration would, with what it reports.

import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { storageDriver } from "../../src/storage/driver_options.ts";
import { openObjectStore } from "../../src/storage/objects/open_object_store.ts";
import type { ObjectStore } from "../../src/storage/objects/object_store.ts";

type Values = Partial<Parameters<typeof storageDriver.parse>[0] & object>;

export interface OpenedStore {
  readonly store: ObjectStore;
  readonly reported: string[];
}

/** Keys of the fake where none are given. */
export function openS3Store(
  values: Values,
  { clock = systemClock, env = {} }: { clock?: Clock; env?: Record<string, string> } = {},
): OpenedStore {
  const reported: string[] = [];
  const given = { name: "s3", bucket: "bucket", secure: false, accesskey: "fake", secretkey: "x" };
  const driver = storageDriver.parse({ ...given, ...values });
  const store = openObjectStore(driver, { clock, env, report: (line) => reported.push(line) });
  return { store, reported };
}
