// Opens drivers of stores of objects as a configuration would, with what they report.

import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { storageDriver } from "../../src/storage/driver_options.ts";
import { openObjectStore } from "../../src/storage/objects/open_object_store.ts";
import type { ObjectStore } from "../../src/storage/objects/object_store.ts";

export interface OpenedStore {
  readonly store: ObjectStore;
  readonly reported: string[];
}

interface Around {
  readonly clock?: Clock;
  readonly env?: Record<string, string>;
}

export function openStore(
  values: object,
  { clock = systemClock, env = {} }: Around = {},
): OpenedStore {
  const reported: string[] = [];
  const driver = storageDriver.parse(values);
  const store = openObjectStore(driver, { clock, env, report: (line) => reported.push(line) });
  return { store, reported };
}

/** Keys of the fake where none are given. */
export function openS3Store(values: object, around: Around = {}): OpenedStore {
  const given = { name: "s3", bucket: "bucket", secure: false, accesskey: "fake", secretkey: "x" };
  return openStore({ ...given, ...values }, around);
}
