// Runs the code blocks of README.md and the guides as they stand, against a fresh server.
//
//     scripts/bun scripts/check_readme.ts                   all pages; the server is this checkout's
//     scripts/bun scripts/check_readme.ts README.md         one page
//     scripts/bun scripts/check_readme.ts --fresh           README.md in a fresh clone, with its first block
//
// Every page gets a server and a home directory of its own. Blocks run in order and stop at the first that fails, and
// nothing is left behind. Without `--fresh`, addresses and paths of the system are replaced by the test's own
// (`readme_server.ts`); with it, nothing is changed (and 127.0.0.1:8080 must be free). Blocks whose tools are missing
// are skipped, each with a line; with CI=true the tools in `neededInCi` are not optional.

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  descendants,
  eventually,
  isAlive,
  packageDirectory,
  type Registry,
  runOk,
  startDockerRegistry,
  tempDirectory,
} from "../test/harness.ts";
import { runnableBlocks, type Block } from "./readme_blocks.ts";
import { PageServer } from "./readme_server.ts";
import { hasTool, makeImage, makeWorld, type World } from "./readme_world.ts";

const writtenAddress = "127.0.0.1:8080";
/** The registry that one migrates from: a docker-registry with two images. */
const oldAddress = "old.example.com:5000";
const startMs = 300_000;
/** What `.ci/run` installs from Debian's packages; the rest is for machines that have it. */
const neededInCi: readonly string[] = [
  "skopeo",
  "podman",
  "buildah",
  "curl",
  "openssl",
  "htpasswd",
  "docker-registry",
  "jq",
  "sqlite3",
];

export interface CheckedPage {
  readonly ran: readonly Block[];
  readonly skipped: readonly Block[];
}

/** The blocks of a page that run on this machine; `file` is relative to the checkout, or absolute. */
export async function readBlocks(file: string): Promise<Block[]> {
  const blocks = runnableBlocks(file, await Bun.file(resolve(packageDirectory, file)).text());
  return blocks.filter(({ on }) => on === null);
}

/** Runs a page's blocks against this checkout. `only` says which; all when left out. */
export async function checkPage(
  file: string,
  only: (block: Block) => boolean = () => true,
): Promise<CheckedPage> {
  const blocks = (await readBlocks(file)).filter((block) => block.kind !== "start" && only(block));
  if (blocks.length === 0) return { ran: [], skipped: [] };
  await using world = await makeWorld();
  await using old = blocks.some(({ text }) => text.includes(oldAddress))
    ? await startOldRegistry()
    : null;
  await using server = await PageServer.start(world);
  return await runBlocks(blocks, world, {
    edited: (text) => server.edited(text).replaceAll(oldAddress, old?.host ?? oldAddress),
    serve: (text) => server.serve(text),
    settled: () => layoutsSettled(server.url, server.rootDirectory),
  });
}

/** As a new user: clone, the page's first block as it is, then the others, then Ctrl+C. */
export async function checkFresh(file: string): Promise<CheckedPage> {
  await using directory = await tempDirectory("zot-fresh-readme");
  const clone = join(directory.path, "zot");
  const safe = ["-c", "safe.directory=*"];
  await runOk("git", [...safe, "clone", "-q", "--no-hardlinks", packageDirectory, clone]);
  const blocks = await readBlocks(file);
  const start = blocks.find((block) => block.kind === "start");
  if (start === undefined) throw new Error(`${file}: expected a block marked run=start`);
  await using world = await makeWorld(clone);
  const env = { ...world.env, ...(await npmSettings()) };
  await using server = await startAsTyped(start.text, { cwd: clone, env });
  const others = blocks.filter((block) => block.kind !== "start");
  const rootDirectory = join(world.home, ".local/share/zot");
  const checked = await runBlocks(others, world, {
    edited: (text) => text,
    serve: () => Promise.reject(new Error(`${file}: expected no configuration to serve`)),
    settled: () => layoutsSettled(server.url, rootDirectory),
  });
  return { ran: [start, ...checked.ran], skipped: checked.skipped };
}

/** What blocks are run against. */
interface Target {
  edited(text: string): string;
  serve(configuration: string): Promise<void>;
  /** Resolves once the directory shows what was pushed. */
  settled(): Promise<void>;
}

async function runBlocks(
  blocks: readonly Block[],
  world: World,
  target: Target,
): Promise<CheckedPage> {
  const ran: Block[] = [];
  const skipped: Block[] = [];
  for (const block of blocks) {
    if (!(await haveTools(block))) {
      skipped.push(block);
      continue;
    }
    const problem =
      block.kind === "configuration"
        ? await configured(block, world, target).catch(String)
        : await failure(world, target.edited(block.text));
    if (problem !== null) throw new Error(`${block.file}:${block.line}: ${problem}`);
    ran.push(block);
    await target.settled();
  }
  return { ran, skipped };
}

