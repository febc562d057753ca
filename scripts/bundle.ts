/**
 * `npm ci` runs this last: bundles what `bin/zot serve` and its workers load, parsed, for a start in half the time.
 *
 * `src/cli/bundle.ts` says when a bundle counts. It appears whole: its directory is made first, then the record that
 * names it. What cannot be made costs a start its time and nothing else, so that an installation never fails here.
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import {
  bundled,
  bundleDirectory,
  recordFile,
  runtime,
  stampIn,
  type Bundled,
  type BundleRecord,
} from "../src/cli/bundle.ts";

const root = resolve(import.meta.dir, "..");
const cache = join(root, bundleDirectory);
/** Files that decide what is loaded, and are not loaded themselves. */
const deciding = [
  "package.json",
  "package-lock.json",
  "node_modules/.package-lock.json",
  "tsconfig.json",
];
/** A file that was written so lately may be written again without another time. */
const settledMs = 2_000;
/** Directories of other runs that were not finished, or not removed. */
const leftMs = 10 * 60_000;
/** States of the sources that are tried, while somebody writes them. */
const triesMax = 3;

/** Modules that load paths of files which are handed out. */
const handingOut = ["api/viewer.ts", "extensions/ui/interface_pack.ts"];
/** What a process that begins with one of these words never loads of the tables of commands. */
const tables = ["main.ts", "cli/commands.ts", "cli/asking_commands.ts", "cli/own_command.ts"];
const own: Readonly<Record<Bundled, RegExp>> = {
  serve: /\/(program|serve_command)\.ts$/,
  worker: /\/worker\.ts$/,
};

try {
  await makeBundle();
} catch (error) {
  console.error(`zot: no bundle was made, so starts take longer (${String(error)})`);
}

async function makeBundle(): Promise<void> {
  const directory = crypto.randomUUID();
  const target = join(cache, directory);
  for (let attempt = 1; attempt <= triesMax; attempt += 1) {
    const before = await settled(await inputsOf(target));
    await mkdir(target, { recursive: true });
    const after = stamps(await build(target, true));
    if (JSON.stringify(before) !== JSON.stringify(after)) continue;
    const record: BundleRecord = { root, runtime, directory, inputs: after };
    await writeFile(join(target, recordFile), JSON.stringify(record));
    await rename(join(target, recordFile), join(cache, recordFile));
    await removeOthers(directory);
    return;
  }
  await rm(target, { recursive: true, force: true });
  throw new Error("the sources were written meanwhile");
}

/** The files that go into it, by a build that writes nothing. */
function inputsOf(target: string): Promise<string[]> {
  return build(target, false);
}

/** What the files are, once none of them was written just now. */
async function settled(paths: readonly string[]): Promise<BundleRecord["inputs"]> {
  const times = await Promise.all(
    paths.map(async (path) => (await stat(join(root, path))).ctimeMs),
  );
  await Bun.sleep(Math.max(0, Math.min(settledMs, Math.max(...times) + settledMs - Date.now())));
  return stamps(paths);
}

function stamps(paths: readonly string[]): BundleRecord["inputs"] {
  return [...deciding, ...paths].map((path) => [path, stampIn(root, path)]);
}

/** Builds all bundles into a directory, or nowhere; gives every file that goes in. */
async function build(target: string, isWritten: boolean): Promise<string[]> {
  const inputs = new Set<string>();
  for (const kind of bundled) {
    const result = await Bun.build({
      entrypoints: [join(root, "src/main.ts")],
      root: join(root, "src"),
      target: "bun",
      format: "cjs",
      bytecode: isWritten,
      metafile: true,
      ...(isWritten ? { outdir: join(target, kind) } : {}),
      define: { ZOT_SOURCES: JSON.stringify(join(root, "src")) },
      plugins: [{ name: "own commands only", setup: (build) => leaveOthers(build, kind) }],
    });
    if (!result.success) throw new AggregateError(result.logs, "the build failed");
    for (const path of Object.keys(result.metafile?.inputs ?? {})) {
      inputs.add(relative(root, resolve(path)));
    }
  }
  const packages = [...inputs].flatMap(
    (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  for (const each of packages) inputs.add(join(each, "package.json"));
  return [...inputs].toSorted();
}

/** Of what is loaded when it is needed, what belongs to another command stays where it is. */
function leaveOthers(build: Bun.PluginBuilder, kind: Bundled): void {
  build.onResolve({ filter: /^\./ }, ({ path, importer, kind: how }) => {
    if (how !== "dynamic-import") return undefined;
    const from = relative(join(root, "src"), importer);
    const isOther = tables.includes(from) && !own[kind].test(path);
    // Files that are handed out are read where they lie.
    if (!isOther && !handingOut.includes(from)) return undefined;
    return { path: resolve(dirname(importer), path), external: true };
  });
}

async function removeOthers(kept: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    if (name === kept || name === recordFile) continue;
    const { mtimeMs } = await stat(path);
    if (mtimeMs < Date.now() - leftMs) await rm(path, { recursive: true, force: true });
  }
}
