/** Files of the operator that are read as they are needed: authorities, keys, secrets, what other programs keep of logins. */
import { accessSync, constants, readdirSync, readFileSync, statSync } from "node:fs";
import { whyUnreadable } from "./why_unreadable.ts";

/** Such a file is small. */
const fileBytesMax = 1024 * 1024;

/** Null where there is none. @throws with one line for what cannot be read. */
export function readIfThere(path: string): string | null {
  try {
    return readFile(path);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

/** @throws with one line for what cannot be read. */
export function readFile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(path, "a file", error);
  }
  if (text.length <= fileBytesMax) return text;
  throw new Error(`${path}: expected a file of up to ${fileBytesMax} bytes, got ${text.length}`);
}

/** The names in a directory, sorted; none where there is no such directory. @throws with one line. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw unreadable(directory, "a directory", error);
  }
}

/** What tells one state of a file from another; empty for one that this account cannot read. */
export function stampOf(path: string): string {
  try {
    accessSync(path, constants.R_OK);
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return "";
  }
}

function isAbsent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null;
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}

function unreadable(path: string, what: string, error: unknown): Error {
  return new Error(`${path}: expected ${what} that can be read, got ${whyUnreadable(error)}`, {
    cause: error,
  });
}