/** What was wrong with a run of commands; null when nothing was. */
async function failure(world: World, commands: string): Promise<string | null> {
  const { code, stdout, stderr } = await world.shell(commands);
  if (code === 0) return null;
  return `exit code ${code}\n${commands}\n${`${stdout}\n${stderr}`.trim()}`;
}

async function configured(block: Block, world: World, target: Target): Promise<null> {
  if (block.path !== null) {
    await Bun.write(join(world.workingDirectory, block.path), target.edited(block.text));
  }
  if (block.serves) await target.serve(block.text);
  return null;
}

async function haveTools({ needs }: Block): Promise<boolean> {
  const missing: string[] = [];
  for (const name of needs) if (!(await hasTool(name))) missing.push(name);
  const needed = missing.filter((name) => neededInCi.includes(name));
  if (needed.length > 0 && process.env["CI"] === "true") {
    throw new Error(`in CI this is an error: not installed: ${needed.join(", ")}`);
  }
  return missing.length === 0;
}

/** index.json follows a push within a moment; the next block may read it. */
async function layoutsSettled(url: string, rootDirectory: string): Promise<void> {
  const get = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();
  const answer = await fetch(`${url}/v2/_catalog`).catch(() => null);
  // Where a login or trust is needed, no block reads the directory.
  if (answer?.status !== 200) return;
  const { repositories } = (await answer.json()) as { repositories: string[] };
  for (const name of repositories) {
    await eventually(`index.json of ${name} lists its tags`, async () => {
      const { tags } = (await get(`/v2/${name}/tags/list`)) as { tags: string[] };
      const index = Bun.file(join(rootDirectory, name, "index.json"));
      const text = await index.text().catch(() => "");
      return tags.every((tag) => text.includes(`"org.opencontainers.image.ref.name":"${tag}"`));
    });
  }
}

/** Null where docker-registry is not installed: blocks that speak of it need it. */
async function startOldRegistry(): Promise<Registry | null> {
  if (Bun.which("docker-registry") === null) return null;
  await using directory = await tempDirectory("zot-old");
  const layout = join(directory.path, "app");
  await mkdir(layout);
  await makeImage(layout);
  await using scope = new AsyncDisposableStack();
  const old = scope.use(await startDockerRegistry());
  for (const name of ["app", "team/app"]) {
    const image = `docker://${old.host}/${name}:latest`;
    const flags = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
    await runOk("skopeo", [...flags, `oci:${layout}:latest`, image]);
  }
  scope.move();
  return old;
}

/** Starts a shell command line in a process group of its own, and ends the group as Ctrl+C does. */
async function startAsTyped(
  text: string,
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<AsyncDisposable & { readonly url: string }> {
  const url = `http://${writtenAddress}`;
  if ((await fetch(url).catch(() => null)) !== null) {
    throw new Error(`expected ${writtenAddress} to be free, and something answers there`);
  }
  const log = join(options.cwd, "..", "start.log");
  const child = Bun.spawn(["sh", "-c", text], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: Bun.file(log),
    detached: true,
  });
  const stop = async (): Promise<void> => {
    const all = [child.pid, ...descendants(child.pid)];
    process.kill(-child.pid, "SIGINT");
    await eventually("Ctrl+C ends every process", () => !all.some(isAlive), 45_000);
  };
  try {
    await eventually(
      `'${text}' serves`,
      async () => {
        if (child.exitCode !== null) throw new Error(`'${text}' ended`);
        return (await fetch(`${url}/readyz`).catch(() => null))?.status === 200;
      },
      startMs,
    );
  } catch (error) {
    if (child.exitCode === null) await stop();
    throw new Error(await Bun.file(log).text(), { cause: error });
  }
  return { url, [Symbol.asyncDispose]: stop };
}

/** The user's npm settings, which a new home directory would hide. */
async function npmSettings(): Promise<Record<string, string>> {
  const get = async (key: string) => (await runOk("npm", ["config", "get", key])).stdout.trim();
  return { npm_config_cache: await get("cache"), npm_config_userconfig: await get("userconfig") };
}

function show({ ran, skipped }: CheckedPage): void {
  for (const { file, line } of ran) console.log(`ran      ${file}:${line}`);
  for (const { file, line, needs } of skipped) {
    console.log(`skipped  ${file}:${line} (needs ${needs.join(", ")})`);
  }
}

if (import.meta.main) {
  const words = process.argv.slice(2);
  const files = words.filter((word) => !word.startsWith("--"));
  if (words.includes("--fresh")) {
    show(await checkFresh(files[0] ?? "README.md"));
  } else {
    const guides = [...new Bun.Glob("docs/guides/*.md").scanSync(packageDirectory)].sort();
    for (const file of files.length > 0 ? files : ["README.md", ...guides])
      show(await checkPage(file));
  }
  // A wait that nobody waits for any more would hold the process up.
  process.exit(0);
}
