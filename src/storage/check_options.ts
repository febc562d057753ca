/** What options of storage must fulfil together, and which of them change nothing. */
import type { OptionValues } from "../lib/option.ts";
import { driverWarnings } from "./driver_options.ts";
import type { storageOptions } from "./options.ts";

type StorageValues = OptionValues<typeof storageOptions>;

const ofObjects = ["storage.redirectBlobURL", "storage.redirectExcept", "storage.removalDelay"];

/** `written` are the paths that the file set. */
export function storageWarnings(
  { storageDriver, redirectBlobURL }: StorageValues,
  written: ReadonlySet<string>,
): string[] {
  if (storageDriver !== null) {
    return driverWarnings(storageDriver).map((warning) => `storage.storageDriver.${warning}`);
  }
  // As zot's files have it.
  const asksForNothing = (path: string): boolean =>
    path === "storage.redirectBlobURL" && !redirectBlobURL;
  return ofObjects
    .filter((path) => written.has(path) && !asksForNothing(path))
    .map((path) => `${path}: has no effect while storage.storageDriver names no store of objects`);
}
