/**
 * Moves what lies in the place of content into quarantine, where it is kept for a person to look at.
 *
 * A push may put right bytes into that place between the look and the move: what was moved is looked at again, and goes
 * back when it is not what was meant. Nothing is ever removed but a second name of a file that is kept.
 */
import { linkSync, mkdirSync, renameSync, unlinkSync } from "node:fs";
import { damagedDirectory, damagedKey } from "../layout.ts";
import { codeOf } from "./durable_files.ts";
import type { KeyedFiles } from "./keyed_files.ts";

interface To {
  /** Of what is meant. */
  readonly stamp: string;
  readonly name: string;
}

/** Under which name it is kept; null where something else lies. */
export function quarantineNow(files: KeyedFiles, key: string, { stamp, name }: To): string | null {
  const known = keptAs(files, { stamp, name });
  const lying = files.lookNow(key);
  // Another name of the file, or the same move before a crash.
  if (lying === null) return known.isThere ? known.name : null;
  if (lying.stamp !== stamp) return null;
  const path = files.path(key);
  const onTheWay = damagedKey(crypto.randomUUID());
  move(files, path, onTheWay);
  if (files.lookNow(onTheWay)?.stamp !== stamp) {
    goBack(files, onTheWay, path);
    return null;
  }
  if (known.isThere) unlinkSync(files.path(onTheWay));
  else renameSync(files.path(onTheWay), files.path(damagedKey(known.name)));
  return known.name;
}

/** The name of this file in quarantine, or one that no other has. */
function keptAs(files: KeyedFiles, { stamp, name }: To): { name: string; isThere: boolean } {
  for (let count = 1; ; count += 1) {
    const tried = count === 1 ? name : `${name}.${count}`;
    const kept = files.lookNow(damagedKey(tried));
    if (kept === null) return { name: tried, isThere: false };
    if (kept.stamp === stamp) return { name: tried, isThere: true };
  }
}

function move(files: KeyedFiles, path: string, key: string): void {
  try {
    renameSync(path, files.path(key));
  } catch (error) {
    // A person may have removed the directory with what was in it.
    if (codeOf(error) !== "ENOENT") throw error;
    mkdirSync(files.path(damagedDirectory), { recursive: true, mode: 0o700 });
    renameSync(path, files.path(key));
  }
}

/** Where another push was faster, both files have the same bytes. */
function goBack(files: KeyedFiles, key: string, path: string): void {
  try {
    linkSync(files.path(key), path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") {
      renameSync(files.path(key), path);
      return;
    }
  }
  unlinkSync(files.path(key));
}
