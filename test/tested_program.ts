// The program that tests start as a server: an executable of the sources as they are, as releases and images have it.
//
// It starts in a third of the processor time of `bin/zot`, which reads and compiles every source file in each of its
// processes; `test/launch.test.ts`, `test/exit_status.test.ts` and others start that one. It is built when a source has
// changed, and kept in `dist/tested`. `ZOT_TEST_PROGRAM` names another program for all tests, such as `bin/zot`.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { commitOf } from "../src/lib/program_commit.ts";
import { runOk } from "./processes.ts";

const packageDirectory = resolve(import.meta.dir, "..");
/** The launcher of a checkout. */
export const checkoutProgram = join(packageDirectory, "bin", "zot");
const builtDirectory = join(packageDirectory, "dist", "tested");
/** Executables of earlier states that are kept: another run may be using one. */
const keptMax = 6;
/** A source that changes during a build, as in a checkout of another branch, has it begin anew so often. */
const buildsMax = 4;

/** By the program's script. */
const built = new Map<string, Promise<string>>();

export function testedProgram(): Promise<string> {
  const given = process.env["ZOT_TEST_PROGRAM"] ?? "";
  if (given !== "") return Promise.resolve(resolve(packageDirectory, given));
  return builtProgram("src/main.ts");
}

/** The executable of a script in this package that stands alone over `src`. */
export function builtProgram(script: string): Promise<string> {
  const known = built.get(script) ?? build(script);
  built.set(script, known);
  return known;
}

async function build(script: string): Promise<string> {
  return builtAsItIs(() => stateOf(script), {
    kept: (state) => join(builtDirectory, state, "zot"),
    build: (path) => buildTo(script, path),
  });
}

/**
 * The program of the state that the sources have, built where it is not kept. What was built while they changed is of
 * neither state: it is thrown away, and the new state is built.
 */
export async function builtAsItIs(
  readState: () => Promise<string>,
  of: {
    readonly kept: (state: string) => string;
    readonly build: (path: string) => Promise<void>;
  },
): Promise<string> {
  let state = await readState();
  for (let builds = 0; builds < buildsMax; builds += 1) {
    // A server is known by the name of its program, too.
    const path = of.kept(state);
    if (await Bun.file(path).exists()) return path;
    await mkdir(dirname(path), { recursive: true });
    const building = join(dirname(path), crypto.randomUUID());
    await of.build(building);
    const now = await readState();
    if (now === state) {
      await rename(building, path);
      return path;
    }
    await rm(building, { force: true });
    state = now;
  }
  throw new Error(`tested program: the sources changed during each of ${buildsMax} builds`);
}

async function buildTo(script: string, path: string): Promise<void> {
  await removeOld(dirname(path));
  await runOk(
    join(packageDirectory, "scripts/bun"),
    ["scripts/build.ts", "--outfile", path, "--program", script],
    // What a test run sets for itself is not built in.
    { cwd: packageDirectory, env: { NODE_ENV: undefined }, timeoutMs: 300_000 },
  );
}

/** A digest of everything that goes into the executable, its commit included. */
async function stateOf(script: string): Promise<string> {
  const files = [...new Bun.Glob("src/**/*").scanSync(packageDirectory)];
  // A pattern that matches nothing would have every test run against what was built before.
  if (files.length === 0) throw new Error("tested program: there are no sources");
  files.push("scripts/build.ts", "package.json", "package-lock.json");
  const hash = createHash("sha256").update(`${Bun.version} ${commitOf(packageDirectory)}\n`);
  for (const file of [...files.sort(), script]) {
    if (file.endsWith(".test.ts")) continue;
    const bytes = await readFile(join(packageDirectory, file));
    hash.update(`${file} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest("hex").slice(0, 20);
}

async function removeOld(besides: string): Promise<void> {
  const paths = (await readdir(builtDirectory)).map((name) => join(builtDirectory, name));
  const states = await Promise.all(
    paths.map(async (path) => ({ path, madeMs: (await stat(path)).mtimeMs })),
  );
  const old = states
    .filter(({ path }) => path !== besides)
    .toSorted((a, b) => b.madeMs - a.madeMs)
    .slice(keptMax - 1);
  for (const { path } of old) await rm(path, { recursive: true, force: true });
}
