/**
 * The built interface as one file, wherever this program runs from.
 *
 * In a checkout it is made by `npm ci` and made again when the sources are others. The npm package carries it, in an
 * executable the bundler has put it in. It holds every file of the interface, compressed in both ways that browsers
 * take, and the digest of the sources that it was built from.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isCompiled, sourceDirectory } from "../../lib/runtime.ts";
import type { InterfacePack } from "./pack_shape.ts";

const packed = join(sourceDirectory, "extensions/ui/built/interface.pack");
/** The sources, which only a checkout has. */
export const interfaceEntry = join(sourceDirectory, "ui/index.html");
const packageRoot = join(sourceDirectory, "..");
const library = join(packageRoot, "node_modules/preact/package.json");

const canBuild = (): boolean => existsSync(interfaceEntry) && existsSync(library);

/** Why there is no interface to serve; null when there is one, or one can be built. */
export function interfaceProblem(): string | null {
  if (isCompiled || existsSync(packed) || canBuild()) return null;
  return "the interface is not built, so '/' shows a plain page; run 'npm ci' with development dependencies";
}

/** The interface as it was built; null where it was not, or the sources are others since. */
export async function readPack(): Promise<InterfacePack | null> {
  if (isCompiled) {
    const { packPath } = await import("./pack_path.ts");
    return parsed(await readFile(packPath, "utf8"));
  }
  if (!existsSync(packed)) return null;
  const pack = parsed(await readFile(packed, "utf8"));
  return canBuild() && (await digestOfFiles(pack.inputs)) !== pack.inputsDigest ? null : pack;
}

/** Builds the interface and keeps it; another process that does the same puts the same in its place. */
export async function makePack(): Promise<InterfacePack> {
  const { buildInterface } = await import("./build_interface.ts");
  const pack = await buildInterface(interfaceEntry, packageRoot, digestOfFiles);
  await mkdir(dirname(packed), { recursive: true });
  const unfinished = `${packed}.${crypto.randomUUID()}`;
  await writeFile(unfinished, JSON.stringify(pack));
  await rename(unfinished, packed);
  return pack;
}

function parsed(text: string): InterfacePack {
  return JSON.parse(text) as InterfacePack;
}

async function digestOfFiles(paths: readonly string[]): Promise<string | null> {
  const hash = createHash("sha256");
  for (const path of paths) {
    try {
      hash
        .update(path)
        .update("\0")
        .update(await readFile(join(packageRoot, path)));
    } catch {
      return null;
    }
  }
  return hash.digest("hex");
}
