/**
 * `npm run build`: one executable per platform, with checksums.
 *
 * `dist/zot` (for this machine) and `dist/zot-<platform>` do all that `bin/zot` does with no Node, npm or node_modules.
 * The same sources, lock file and options give the same bytes. `dist/SHA256SUMS` is in the form that `sha256sum
 * --check` reads. Executables of this machine's platform are started once before they count as built.
 *
 *     npm run build                          for this machine
 *     npm run build -- --all                 every platform of the table
 *     npm run build -- --platform linux-arm64 [--platform …]
 *     npm run build -- --outfile <path> [--program <script>]
 *                                            for this machine, to this file alone; of another program on these sources
 */
import { chmod, copyFile, mkdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { writeChecksums } from "./checksums.ts";
import { commitOf } from "../src/lib/program_commit.ts";

const root = join(import.meta.dir, "..");
const output = join(root, "dist");
const mainProgram = "src/main.ts";
/** Each thread's script: a thread starts from a module of its own. */
const threads = ["src/storage/filesystem/hash_worker.ts"];

/** Platforms by the name of their executable, with the compiler's name for them. */
const platforms = {
  "linux-x64": "bun-linux-x64",
  "linux-arm64": "bun-linux-arm64",
  "linux-x64-musl": "bun-linux-x64-musl",
  "linux-arm64-musl": "bun-linux-arm64-musl",
  "darwin-arm64": "bun-darwin-arm64",
  "darwin-x64": "bun-darwin-x64",
} as const satisfies Record<string, Bun.Build.CompileTarget>;
type Platform = keyof typeof platforms;

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: {
    all: { type: "boolean" },
    platform: { type: "string", multiple: true },
    outfile: { type: "string" },
    program: { type: "string", default: mainProgram },
  },
});

buildInterface();

const host = `${process.platform}-${process.arch}`;
if (values.outfile === undefined) await buildAll(chosen());
else if (isPlatform(host)) await build(host, values.outfile);
else throw new Error(`build: there is no executable for ${host}`);

async function buildAll(wanted: readonly Platform[]): Promise<void> {
  await mkdir(output, { recursive: true });
  for (const platform of wanted) await build(platform, join(output, `zot-${platform}`));
  if (wanted.some((platform) => platform === host)) {
    await copyFile(join(output, `zot-${host}`), join(output, "zot"));
  }
  await writeChecksums(output);
}

/** An executable has the built interface in it, and cannot build one. */
function buildInterface(): void {
  const command = [process.execPath, join(import.meta.dir, "build_interface.ts"), "--required"];
  const { exitCode } = Bun.spawnSync(command, { stdio: ["ignore", "ignore", "inherit"] });
  if (exitCode !== 0) process.exit(1);
}

function chosen(): Platform[] {
  const names = values.all === true ? Object.keys(platforms) : (values.platform ?? [host]);
  const unknown = names.find((name) => !isPlatform(name));
  if (unknown !== undefined) {
    const known = Object.keys(platforms).join(", ");
    console.error(`build: expected a platform of ${known}, got ${unknown}`);
    process.exit(1);
  }
  return names.filter(isPlatform);
}

function isPlatform(name: string): name is Platform {
  return Object.hasOwn(platforms, name);
}

async function build(platform: Platform, file: string): Promise<void> {
  const started = performance.now();
  const unfinished = `${file}.unfinished`;
  const result = await Bun.build({
    entrypoints: [values.program, ...threads].map((path) => join(root, path)),
    root: join(root, "src"),
    // Parsed once, here: the first answer comes in half the time.
    bytecode: true,
    format: "esm",
    minify: { whitespace: true, syntax: true, identifiers: false },
    define: { ZOT_BUILT_COMMIT: JSON.stringify(commitOf(root) ?? "") },
    // A build reads no settings from the directory that it runs in.
    compile: {
      target: platforms[platform],
      outfile: unfinished,
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
  });
  if (!result.success) throw new AggregateError(result.logs, `build of ${platform} failed`);
  await chmod(unfinished, 0o755);
  if (platform === host && values.program === mainProgram) checkStarts(unfinished);
  await rename(unfinished, file);
  const megabytes = (Bun.file(file).size / 1e6).toFixed(1);
  console.log(`${file}  ${megabytes} MB  ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

function checkStarts(file: string): void {
  const { exitCode, stderr } = Bun.spawnSync([file, "--version"], { cwd: "/" });
  if (exitCode !== 0)
    throw new Error(`build: ${basename(file)} does not start: ${stderr.toString()}`);
}
