// What `npm run build` and `npm run build:image` make, built once for a test run.

import { copyFile, chmod } from "node:fs/promises";
import { join } from "node:path";
import { packageDirectory, runDirectory, runOk } from "../harness.ts";

const host = `linux-${process.arch}`;
let executable: Promise<string> | null = null;
let image: Promise<string> | null = null;

/** Path of the executable for this machine, in a directory that other users may enter. */
export function builtExecutable(): Promise<string> {
  executable ??= buildExecutable();
  return executable;
}

async function buildExecutable(): Promise<string> {
  await runOk(join(packageDirectory, "scripts/bun"), ["scripts/build.ts"], {
    cwd: packageDirectory,
    timeoutMs: 120_000,
  });
  const directory = await runDirectory();
  await chmod(directory, 0o755);
  const path = join(directory, "zot");
  await copyFile(join(packageDirectory, `dist/zot-${host}`), path);
  await chmod(path, 0o755);
  return path;
}

/** Path of the image layout, made from the executable. */
export function builtImage(): Promise<string> {
  image ??= buildImage();
  return image;
}

async function buildImage(): Promise<string> {
  await builtExecutable();
  await runOk(join(packageDirectory, "scripts/bun"), ["scripts/build_image.ts"], {
    cwd: packageDirectory,
    timeoutMs: 300_000,
  });
  return join(packageDirectory, "dist/image");
}
