/** The files of two images compared, by the listings of their layers. */
import { MiB } from "../../lib/bytes.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { compareFiles, type FileChanges } from "./compare_files.ts";
import { FileTree } from "./file_tree.ts";
import type { LayerEntry } from "./layer_listing.ts";
import { LayerProblem } from "./layer_problem.ts";

/** Entries of all layers of both images, each layer once. */
export const comparedEntriesMax = 600_000;
/** Characters of the names and targets of all those entries together. */
export const comparedNamesMax = 128 * MiB;
/** A reading of layers that takes longer ends. */
export const comparedMsMax = 10 * 60_000;

/** What came of it; `problem` is one line that names the layer. */
export type FileComparison = FileChanges | { readonly problem: string };

/** Lists a layer. @throws LayerProblem. */
export type ListsLayer = (layer: Descriptor, side: "a" | "b") => Promise<readonly LayerEntry[]>;

export async function compareImageFiles(
  { a, b }: { readonly a: readonly Descriptor[]; readonly b: readonly Descriptor[] },
  lists: ListsLayer,
): Promise<FileComparison> {
  const known = new Map<string, readonly LayerEntry[]>();
  let entries = 0;
  let names = 0;
  const listing = async (layer: Descriptor, side: "a" | "b"): Promise<readonly LayerEntry[]> => {
    // The same bytes may be two files, whose names stand beside them.
    if (!isReadForFiles(layer)) return [fileOf(layer)];
    const before = known.get(layer.digest);
    if (before !== undefined) return before;
    const found = await lists(layer, side);
    entries += found.length;
    for (const { path, target } of found) names += path.length + (target?.length ?? 0);
    if (entries > comparedEntriesMax) {
      throw new LayerProblem(`with it the images have more than ${comparedEntriesMax} files`);
    }
    if (names > comparedNamesMax) {
      throw new LayerProblem(`with it names have more than ${comparedNamesMax / MiB} MiB together`);
    }
    known.set(layer.digest, found);
    return found;
  };
  const treeOf = async (layers: readonly Descriptor[], side: "a" | "b"): Promise<FileTree> => {
    const tree = new FileTree();
    for (const layer of layers) {
      try {
        tree.apply(await listing(layer, side));
      } catch (error) {
        if (!(error instanceof LayerProblem)) throw error;
        throw new LayerProblem(`layer ${layer.digest}: ${error.message}`, { cause: error });
      }
    }
    return tree;
  };
  try {
    return compareFiles(await treeOf(a, "a"), await treeOf(b, "b"));
  } catch (error) {
    if (!(error instanceof LayerProblem)) throw error;
    return { problem: error.message };
  }
}

const title = "org.opencontainers.image.title";
const unpacks = "io.deis.oras.content.unpack";

/** A layer of an artifact may be one file, whose name stands beside it: then there is nothing to read. */
export function isReadForFiles({ annotations = {}, mediaType }: Descriptor): boolean {
  return (
    annotations[title] === undefined || annotations[unpacks] === "true" || /\btar\b/.test(mediaType)
  );
}

function fileOf({ annotations = {}, digest, size }: Descriptor): LayerEntry {
  const hash = digest.slice(digest.indexOf(":") + 1);
  const file = { type: "file" as const, mode: 0, owner: "", sizeBytes: size };
  return { ...file, path: annotations[title] ?? digest, hash, target: null };
}
