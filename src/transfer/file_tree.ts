/**
 * Files of another registry, wherever they lie: a directory, or a bucket. They are read alone.
 *
 * Names are paths from the root of the tree, with `/` between their parts.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { TransferError } from "./image_place.ts";
import { codeOf, DirectoryFiles, fileError, type LayoutFiles } from "./layout_files.ts";

export interface TreeFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
}

/** As the files of a layout, of which a tree may have many. */
export interface FileTree extends LayoutFiles {
  /** Every file whose name begins with `prefix`, which ends with `/` or is empty; those of a directory together. */
  list(prefix: string): AsyncIterable<TreeFile>;
  /** Null: there is no such file. */
  stat(name: string): Promise<TreeFile | null>;
}

/** Names that are deeper are a loop. */
const depthMax = 64;

export class DirectoryTree extends DirectoryFiles implements FileTree {
  readonly #root: string;

  constructor(root: string) {
    super(root, root);
    this.#root = root;
  }

  async *list(prefix: string): AsyncGenerator<TreeFile, void, void> {
    yield* this.#below(prefix, 0);
  }

  async stat(name: string): Promise<TreeFile | null> {
    try {
      const found = await stat(join(this.#root, name));
      const changedAt = Math.floor(found.mtimeMs);
      return found.isFile() ? { name, sizeBytes: found.size, changedAt } : null;
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return null;
      throw fileError(name, error);
    }
  }

  async *#below(prefix: string, depth: number): AsyncGenerator<TreeFile, void, void> {
    if (depth > depthMax) throw new TransferError(`${this.label}: ${prefix} is too deep`);
    const path = join(this.#root, prefix);
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return [];
      throw fileError(path, error);
    });
    for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
      const name = `${prefix}${entry.name}`;
      if (entry.isDirectory()) yield* this.#below(`${name}/`, depth + 1);
      const file = entry.isFile() ? await this.stat(name) : null;
      if (file !== null) yield file;
    }
  }
}
