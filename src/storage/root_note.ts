/**
 * What the main root notes of the stores beside it, and the mark that each of them has: so that a store whose disk is not
 * mounted is not taken for an empty one, and that nothing is hidden when another store has a name from now on.
 *
 * The note stands in `_zot/stores.json` of the main root, the mark in `_zot/part_of.json` of each other one.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject } from "../lib/strict_json.ts";
import { codeOf, replaceNow } from "./filesystem/durable_files.ts";
import { markFile, noteFile } from "./layout.ts";

/** Where the stores lay when the registry was served the last time. */
export interface StoreNote {
  /** Of this registry: its stores have it in their marks. */
  readonly registry: string;
  /** Root directories by the first component of names. */
  readonly stores: Readonly<Record<string, string>>;
}

/** Whose store a root directory is. */
export interface StoreMark {
  readonly registry: string;
  /** The main root of that registry, when it was served the last time. */
  readonly mainRoot: string;
}

/** Null where there was never a store beside the main one. @throws with one line for the operator. */
export function readNote(mainRoot: string): StoreNote | null {
  const read = readJson(join(mainRoot, noteFile), isNote);
  return read === null ? null : { registry: read.registry, stores: { ...read.stores } };
}

/** Null for a directory that is no store of any registry, or is not there. @throws with one line for the operator. */
export function readMark(rootDirectory: string): StoreMark | null {
  return readJson(join(rootDirectory, markFile), isMark);
}

export function writeNote(mainRoot: string, note: StoreNote): void {
  writeJson(join(mainRoot, noteFile), note);
}

export function writeMark(rootDirectory: string, mark: StoreMark): void {
  writeJson(join(rootDirectory, markFile), mark);
}

function isNote(value: unknown): value is StoreNote {
  if (!isJsonObject(value) || typeof value["registry"] !== "string") return false;
  const { stores } = value;
  return isJsonObject(stores) && Object.values(stores).every((root) => typeof root === "string");
}

function isMark(value: unknown): value is StoreMark {
  return (
    isJsonObject(value) &&
    typeof value["registry"] === "string" &&
    typeof value["mainRoot"] === "string"
  );
}

function readJson<T>(path: string, fits: (value: unknown) => value is T): T | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new Error(`storage.subPaths: ${path} cannot be read (${code ?? String(error)})`, {
      cause: error,
    });
  }
  const value = jsonIn(text);
  if (fits(value)) return value;
  throw new Error(
    `storage.subPaths: expected ${path} as a registry wrote it, got something else; put it back from a backup`,
  );
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Written only when it says something else than before. */
function writeJson(path: string, value: StoreNote | StoreMark): void {
  const text = `${JSON.stringify(value, null, 2)}\n`;
  try {
    if (readFileSync(path, "utf8") === text) return;
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  replaceNow(path, text);
}
