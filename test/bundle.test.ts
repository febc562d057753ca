// The bundle that `npm ci` makes: `bin/zot` runs it as long as the sources are what they were, and then the sources.

import { expect, test } from "bun:test";
import {
  cp,
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { bundleDirectory, recordFile, scriptOf, type BundleRecord } from "../src/cli/bundle.ts";
import { packageDirectory, runOk, startZot, tempDirectory } from "./harness.ts";

const said = "Serve a registry until it is told to stop";
const saidByBundle = "The bundle was asked";

/** What runs, without what tests and builds need. */
async function copyPackage(to: string): Promise<void> {
  for (const path of [
    "bin",
    "scripts",
    "src",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
  ]) {
    await cp(join(packageDirectory, path), join(to, path), { recursive: true });
  }
  const lock: unknown = JSON.parse(
    await readFile(join(packageDirectory, "package-lock.json"), "utf8"),
  );
  const { packages } = lock as { packages: Record<string, { dev?: boolean }> };
  for (const [path, { dev }] of Object.entries(packages)) {
    if (path === "" || dev === true || /\/(bun|@oven\/.*)$/.test(path)) continue;
    await mkdir(dirname(join(to, path)), { recursive: true });
    await cp(join(packageDirectory, path), join(to, path), { recursive: true });
  }
  for (const path of ["node_modules/bun", "node_modules/@oven"]) {
    await symlink(join(packageDirectory, path), join(to, path));
  }
}

test("bin/zot serves from the bundle until a source is written, whatever time the source has", async () => {
  await using directory = await tempDirectory("zot-bundle");
  const root = join(directory.path, "package");
  await mkdir(root);
  await copyPackage(root);
  const program = join(root, "bin/zot");
  const help = async (): Promise<string> => (await runOk(program, ["serve", "--help"])).stdout;
  await runOk(join(root, "scripts/bun"), ["scripts/bundle.ts"], { cwd: root });

  const recordPath = join(root, bundleDirectory, recordFile);
  const record = JSON.parse(await readFile(recordPath, "utf8")) as BundleRecord;
  expect(record.inputs.filter(([, stamp]) => stamp === null).map(([path]) => path)).toEqual([
    "node_modules/.package-lock.json",
  ]);
  const loaded = record.inputs.map(([path]) => path);
  expect(loaded).toEqual(
    expect.arrayContaining([
      "src/cli/serve.ts",
      "src/cli/worker.ts",
      "node_modules/zod/package.json",
    ]),
  );
  expect(loaded.filter((path) => path.startsWith(".."))).toEqual([]);

  // It does what the sources do, its thread that hashes included.
  await using zot = await startZot({ executable: program });
  const bytes = new Uint8Array(1_000_000).fill(7);
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
  const opened = await fetch(`${zot.url}/v2/team/app/blobs/uploads/`, { method: "POST" });
  const session = new URL(opened.headers.get("location") ?? "", zot.url);
  session.searchParams.set("digest", digest);
  expect((await fetch(session, { method: "PUT", body: bytes })).status).toBe(201);
  expect(await (await fetch(`${zot.url}/v2/team/app/blobs/${digest}`)).bytes()).toEqual(bytes);

  // That it is the bundle that runs, shows when it says something else.
  const script = scriptOf(join(root, bundleDirectory, record.directory), "serve");
  await rm(`${script}.jsc`);
  await writeFile(script, (await readFile(script, "utf8")).replace(said, saidByBundle));
  expect(await help()).toContain(saidByBundle);

  const source = join(root, "src/cli/commands.ts");
  const { atime, mtime } = await stat(source);
  await writeFile(source, await readFile(source));
  await utimes(source, atime, mtime);
  expect(await help()).toContain(said);
  expect(await help()).not.toContain(saidByBundle);

  await runOk(join(root, "scripts/bun"), ["scripts/bundle.ts"], { cwd: root });
  expect((JSON.parse(await readFile(recordPath, "utf8")) as BundleRecord).directory).not.toBe(
    record.directory,
  );
  await rename(root, `${root}-moved`);
  expect((await runOk(join(`${root}-moved`, "bin/zot"), ["serve", "--help"])).stdout).toContain(
    said,
  );
}, 240_000);
