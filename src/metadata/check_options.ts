/** What options of `storage.metadata` must fulfil together with others. */
import type { OptionValues } from "../lib/option.ts";
import type { metadataOptions } from "./options.ts";

interface Values {
  readonly metadata: OptionValues<typeof metadataOptions>;
  readonly storageDriver: unknown;
  readonly shared: boolean;
  readonly subPaths: Readonly<Record<string, unknown>>;
}

/** What stands against metadata in a database. */
const against: readonly (readonly [
  path: string,
  refused: (values: Values) => boolean,
  says: string,
])[] = [
  [
    "storage.metadata.url",
    ({ storageDriver }) => storageDriver === null,
    "expected a store of objects (storage.storageDriver) beside a database, got files in storage.rootDirectory; " +
      "other servers on the database would not see them, and no file system of a network keeps the promises that " +
      "they rest on",
  ],
  [
    "storage.shared",
    ({ shared }) => shared,
    "expected false beside storage.metadata.url, got true; " +
      "each server has a storage.rootDirectory of its own, and the database is what they share",
  ],
  [
    "storage.subPaths",
    ({ subPaths }) => Object.keys(subPaths).length > 0,
    "expected no stores of their own beside storage.metadata.url, got some; " +
      "this version keeps all content of a database in one store of objects",
  ],
];

/** Options that mean nothing without a URL. */
const ofDatabase = ["passwordFile", "ca", "schema", "connections"] as const;

export function checkMetadataOptions(values: Values): string[] {
  if (values.metadata.url === null) return [];
  return against
    .filter(([, refused]) => refused(values))
    .map(([path, , says]) => `${path}: ${says}`);
}

/** `written` are the paths that the file set. */
export function metadataWarnings({ metadata }: Values, written: ReadonlySet<string>): string[] {
  if (metadata.url !== null) return [];
  return ofDatabase
    .map((key) => `storage.metadata.${key}`)
    .filter((path) => written.has(path))
    .map((path) => `${path}: has no effect while storage.metadata.url names no database`);
}
