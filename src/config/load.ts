// From a file to a `Config`: read, parse, check, fill in what depends on the machine, freeze.
//
// The door of this folder. A result is either a configuration with the warnings that a start should
// log, or every problem there is, one line each; a user's mistake never throws.

import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { checkAuthOptions } from "../auth/check_options.ts";
import { checkSyncOptions, syncWarnings } from "../extensions/sync/check_options.ts";
import { checkMetadataOptions, metadataWarnings } from "../metadata/check_options.ts";
import { checkCollectionOptions } from "../registry/options.ts";
import { checkSubPaths, subPathWarnings } from "../registry/sub_paths/check_options.ts";
import type { SubPaths } from "../registry/sub_paths/options.ts";
import { mayRemoveTags, retentionWarnings } from "../registry/retention/check_options.ts";
import { scrubWarnings } from "../registry/scrub/options.ts";
import { storageWarnings } from "../storage/check_options.ts";
import { checkTlsOptions } from "../http/options.ts";
import { checkValue, type Checked } from "./check.ts";
import { clusterProblems } from "./cluster.ts";
import { whyUnreadable } from "../lib/why_unreadable.ts";
import { dataDirectory } from "./data_directory.ts";
import { DIST_SPEC_VERSION } from "./specification.ts";
import { otherDialectProblem } from "./other_dialect.ts";
import { parseText } from "./parse.ts";
import type { Config, FileValues } from "./schema.ts";
import type { Environment } from "./substitute.ts";

export type { Config } from "./schema.ts";

/** A configuration, the paths that the file itself set, and what to warn of. */
export interface Sound {
  readonly config: Config;
  readonly written: ReadonlySet<string>;
  readonly warnings: readonly string[];
}

/** A configuration; or what is wrong. */
export type Loaded = Sound | Refused;

interface Refused {
  readonly problems: readonly string[];
}

/** What a command line adds to a configuration. */
export interface CommandLine {
  /** Registries that are mirrored beside those of `extensions.sync.mirrors`. */
  readonly mirrors: readonly string[];
}

/** Reads and checks the file at `path`. */
export async function loadConfig(
  path: string,
  env: Environment = process.env,
  added: CommandLine | null = null,
): Promise<Loaded> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    return { problems: [`${path}: expected a configuration file, got ${whyUnreadable(error)}`] };
  }
  return await loadText(text, path, env, added);
}

/** Checks the text of the file at `path`, which is only looked at for its name. */
export async function loadText(
  text: string,
  path: string,
  env: Environment = process.env,
  added: CommandLine | null = null,
): Promise<Loaded> {
  const parsed = await parseText(text, path);
  if ("problems" in parsed) return parsed;
  const otherDialect = otherDialectProblem(parsed.value, basename(path));
  if (otherDialect !== null) return { problems: [otherDialect] };
  return checkConfig(parsed.value, env, added);
}

/** Checks what a parser gave. Relative paths are relative to the working directory, as in zot. */
export function checkConfig(
  value: unknown,
  env: Environment = process.env,
  added: CommandLine | null = null,
): Loaded {
  const checked = checkValue(value, env);
  if ("problems" in checked) return checked;
  return complete(added === null ? checked : withAdded(checked, added), env);
}

function withAdded(checked: Exclude<Checked, Refused>, { mirrors }: CommandLine): typeof checked {
  const { values } = checked;
  const { extensions } = values;
  const all = [...new Set([...extensions.sync.mirrors, ...mirrors])];
  const sync = { ...extensions.sync, enable: true, mirrors: all };
  return { ...checked, values: { ...values, extensions: { ...extensions, sync } } };
}

/** What options must fulfil together, beyond the type of each. */
export function checkTogether(
  { http, storage, extensions: { sync } }: Pick<Config, "http" | "storage" | "extensions">,
  written: ReadonlySet<string>,
): { readonly problems: readonly string[]; readonly warnings: readonly string[] } {
  const auth = checkAuthOptions(http, written);
  const problems = [
    ...checkTlsOptions(http.tls),
    ...auth.problems,
    ...checkMetadataOptions(storage),
    ...checkCollectionOptions(storage),
    ...checkSubPaths(storage),
    ...checkSyncOptions(sync),
  ];
  const stores = [storage, ...Object.values(storage.subPaths)];
  const policies = stores.flatMap(({ retention }) => retention.policies);
  const kept = policies.flatMap(({ repositories }) => repositories);
  return { problems, warnings: [...auth.warnings, ...syncWarnings(sync, kept)] };
}

function complete(checked: Exclude<Checked, Refused>, env: Environment): Loaded {
  const { values, written } = checked;
  const rootWarnings: string[] = [];
  const root = values.storage.rootDirectory ?? defaultRoot(env, rootWarnings);
  const config: Config = {
    ...values,
    distSpecVersion: DIST_SPEC_VERSION,
    storage: {
      ...values.storage,
      rootDirectory: resolve(root),
      subPaths: resolved(values.storage.subPaths),
    },
  };
  const together = checkTogether(config, written);
  const cluster = clusterProblems(checked.passedOver.get("cluster"), config.storage);
  const problems = [...together.problems, ...cluster];
  if (problems.length > 0) return { problems };
  const warnings = [...checked.warnings, ...together.warnings, ...rootWarnings];
  warnings.push(...warningsOf(values, written));
  return { config: deepFreeze(config), written, warnings };
}

function resolved(subPaths: SubPaths): SubPaths {
  return Object.fromEntries(
    Object.entries(subPaths).map(([key, entry]) => [
      key,
      { ...entry, rootDirectory: resolve(entry.rootDirectory) },
    ]),
  );
}

function defaultRoot(env: Environment, warnings: string[]): string {
  const { path, lasting } = dataDirectory(env);
  if (!lasting) {
    warnings.push(
      `storage.rootDirectory: there is no home directory to write to, so images go to ${path}, ` +
        "which a restart of the machine may empty; set it to a directory that lasts",
    );
  }
  return path;
}

function warningsOf(values: FileValues, written: ReadonlySet<string>): string[] {
  const warnings: string[] = [];
  if (values.distSpecVersion !== DIST_SPEC_VERSION) {
    warnings.push(
      `distSpecVersion: expected ${DIST_SPEC_VERSION}, got ${values.distSpecVersion}; ` +
        `${DIST_SPEC_VERSION} is served`,
    );
  }
  if (!values.storage.commit) {
    warnings.push(
      "storage.commit: with false an acknowledged push may be lost when the machine stops",
    );
  }
  const drivers = Object.values(values.storage.subPaths).map((entry) => entry.storageDriver);
  warnings.push(...storageWarnings(values.storage, written, drivers));
  warnings.push(...metadataWarnings(values.storage, written));
  for (const path of ["storage.gcDelay", "storage.gcInterval", "storage.gcTimeWindow"]) {
    if (!values.storage.gc && written.has(path)) {
      warnings.push(`${path}: has no effect while storage.gc is false`);
    }
  }
  warnings.push(...retentionWarnings(values.storage.retention));
  warnings.push(...subPathWarnings(values.storage.subPaths));
  warnings.push(...scrubWarnings(values.extensions.scrub));
  if (!values.storage.gc && values.storage.retention.policies.some(mayRemoveTags)) {
    warnings.push("storage.retention: removes nothing while storage.gc is false");
  }
  if (values.http.trustedProxies.length > 0 && values.http.externalUrl === null) {
    warnings.push(
      "http.externalUrl: expected the URL that clients use, since http.trustedProxies names a proxy, got none; " +
        "below a path of the proxy uploads lose their way, and clients are offered no tokens",
    );
  }
  return warnings;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}
