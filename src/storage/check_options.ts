/** What options of storage must fulfil together, and which of them change nothing. */
import type { OptionValues } from "../lib/option.ts";
import { driverWarnings } from "./driver_options.ts";
import type { storageOptions } from "./options.ts";

type StorageValues = OptionValues<typeof storageOptions>;

/** Options about objects of every store, and whether they ask for something. */
const ofObjects: Readonly<Record<string, (values: StorageValues) => boolean>> = {
  "storage.redirectExcept": ({ redirectExcept }) => redirectExcept.length > 0,
  "storage.removalDelay": ({ removalDelay }) => removalDelay !== removalDelayDefaultMs,
  "storage.auditInterval": ({ auditInterval }) => auditInterval !== auditIntervalDefaultMs,
  "storage.exportInterval": ({ exportInterval }) => exportInterval !== exportIntervalDefaultMs,
  "storage.exportsKept": ({ exportsKept }) => exportsKept !== exportsKeptDefault,
};
const exportIntervalDefaultMs = 24 * 60 * 60_000;
const exportsKeptDefault = 7;
const auditIntervalDefaultMs = 168 * 60 * 60_000;
const removalDelayDefaultMs = 24 * 60 * 60_000;

/** `written` are the paths that the file set, `drivers` those of stores beside the main one. */
export function storageWarnings(
  values: StorageValues,
  written: ReadonlySet<string>,
  drivers: readonly (object | null)[],
): string[] {
  const { storageDriver, redirectBlobURL } = values;
  if (storageDriver !== null) {
    return driverWarnings(storageDriver).map((warning) => `storage.storageDriver.${warning}`);
  }
  const isWithout = drivers.every((driver) => driver === null);
  const idle = Object.entries(ofObjects)
    .filter(([path, asks]) => isWithout && written.has(path) && asks(values))
    .map(([path]) => path);
  return [...(redirectBlobURL ? ["storage.redirectBlobURL"] : []), ...idle].map(
    (path) => `${path}: has no effect while storage.storageDriver names no store of objects`,
  );
}
