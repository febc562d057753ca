// The file of users as text that is edited: one line changes, comments and order stay, and no reader ever sees half of it.
//
// The new file is written beside the old one, flushed, and renamed into its place with the old one's mode and owner. The
// file beside it is also what keeps two commands apart: it can be made only once.

import { constants } from "node:fs";
import { open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseHtpasswd } from "../auth/htpasswd.ts";
import { systemClock } from "../lib/clock.ts";

/** What a file has before anybody set it: passwords are for nobody else to guess from. */
const newFileMode = 0o600;
/** Another command has so long to end. */
const busyTries = 50;
const busyPauseMs = 100;

/** The lines of a file, and the names in it. */
export interface UsersFile {
  readonly lines: readonly string[];
  readonly names: readonly string[];
}

/** @throws with one line when the file is wrong; an absent one is empty where `mayBeAbsent`. */
export async function readUsersFile(path: string, mayBeAbsent: boolean): Promise<UsersFile> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
    if (mayBeAbsent) return Buffer.alloc(0);
    throw new Error(`${path}: expected a file of users, got no such file`);
  });
  const names = [...parseHtpasswd(bytes, path).keys()];
  const text = bytes.toString("utf8");
  return { lines: text === "" ? [] : text.replace(/\n$/, "").split("\n"), names };
}

/** The same lines with this one for the name, in its old place or at the end; without it when `line` is null. */
export function withLine(lines: readonly string[], name: string, line: string | null): string[] {
  const isOfName = (each: string): boolean => each.startsWith(`${name}:`);
  if (line === null) return lines.filter((each) => !isOfName(each));
  if (!lines.some(isOfName)) return [...lines, line];
  return lines.map((each) => (isOfName(each) ? `${line}${each.endsWith("\r") ? "\r" : ""}` : each));
}

/** Reads the file, has `edit` change its lines, and puts the result in its place. @throws with one line. */
export async function editUsersFile(
  given: string,
  edit: (file: UsersFile) => readonly string[],
): Promise<void> {
  const path = await realpath(given).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return given;
    throw error;
  });
  const beside = join(dirname(path), `.${basename(path)}.zot-user`);
  const handle = await claim(beside);
  try {
    const lines = edit(await readUsersFile(path, true));
    const before = await stat(path).catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    });
    await handle.writeFile(lines.map((line) => `${line}\n`).join(""));
    if (before !== null) {
      const now = await handle.stat();
      if (now.uid !== before.uid || now.gid !== before.gid) {
        await handle.chown(before.uid, before.gid);
      }
      await handle.chmod(before.mode & 0o7777);
    }
    await handle.sync();
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await flushDirectory(dirname(path));
}

/** Makes the file beside; waits while another command has it. */
async function claim(beside: string): ReturnType<typeof open> {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open(beside, flags, newFileMode);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      if (attempt >= busyTries) {
        throw new Error(
          `${beside}: another 'zot user' is at work; remove this file if there is none`,
          { cause: error },
        );
      }
      await systemClock.sleep(busyPauseMs);
    }
  }
}

async function flushDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error ? Reflect.get(error, "code") : null;
}
