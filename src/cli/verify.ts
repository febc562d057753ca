// `zot verify`: what `zot serve` would say about a configuration and the files that it names, without serving it.
// What is valid here starts, if the port is free and the root directory can be used.

import { showPostgresUrl } from "../metadata/postgres/postgres_url.ts";
import { checkFiles, isEveryInterface, patternWarnings, scopeWarnings } from "../server.ts";
import type { Output } from "./command.ts";
import type { Config } from "../config/load.ts";
import { loadGiven, nameOfGiven } from "./load_given.ts";

const noFindings = { problems: [], warnings: [] };

/** Checks the configuration at `path`; prints each problem on its own line. Returns the exit status. */
export async function verify(
  path: string,
  { looksIntoFiles }: { readonly looksIntoFiles: boolean },
  output: Output,
): Promise<number> {
  const loaded = await loadGiven(path);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  const files = looksIntoFiles ? await checkFiles(loaded.config) : noFindings;
  const patterns = looksIntoFiles ? await patternWarnings(loaded.config) : [];
  const scopes = looksIntoFiles ? await scopeWarnings(loaded.config) : [];
  for (const warning of [...loaded.warnings, ...files.warnings, ...patterns, ...scopes]) {
    output.error(`warning: ${warning}\n`);
  }
  for (const problem of files.problems) output.error(`${problem}\n`);
  if (files.problems.length > 0) return 1;
  const { http, storage } = loaded.config;
  const where = isEveryInterface(http.address)
    ? `every interface, port ${http.port}`
    : `${http.address}:${http.port}`;
  const { storageDriver } = storage;
  const what =
    storageDriver === null
      ? storage.rootDirectory
      : `a store of objects (${storageDriver.name}), with metadata in ${metadataPlace(storage)},`;
  output.out(`${nameOfGiven(path)} is valid: it serves ${what} on ${where}\n`);
  return 0;
}

function metadataPlace({ metadata, rootDirectory }: Config["storage"]): string {
  const { url } = metadata;
  return url === null ? rootDirectory : `the database ${showPostgresUrl(url)}`;
}
