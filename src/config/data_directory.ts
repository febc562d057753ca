// Where images lie when no configuration says so: a directory of the user's own, never one that needs root.
//
// Only looks, creates nothing. The order is XDG's data directory, the home directory, and, for
// users without a home (containers), a directory under the machine's temporary one, of which the
// caller should warn.

import { accessSync, constants, statSync, type Stats } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import type { Environment } from "./substitute.ts";

/** The default root directory, absolute; `lasting` is false when a reboot may empty it. */
export function dataDirectory(env: Environment): { path: string; lasting: boolean } {
  for (const base of [env["XDG_DATA_HOME"], homeData(env)]) {
    if (base === undefined || !isAbsolute(base)) continue;
    const path = join(base, "zot");
    if (isUsable(path)) return { path, lasting: true };
  }
  return { path: temporaryDirectory(), lasting: false };
}

function homeData(env: Environment): string | undefined {
  const home = env["HOME"];
  return home === undefined || home === "" ? undefined : join(home, ".local", "share");
}

/** Tells whether the directory can be written, or made: its nearest ancestor that exists decides. */
function isUsable(path: string): boolean {
  const stat = look(path);
  if (stat === null) return dirname(path) !== path && isUsable(dirname(path));
  if (!stat.isDirectory()) return false;
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A name of this user's under the temporary directory, skipping what others have put there. */
function temporaryDirectory(): string {
  const uid = process.getuid?.() ?? 0;
  for (let attempt = 0; ; attempt += 1) {
    const path = join(tmpdir(), attempt === 0 ? `zot-${uid}` : `zot-${uid}-${attempt}`);
    const stat = look(path);
    if (stat === null || (stat.isDirectory() && stat.uid === uid)) return path;
  }
}

/** null when there is nothing, or nothing that this user may see. */
function look(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
