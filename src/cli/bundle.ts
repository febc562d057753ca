/**
 * What `npm ci` makes of the sources for a quick start (`scripts/bundle.ts`): one parsed file for each kind of process,
 * in place of some hundred modules.
 *
 * The sources are the truth. Beside the bundle stands what each of its files was when it was made: length, times and
 * inode. A bundle counts while all of them are so, and the package is where it was; else the sources run. No write
 * leaves all of that as it was, whatever an editor or an archive does with the time of a file.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Where bundles lie in a package. */
export const bundleDirectory = "node_modules/.cache/zot-registry";
/** The record of the one that counts, in that directory. */
export const recordFile = "bundle.json";

/** Kinds of processes that have a bundle, by the first word of their command line. */
export const bundled = ["serve", "worker"] as const;
export type Bundled = (typeof bundled)[number];

export interface BundleRecord {
  /** The package's directory: the bundle knows the sources by it. */
  readonly root: string;
  readonly runtime: string;
  /** Below `bundleDirectory`. */
  readonly directory: string;
  /** Every file that went into it, below the package's directory, and what it was then. */
  readonly inputs: readonly (readonly [path: string, stamp: string | null])[];
}

/** A bundle of another runtime may be parsed another way. */
export const runtime = `${Bun.version} ${Bun.revision}`;

/** The script to run in place of `src/main.ts`; null where there is none, or where it is not what the sources say. */
export function freshBundle(root: string, command: string | undefined): string | null {
  const kind = bundled.find((each) => each === command);
  if (kind === undefined) return null;
  const record = readRecord(root);
  if (record === null || record.root !== root || record.runtime !== runtime) return null;
  if (record.inputs.some(([path, stamp]) => stampIn(root, path) !== stamp)) return null;
  const script = scriptOf(join(root, bundleDirectory, record.directory), kind);
  return existsSync(script) ? script : null;
}

export function scriptOf(directory: string, kind: Bundled): string {
  return join(directory, kind, "main.js");
}

/**
 * What a file is; null when it is not there. Another content has another stamp. Of an installed package the time of the
 * last change is left out: it moves with every hard link that is made of the file, and packages are replaced, not
 * written to.
 */
export function stampIn(root: string, path: string): string | null {
  const info = statSync(join(root, path), { bigint: true, throwIfNoEntry: false });
  if (info === undefined) return null;
  const written = `${info.size} ${info.mtimeNs} ${info.ino}`;
  return path.startsWith("node_modules/") ? written : `${written} ${info.ctimeNs}`;
}

/** Null for one that cannot be read, whatever the reason: it is worth nothing more than time. */
function readRecord(root: string): BundleRecord | null {
  try {
    return JSON.parse(
      readFileSync(join(root, bundleDirectory, recordFile), "utf8"),
    ) as BundleRecord;
  } catch {
    return null;
  }
}
