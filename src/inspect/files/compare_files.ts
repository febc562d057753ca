/** Two trees of files: what was added, removed and changed from one to the other. */
import type { FileTree } from "./file_tree.ts";
import type { EntryType, LayerEntry } from "./layer_listing.ts";

/** Files that are listed, of each kind of change; counts are of all. */
export const changesMax = 2_000;
/** Characters of the paths that are listed. */
export const listedPathsMax = 1_000_000;

export interface ToldFile {
  readonly path: string;
  readonly type: EntryType;
  readonly sizeBytes: number;
}

export interface ChangedFile extends ToldFile {
  readonly sizeBytesBefore: number;
  /** What is another: content, type, mode, owner, or target of a link. */
  readonly what: readonly string[];
}

export interface FileChanges {
  readonly added: readonly ToldFile[];
  readonly removed: readonly ToldFile[];
  readonly changed: readonly ChangedFile[];
  readonly counts: {
    readonly added: number;
    readonly removed: number;
    readonly changed: number;
    readonly same: number;
  };
  /** Of all added and removed files, and the growth of changed ones. */
  readonly addedBytes: number;
  readonly removedBytes: number;
  readonly grownBytes: number;
  /** Some are not listed. */
  readonly isCutOff: boolean;
}

export function compareFiles(before: FileTree, after: FileTree): FileChanges {
  const changes = new Changes();
  const left = new Map<string, LayerEntry>();
  for (const entry of before.entries()) left.set(entry.path, entry);
  for (const entry of after.entries()) {
    const was = left.get(entry.path);
    if (was === undefined) changes.add(entry);
    else {
      left.delete(entry.path);
      changes.compare(was, entry);
    }
  }
  for (const entry of left.values()) changes.remove(entry);
  return changes.told();
}

class Changes {
  readonly #added: ToldFile[] = [];
  readonly #removed: ToldFile[] = [];
  readonly #changed: ChangedFile[] = [];
  readonly #counts = { added: 0, removed: 0, changed: 0, same: 0 };
  #addedBytes = 0;
  #removedBytes = 0;
  #grownBytes = 0;
  #pathsLeft = listedPathsMax;

  #hasRoom(list: readonly unknown[], { path }: LayerEntry): boolean {
    if (list.length >= changesMax || path.length > this.#pathsLeft) return false;
    this.#pathsLeft -= path.length;
    return true;
  }

  add(entry: LayerEntry): void {
    this.#counts.added += 1;
    this.#addedBytes += entry.sizeBytes;
    if (this.#hasRoom(this.#added, entry)) this.#added.push(toldFile(entry));
  }

  remove(entry: LayerEntry): void {
    this.#counts.removed += 1;
    this.#removedBytes += entry.sizeBytes;
    if (this.#hasRoom(this.#removed, entry)) this.#removed.push(toldFile(entry));
  }

  compare(was: LayerEntry, is: LayerEntry): void {
    const what = differences(was, is);
    if (what.length === 0) {
      this.#counts.same += 1;
      return;
    }
    this.#counts.changed += 1;
    this.#grownBytes += is.sizeBytes - was.sizeBytes;
    if (!this.#hasRoom(this.#changed, is)) return;
    this.#changed.push({ ...toldFile(is), sizeBytesBefore: was.sizeBytes, what });
  }

  told(): FileChanges {
    const lists = [this.#added, this.#removed, this.#changed];
    const { added, removed, changed } = this.#counts;
    return {
      added: this.#added,
      removed: this.#removed,
      changed: this.#changed,
      counts: this.#counts,
      addedBytes: this.#addedBytes,
      removedBytes: this.#removedBytes,
      grownBytes: this.#grownBytes,
      isCutOff: lists.reduce((sum, { length }) => sum + length, 0) < added + removed + changed,
    };
  }
}

function differences(was: LayerEntry, is: LayerEntry): string[] {
  if (was.type !== is.type) return ["type"];
  return [
    ...(was.hash === is.hash && was.sizeBytes === is.sizeBytes ? [] : ["content"]),
    ...(was.target === is.target ? [] : ["target"]),
    ...(was.mode === is.mode ? [] : ["mode"]),
    ...(was.owner === is.owner ? [] : ["owner"]),
  ];
}

function toldFile({ path, type, sizeBytes }: LayerEntry): ToldFile {
  return { path, type, sizeBytes };
}
