/** OCI image layouts below a directory, for commands that look at files and at no metadata. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ownDirectory } from "../storage/layout.ts";

/** Content, and what a registry of ours keeps beside repositories. */
const passedOver: ReadonlySet<string> = new Set(["blobs", ownDirectory]);

/** Directories of layouts, in the order of their names: one that is a layout itself, and all below it. */
export async function layoutsBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = new Set(entries.map(({ name }) => name));
  const own = names.has("index.json") && names.has("blobs") ? [directory] : [];
  const below = entries.filter((entry) => entry.isDirectory() && !passedOver.has(entry.name));
  const found = await Promise.all(below.map(({ name }) => layoutsBelow(join(directory, name))));
  return [...own, ...found.flat()].toSorted(byteOrder);
}

export function byteOrder(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
