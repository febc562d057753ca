// Where a registry comes from that moves: the configuration of one of ours, or a registry of another kind by its name.

import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { checkConfig } from "../config/load.ts";
import { parseText } from "../config/parse.ts";
import { systemClock } from "../lib/clock.ts";
import { openBucketTree } from "../server.ts";
import { DistributionRegistry } from "../transfer/distribution_registry.ts";
import { DirectoryTree, type FileTree } from "../transfer/file_tree.ts";
import type { ForeignRegistry } from "../transfer/foreign_registry.ts";
import { TransferError } from "../transfer/image_place.ts";
import { ZotBucket } from "../transfer/zot_bucket.ts";

/** Null for the configuration file of a registry of ours. @throws TransferError. */
export async function openForeign(from: string): Promise<ForeignRegistry | null> {
  const [, kind, path] = /^(zot|distribution):(.+)$/s.exec(from) ?? [];
  if (kind === undefined || path === undefined) return null;
  return kind === "zot" ? openZot(path) : openDistribution(path);
}

/** By the configuration of zot (Go). */
async function openZot(path: string): Promise<ForeignRegistry> {
  const { storage = {} } = (await readFile(path)) as { storage?: Section };
  const driver = sectionOf(storage, "storageDriver");
  if (driver === null) {
    throw new TransferError(
      `${path}: expected storage.storageDriver, since a directory of zot (Go) is served as it is: ` +
        "zot serve with this configuration",
    );
  }
  const { files, rootdirectory } = bucketOf(driver, path);
  const prefix = rootdirectory.replaceAll(/^\/+|\/+$/g, "");
  // It puts its directory before the one of the driver, which is the same.
  return new ZotBucket(files, prefix === "" ? [""] : [`${prefix}/`, ""]);
}

/** By the directory that docker-registry keeps all in, or by its configuration. */
async function openDistribution(path: string): Promise<ForeignRegistry> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory() === true) return new DistributionRegistry(new DirectoryTree(path));
  const { storage = {} } = (await readFile(path)) as { storage?: Section };
  const directory = sectionOf(storage, "filesystem")?.["rootdirectory"] ?? null;
  if (typeof directory === "string") return new DistributionRegistry(new DirectoryTree(directory));
  for (const name of ["s3", "gcs", "azure"]) {
    const driver = sectionOf(storage, name);
    if (driver === null) continue;
    return new DistributionRegistry(bucketOf({ name, ...driver }, path).files);
  }
  throw new TransferError(
    `${path}: expected storage.filesystem.rootdirectory, storage.s3, storage.gcs or storage.azure, got none`,
  );
}

type Section = Readonly<Record<string, unknown>>;

async function readFile(path: string): Promise<unknown> {
  const text = await Bun.file(path)
    .text()
    .catch((cause: unknown) => {
      throw new TransferError(`${path}: expected a configuration file, and it cannot be read`, {
        cause,
      });
    });
  const parsed = await parseText(text, path);
  if ("problems" in parsed) throw new TransferError(parsed.problems.join("; "));
  return parsed.value ?? {};
}

/** By its name in any case; null where there is none. */
function sectionOf(section: Section, name: string): Section | null {
  const found = Object.entries(section).find(
    ([key]) => key.toLowerCase() === name.toLowerCase(),
  )?.[1];
  return typeof found === "object" && found !== null ? (found as Section) : null;
}

function bucketOf(
  driver: Section,
  path: string,
): { readonly files: FileTree; readonly rootdirectory: string } {
  const checked = checkConfig({ storage: { rootDirectory: tmpdir(), storageDriver: driver } });
  if ("problems" in checked) throw new TransferError(`${path}: ${checked.problems.join("; ")}`);
  const { storageDriver } = checked.config.storage;
  if (storageDriver === null) throw new TransferError(`${path}: expected a bucket, got none`);
  const named = driver["bucket"] ?? driver["container"];
  const files = openBucketTree(
    storageDriver,
    `${storageDriver.name} ${String(named)}`,
    systemClock,
  );
  const { rootdirectory } = driver;
  return { files, rootdirectory: typeof rootdirectory === "string" ? rootdirectory : "" };
}
