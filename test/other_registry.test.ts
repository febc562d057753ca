// Starting on the directory of docker-registry: a warning that names the way over, and nothing of its is touched.

import { expect, test } from "bun:test";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { otherRegistryAdvice } from "../src/storage/other_registry.ts";
import {
  packageDirectory,
  requireTool,
  runOk,
  startDockerRegistry,
  startZot,
  tempDirectory,
  type Zot,
} from "./harness.ts";

async function pushBlob(url: string, content: string): Promise<void> {
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(content).digest("hex")}`;
  const opened = await fetch(`${url}/v2/team/app/blobs/uploads/`, { method: "POST" });
  const location = new URL(opened.headers.get("location") ?? "", url);
  location.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream" };
  expect((await fetch(location, { method: "PUT", headers, body: content })).status).toBe(201);
}

const warnings = (zot: Zot): string[] =>
  zot.logs().flatMap(({ level, msg }) => (level === "warn" ? [String(msg)] : []));

test.skipIf(!requireTool("docker-registry"))(
  "docker-registry's directory is recognised at the start and by verify, and left as it is",
  async () => {
    await using registry = await startDockerRegistry();
    const { rootDirectory } = registry;
    await pushBlob(registry.url, "a layer");
    await registry.stop();
    const theirs = join(rootDirectory, "docker");
    const before = (await readdir(theirs, { recursive: true })).toSorted();
    for (const root of [rootDirectory, join(theirs, "registry/v2")]) {
      await using zot = await startZot({ rootDirectory: root });
      const [advice = ""] = warnings(zot).filter((line) => line.includes("docker-registry"));
      expect(advice).toStartWith(
        `storage.rootDirectory: ${theirs}/registry/v2 holds what docker-registry`,
      );
      expect(advice).toContain("docs/guides/migrate.md");
      const program = join(packageDirectory, "bin/zot");
      const { stderr } = await runOk(program, ["verify", zot.configFile]);
      expect(stderr).toContain(`warning: ${advice}\n`);
      expect(await zot.stop()).toBe(0);
      await rm(join(root, "_zot"), { recursive: true });
    }
    expect((await readdir(theirs, { recursive: true })).toSorted()).toEqual(before);
  },
  60_000,
);

test("a repository of that name, and a directory of another kind, are nobody else's", async () => {
  await using directory = await tempDirectory();
  const { path } = directory;
  expect(otherRegistryAdvice(join(path, "none"))).toBeNull();
  expect(otherRegistryAdvice(path)).toBeNull();
  const layout = join(path, "docker/registry/v2");
  for (const name of ["blobs", "repositories"])
    await mkdir(join(layout, name), { recursive: true });
  expect(otherRegistryAdvice(path)).not.toBeNull();
  await writeFile(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  expect(otherRegistryAdvice(path)).toBeNull();
});
