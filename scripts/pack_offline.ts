/**
 * `npm run pack:offline`: the npm package with all that it needs, the runtime included, for a machine without a network.
 *
 * The package of `npm pack` names its dependencies, and npm fetches them. This one carries them, so it is for the
 * platform that it was packed on: `dist/zot-registry-<version>-<platform>.tgz`, with its line in dist/SHA256SUMS.
 */
import { chmod, copyFile, cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { writeChecksums } from "./checksums.ts";

const root = join(import.meta.dir, "..");
const output = join(root, "dist");
const work = await mkdtemp(join(tmpdir(), "zot-offline-"));
try {
  await mkdir(output, { recursive: true });
  await npm(root, "pack", "--pack-destination", work);
  const plain = `${packageJson.name}-${packageJson.version}.tgz`;
  await run(["tar", "-xzf", plain], work);
  const staged = join(work, "package");
  for (const path of await dependencyPaths()) {
    await cp(join(root, path), join(staged, path), { recursive: true });
  }
  await addRuntime(join(staged, "node_modules/bun"));
  await edit(join(staged, "package.json"), {
    scripts: undefined,
    devDependencies: undefined,
    overrides: undefined,
    bundleDependencies: Object.keys(packageJson.dependencies),
    os: [process.platform],
    cpu: [process.arch],
  });
  await npm(staged, "pack", "--ignore-scripts", "--pack-destination", work);
  const name = plain.replace(/\.tgz$/, `-${process.platform}-${process.arch}.tgz`);
  await copyFile(join(work, plain), join(output, `${name}.unfinished`));
  await rename(join(output, `${name}.unfinished`), join(output, name));
  await writeChecksums(output);
  console.log(join(output, name));
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Paths below the checkout of what the server needs, but for packages that hold nothing but the runtime. */
async function dependencyPaths(): Promise<string[]> {
  const listed = await npm(root, "ls", "--omit=dev", "--all", "--parseable");
  const paths = listed.split("\n").map((line) => relative(root, line.trim()));
  return paths.filter((path) => path.startsWith("node_modules/") && !path.includes("@oven/"));
}

/** npm would fetch the runtime's packages for other platforms, and run a script that fetches this one's. */
async function addRuntime(directory: string): Promise<void> {
  const binary = join(directory, "bin/bun.exe");
  await rm(join(directory, "bin"), { recursive: true, force: true });
  await mkdir(join(directory, "bin"));
  await copyFile(process.execPath, binary);
  await chmod(binary, 0o755);
  await edit(join(directory, "package.json"), {
    scripts: undefined,
    optionalDependencies: undefined,
  });
}

async function edit(path: string, changes: object): Promise<void> {
  const content = (await Bun.file(path).json()) as object;
  await Bun.write(path, `${JSON.stringify({ ...content, ...changes }, null, 2)}\n`);
}

function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  return run(["npm", "--silent", ...args], cwd);
}

async function run(command: readonly string[], cwd: string): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`pack:offline: '${command.join(" ")}' failed`);
  return text;
}
