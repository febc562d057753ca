/**
 * The files that a container sees: layers laid over each other, as image-spec layer.md says.
 *
 * `.wh.NAME` takes NAME away and `.wh..wh..opq` everything in its directory, of the layers below, wherever they stand
 * in their own layer. A file in the place of a directory takes its content away, too.
 */
import type { LayerEntry } from "./layer_listing.ts";
import { LayerProblem } from "./layer_problem.ts";

/** Files and directories of a tree, those included that only the names of others tell of. */
export const treeNodesMax = 1_000_000;

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";
/** Other names of aufs, which mean nothing here. */
const reserved = ".wh..wh.";

interface Node {
  entry: LayerEntry | null;
  children: Map<string, Node> | null;
}

export class FileTree {
  readonly #root: Node = { entry: null, children: null };
  #nodes = 0;

  /** Lays the next layer on top. @throws LayerProblem where that is too much. */
  apply(entries: readonly LayerEntry[]): void {
    const own: LayerEntry[] = [];
    for (const entry of entries) {
      const { parent, name } = splitPath(entry.path);
      if (!name.startsWith(whiteout)) own.push(entry);
      else if (name === opaque) this.#empty(parent);
      else if (!name.startsWith(reserved)) this.#remove(parent, name.slice(whiteout.length));
    }
    for (const entry of own) this.#put(entry);
  }

  /** All entries in the order of their paths' components. */
  *entries(): Generator<LayerEntry, void, void> {
    // A path has too many components for a call per level.
    const stack: Node[] = [this.#root];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node.entry !== null) yield node.entry;
      if (node.children === null) continue;
      const names = [...node.children.keys()].sort().reverse();
      for (const name of names) {
        const child = node.children.get(name);
        if (child !== undefined) stack.push(child);
      }
    }
  }

  #put(entry: LayerEntry): void {
    let node = this.#root;
    for (const part of entry.path.split("/")) {
      // What was a file is a directory by now, though nothing says so.
      if (node.entry !== null && node.entry.type !== "directory") node.entry = null;
      node.children ??= new Map();
      let child = node.children.get(part);
      if (child === undefined) {
        if ((this.#nodes += 1) > treeNodesMax) {
          throw new LayerProblem(
            `with it an image has more than ${treeNodesMax} files and directories`,
          );
        }
        child = { entry: null, children: null };
        node.children.set(part, child);
      }
      node = child;
    }
    if (entry.type !== "directory") node.children = null;
    node.entry = entry;
  }

  #remove(parent: string, name: string): void {
    this.#find(parent)?.children?.delete(name);
  }

  #empty(path: string): void {
    const node = this.#find(path);
    if (node !== null) node.children = null;
  }

  #find(path: string): Node | null {
    let node: Node = this.#root;
    for (const part of path === "" ? [] : path.split("/")) {
      const child = node.children?.get(part);
      if (child === undefined) return null;
      node = child;
    }
    return node;
  }
}

function splitPath(path: string): { parent: string; name: string } {
  const slash = path.lastIndexOf("/");
  return { parent: slash === -1 ? "" : path.slice(0, slash), name: path.slice(slash + 1) };
}
