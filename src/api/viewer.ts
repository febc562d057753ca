/**
 * The files of the viewer (swagger-ui), wherever this program runs from.
 *
 * In a checkout they are those of the development dependency, in an executable the bundler has put them in. The npm
 * package carries them beside this module (`scripts/pack_viewer.ts`). So installing zot does not install the
 * viewer's package, which depends on one that reports installations.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sourceDirectory } from "../lib/runtime.ts";

export const viewerFiles = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"] as const;
export type ViewerFile = (typeof viewerFiles)[number];

const packed = join(sourceDirectory, "api/viewer");

/** Reads a file of the viewer. */
export async function viewerFile(name: ViewerFile): Promise<Uint8Array> {
  const path = join(packed, name);
  if (existsSync(path)) return await readFile(path);
  const { viewerPaths } = await import("./viewer_paths.ts");
  return await readFile(viewerPaths[name]);
}
