// `zot gc`: removes what nothing names from a root directory, or from plain OCI layouts, that no server serves.

import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkConfig, type Loaded } from "../config/load.ts";
import { formatBytes } from "../lib/bytes.ts";
import { parseDuration } from "../lib/duration.ts";
import type { Config } from "../config/schema.ts";
import { readMark, readNote } from "../storage/root_note.ts";
import { metadataFile } from "../storage/layout.ts";
import {
  collectOffline,
  type OfflineLine,
  type OfflineOptions,
  type OfflineTotals,
} from "../server.ts";
import { collectPlain } from "./collect_plain.ts";
import { mistakeStatus, type Given, type Output } from "./command.ts";

/** Prints a line for each thing that goes or is kept by a rule, then the sums. Returns the exit status. */
export async function gc({ options }: Given, output: Output): Promise<number> {
  const rootDirectory = options["storageRootDir"];
  if (typeof rootDirectory !== "string") {
    output.error("gc: expected the root directory (-r DIR)\n");
    return mistakeStatus;
  }
  const { olderThan = "0s" } = options;
  const olderThanMs = typeof olderThan === "string" ? parseDuration(olderThan) : null;
  if (olderThanMs === null || olderThanMs < 0) {
    output.error(
      `gc: expected a duration such as 24h after --older-than, got ${String(olderThan)}\n`,
    );
    return mistakeStatus;
  }
  const checked = checkedRoot(rootDirectory);
  if ("problems" in checked) {
    for (const problem of checked.problems) output.error(`${problem}\n`);
    return 1;
  }
  const dryRun = options["dryRun"] === true;
  try {
    const given: OfflineOptions = {
      deleteUntagged: options["deleteUntagged"] === true,
      dryRun,
      olderThanMs,
      line: (line) => output.out(`${textOf(line)}\n`),
      problem: (text) => output.error(`gc: ${text}\n`),
    };
    const totals = await collect(checked.config, given);
    const { manifests, blobs, uploads, sizeBytes, failed } = totals;
    const counts = `${manifests} manifests, ${blobs} blobs, ${uploads} uploads, ${sizeBytes} bytes`;
    output.out(`${counts} (${formatBytes(sizeBytes)})${dryRun ? " (dry run)" : ""}\n`);
    return failed === 0 ? 0 : 1;
  } catch (error) {
    output.error(`gc: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** A directory without our metadata is one of layouts that another program wrote. */
async function collect(config: Config, given: OfflineOptions): Promise<OfflineTotals> {
  const { rootDirectory, metadata } = config.storage;
  if (metadata.url !== null) {
    throw new Error(
      "expected metadata in storage.rootDirectory, got a database, which other servers may be using; " +
        "their own collection (storage.gc) does it while they run",
    );
  }
  if (!existsSync(rootDirectory)) throw new Error(`${rootDirectory}: there is no such directory`);
  const isOurs = existsSync(join(rootDirectory, metadataFile));
  if (isOurs) return collectOffline(config, given);
  const mark = readMark(rootDirectory);
  if (mark !== null) {
    throw new Error(`${rootDirectory} is a store of the registry in ${mark.mainRoot}: give that`);
  }
  const root = rootAbove(rootDirectory);
  if (root !== null)
    throw new Error(`${rootDirectory} lies in the root directory ${root}: give that`);
  return collectPlain(rootDirectory, given);
}

/** The configuration of a root directory, with the stores beside it that a server has noted there. */
function checkedRoot(rootDirectory: string): Loaded {
  try {
    const subPaths = Object.fromEntries(
      Object.entries(readNote(rootDirectory)?.stores ?? {}).map(([component, root]) => [
        `/${component}`,
        { rootDirectory: root },
      ]),
    );
    return checkConfig({ storage: { rootDirectory, subPaths } });
  } catch (error) {
    return { problems: [`gc: ${error instanceof Error ? error.message : String(error)}`] };
  }
}

/** A root of ours that a directory lies in: what its files are for is known there alone. */
function rootAbove(directory: string): string | null {
  for (let below = realpathSync(directory); ;) {
    const above = dirname(below);
    if (above === below) return null;
    if (existsSync(join(above, metadataFile))) return above;
    const mark = readMark(above);
    if (mark !== null) return mark.mainRoot;
    below = above;
  }
}

function textOf({ what, repository, reference, sizeBytes, reason }: OfflineLine): string {
  const name = reference === "" ? "-" : reference;
  return [what.padEnd(6), repository, name, sizeBytes, reason].join("  ");
}
