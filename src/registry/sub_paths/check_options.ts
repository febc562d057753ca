/**
 * What is wrong, and what is unwise, in the entries of `storage.subPaths`, beyond the type of each value: a line each that
 * begins with the option's path.
 */
import { isAbsolute, relative } from "node:path";
import { isRepositoryName } from "../../oci/reference.ts";
import { driverWarnings, type DriverValues } from "../../storage/driver_options.ts";
import { driverPlace, type DriverPlace } from "../../storage/driver_place.ts";
import { collectionOptions } from "../collection/options.ts";
import { mayRemoveTags, retentionWarnings } from "../retention/check_options.ts";
import { subPathPlace } from "../store_settings.ts";
import type { SubPaths } from "./options.ts";

interface Stores {
  /** Absolute, as those of the entries are. */
  readonly rootDirectory: string;
  readonly subPaths: SubPaths;
  readonly storageDriver: DriverValues | null;
}

/** What is wrong with the entries, beyond the type of each value. */
export function checkSubPaths(storage: Stores): readonly string[] {
  const { rootDirectory: main, subPaths, storageDriver } = storage;
  const entries = Object.entries(subPaths);
  const roots: Root[] = [
    { says: "storage.rootDirectory", path: main },
    ...entries.map(([key, entry]) => ({
      says: `${subPathPlace(key)}.rootDirectory`,
      path: entry.rootDirectory,
    })),
  ];
  const buckets = [
    { says: "storage.storageDriver", driver: storageDriver },
    ...entries.map(([key, entry]) => ({
      says: `${subPathPlace(key)}.storageDriver`,
      driver: entry.storageDriver,
    })),
  ].flatMap(({ says, driver }) =>
    driver === null ? [] : [{ option: says, ...driverPlace(driver) }],
  );
  return [
    ...entries.flatMap(([key]) => keyProblem(key)),
    ...roots.flatMap((root, at) => roots.slice(0, at).flatMap((before) => conflict(before, root))),
    ...buckets.flatMap((bucket, at) =>
      buckets.slice(0, at).flatMap((before) => sameBucket(before, bucket)),
    ),
    ...entries.flatMap(([key, { gc, gcDelay }]) =>
      gc && gcDelay === 0
        ? [
            `${subPathPlace(key)}.gcDelay: expected more than 0s while gc is true there, got 0s; ` +
              "blobs of a push would be removed before its manifest comes",
          ]
        : [],
    ),
  ];
}

function keyProblem(key: string): string[] {
  const component = key.slice(1);
  if (key.startsWith("/") && !component.includes("/") && isRepositoryName(component)) return [];
  return [
    `${subPathPlace(key)}: expected the first component of names behind a slash, such as "/team", ` +
      `got ${JSON.stringify(key)}`,
  ];
}

interface Root {
  readonly says: string;
  readonly path: string;
}

function conflict(one: Root, other: Root): string[] {
  if (one.path === other.path) {
    return [
      `${other.says}: expected a directory of its own, got ${other.path}, which is ${one.says} as well`,
    ];
  }
  for (const [inner, outer] of [
    [one, other],
    [other, one],
  ] as const) {
    if (isWithin(inner.path, outer.path)) {
      return [
        `${other.says}: expected a directory beside that of ${one.says}, got ${other.path}; ` +
          `${inner.path} lies in ${outer.path}`,
      ];
    }
  }
  return [];
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way !== "" && way !== ".." && !way.startsWith("../") && !isAbsolute(way);
}

interface Bucket extends DriverPlace {
  readonly option: string;
}

/** Each store has a prefix of its own, in no other's. */
function sameBucket(one: Bucket, other: Bucket): string[] {
  const isApart = !one.prefix.startsWith(other.prefix) && !other.prefix.startsWith(one.prefix);
  if (one.bucket !== other.bucket || isApart) return [];
  const place = (prefix: string): string => (prefix === "" ? "the whole bucket" : prefix);
  return [
    `${other.option}.rootdirectory: expected a prefix of its own beside that of ${one.option}, ` +
      `got ${place(other.prefix)} and ${place(one.prefix)} in one bucket; give another rootdirectory or bucket`,
  ];
}

/** What is unwise in the entries, or changes nothing. */
export function subPathWarnings(subPaths: SubPaths): readonly string[] {
  return Object.entries(subPaths).flatMap(([key, entry]) => {
    const place = subPathPlace(key);
    const { gc, commit, retention, cacheDriver, storageDriver, redirectBlobURL } = entry;
    const lines = retentionWarnings(retention, `${place}.retention`);
    if (!commit) {
      lines.push(
        `${place}.commit: with false an acknowledged push may be lost when the machine stops`,
      );
    }
    if (storageDriver !== null) {
      const said = driverWarnings(storageDriver);
      lines.push(...said.map((warning) => `${place}.storageDriver.${warning}`));
    } else if (redirectBlobURL) {
      lines.push(
        `${place}.redirectBlobURL: has no effect while storageDriver names no store of objects there`,
      );
    }
    for (const [name, value] of Object.entries({ cacheDriver, remoteCache: entry.remoteCache })) {
      if (value === undefined || value === null || value === false) continue;
      lines.push(`${place}.${name}: has no effect: nothing is cached beside the metadata`);
    }
    for (const name of ["gcDelay", "gcInterval", "gcTimeWindow"] as const) {
      const standard = collectionDefaults[name];
      if (!gc && entry[name] !== standard) {
        lines.push(`${place}.${name}: has no effect while gc is false there, as it is by default`);
      }
    }
    if (!gc && retention.policies.some(mayRemoveTags)) {
      lines.push(
        `${place}.retention: removes nothing while gc is false there, as it is by default`,
      );
    }
    return lines;
  });
}

const { gcDelay, gcInterval, gcTimeWindow } = collectionOptions;
const collectionDefaults = {
  gcDelay: gcDelay.type.parse(gcDelay.default),
  gcInterval: gcInterval.type.parse(gcInterval.default),
  gcTimeWindow: gcTimeWindow.type.parse(gcTimeWindow.default),
};
