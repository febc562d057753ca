/**
 * Where this program runs from: a checkout, or one compiled executable (`npm run build`).
 *
 * In an executable every module lies in one bundle under a virtual root that stands for `src/`, so a thread's script
 * is named from there; in a checkout it is named from the module that starts it.
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Virtual roots of compiled executables, by platform. */
const virtualRoots: readonly string[] = ["/$bunfs/root", "/~BUN/root"];

export const isCompiled = virtualRoots.some((root) => import.meta.url.includes(root));

/** Put in by `scripts/bundle.ts`, whose script lies elsewhere: the directory of the sources. */
declare const ZOT_SOURCES: string | undefined;

/** The directory `src/` of a checkout, or the virtual root of an executable. */
export const sourceDirectory: string =
  typeof ZOT_SOURCES === "string"
    ? ZOT_SOURCES
    : // This module lies in `src/lib`, the bundle of an executable in the virtual root itself.
      join(import.meta.dir, isCompiled ? "." : "..");

/**
 * The URL of a thread's script.
 * @param fromSource its path under `src/`, such as `storage/filesystem/hash_worker.ts`; `scripts/build.ts` lists it as
 * an entry point of its own.
 */
export function threadScript(fromSource: string): string {
  if (isCompiled) return new URL(`./${fromSource}`, import.meta.url).href;
  return pathToFileURL(join(sourceDirectory, fromSource)).href;
}

/** Put in by `scripts/build.ts`; a checkout has none. */
declare const ZOT_BUILT_COMMIT: string | undefined;

/** The commit that an executable was built from; null in a checkout. */
export const builtCommit: string | null =
  typeof ZOT_BUILT_COMMIT === "string" && ZOT_BUILT_COMMIT !== "" ? ZOT_BUILT_COMMIT : null;
