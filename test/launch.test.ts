// `bin/zot serve` as a process: who it runs as, where it is started from, how it ends.
//
// Proves: an unprivileged user without a home directory can serve, and everything stored is that user's;
// links and other working directories do not matter; SIGTERM ends it and all its workers with status 0, SIGKILL
// of the supervisor leaves no worker behind, and what was pushed before is there after the next start.

import { describe, expect, test } from "bun:test";
import { chmod, cp, readdir, readFile, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import {
  isAlive,
  packageDirectory,
  requireRoot,
  requireTool,
  run,
  checkoutProgram,
  startZot,
  tempDirectory,
  type Zot,
} from "./harness.ts";

const nobody = 65_534;
const startMs = 60_000;

/** Pushes the smallest image there is under a tag; the manifest's text. */
async function pushImage(zot: Zot, repository: string, tag: string): Promise<string> {
  const config = "{}";
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(config).digest("hex")}`;
  const uploads = `${zot.url}/v2/${repository}/blobs/uploads/`;
  const blob = await fetch(`${uploads}?digest=${digest}`, { method: "POST", body: config });
  expect(blob.status).toBe(201);
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest, size: config.length },
    layers: [],
    annotations: { "com.example.tag": tag },
  });
  const put = await fetch(`${zot.url}/v2/${repository}/manifests/${tag}`, {
    method: "PUT",
    headers: { "content-type": mediaType },
    body: manifest,
  });
  expect(put.status).toBe(201);
  return manifest;
}

async function pull(zot: Zot, repository: string, tag: string): Promise<string> {
  const got = await fetch(`${zot.url}/v2/${repository}/manifests/${tag}`);
  expect(got.status).toBe(200);
  return got.text();
}

describe("as an unprivileged user", () => {
  const ready = requireTool("setpriv") && requireRoot();

  test.skipIf(!ready)(
    "serves without a home directory; processes and files are the user's",
    async () => {
      await using readable = await readablePackage();
      await using zot = await startZot({
        uid: nobody,
        executable: join(readable.path, "bin", "zot"),
        cwd: "/",
        env: { HOME: undefined, XDG_DATA_HOME: undefined, XDG_CONFIG_HOME: undefined },
      });
      const pushed = await pushImage(zot, "plain/user", "1");
      expect(await pull(zot, "plain/user", "1")).toBe(pushed);
      const workers = zot.workerPids();
      expect(workers.length).toBeGreaterThan(0);
      for (const pid of [zot.pid, ...workers]) {
        const status = await readFile(`/proc/${pid}/status`, "utf8");
        const users = /^Uid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/);
        expect(users).toEqual(Array.from({ length: 4 }, () => String(nobody)));
      }
      expect(await zot.stop()).toBe(0);
      for (const entry of await readdir(zot.rootDirectory, { recursive: true })) {
        expect({ entry, uid: (await stat(join(zot.rootDirectory, entry))).uid }).toEqual({
          entry,
          uid: nobody,
        });
      }
      expect(zot.stderr()).toEqual([]);
    },
    startMs,
  );
});

/** This checkout, or a copy of what runs where the checkout lies in a directory that only root may enter. */
async function readablePackage(): Promise<AsyncDisposable & { path: string }> {
  const user = ["--reuid", String(nobody), "--regid", String(nobody), "--clear-groups"];
  const file = join(packageDirectory, "src", "main.ts");
  if ((await run("setpriv", [...user, "test", "-r", file])).code === 0) {
    return { path: packageDirectory, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const copy = await tempDirectory("zot-readable");
  await chmod(copy.path, 0o755);
  for (const name of ["bin", "scripts", "src", "package.json", "node_modules"]) {
    const to = join(copy.path, name);
    await cp(join(packageDirectory, name), to, { recursive: true, verbatimSymlinks: true });
  }
  return copy;
}

test(
  "serves when started through links from another directory",
  async () => {
    await using directory = await tempDirectory();
    await symlink(join(packageDirectory, "bin", "zot"), join(directory.path, "first"));
    await symlink("first", join(directory.path, "zot"));
    await using zot = await startZot({
      executable: join(directory.path, "zot"),
      cwd: directory.path,
    });
    expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
    expect(await readdir(directory.path)).toEqual(expect.arrayContaining(["first", "zot"]));
    expect((await readdir(directory.path)).length).toBe(2);
  },
  startMs,
);

test(
  "SIGTERM ends every process with status 0, and the next start serves what was pushed",
  async () => {
    await using root = await tempDirectory();
    const rootDirectory = root.path;
    await using first = await startZot({ executable: checkoutProgram, rootDirectory });
    const pushed = await pushImage(first, "kept/app", "1");
    const workers = first.workerPids();
    expect(await first.stop()).toBe(0);
    expect([first.pid, ...workers].filter(isAlive)).toEqual([]);

    await using second = await startZot({ executable: checkoutProgram, rootDirectory });
    expect(await pull(second, "kept/app", "1")).toBe(pushed);
  },
  startMs,
);

test(
  "SIGKILL of the supervisor takes its workers with it, and no acknowledged push is lost",
  async () => {
    await using root = await tempDirectory();
    const rootDirectory = root.path;
    await using first = await startZot({ executable: checkoutProgram, rootDirectory });
    const pushed = [];
    for (const tag of ["1", "2", "3"]) pushed.push(await pushImage(first, "kept/app", tag));
    await first.kill();

    await using second = await startZot({ executable: checkoutProgram, rootDirectory });
    for (const [index, tag] of ["1", "2", "3"].entries()) {
      expect(await pull(second, "kept/app", tag)).toBe(pushed[index] ?? "");
    }
  },
  startMs,
);
