// The journey of somebody who comes from another registry, by the commands of docs/guides/migrate.md as they stand, on a
// machine of the test's own: accounts that are new, homes that are empty, no tool of ours on the PATH.
//
// docker-registry is the real one. Of zot (Go) there is what it leaves: its configuration file and its root directory.

import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runnableBlocks, type Block } from "../../scripts/readme_blocks.ts";
import { makeImage } from "../../scripts/readme_world.ts";
import { packageDirectory, requireTool, tempDirectory } from "../harness.ts";
import { builtExecutable } from "../packages/built.ts";
import { canStartMachine, startMachine, type Machine, rootHome } from "./machine.ts";

const page = "docs/guides/migrate.md";
const here = "127.0.0.1:8080";
const old = "old.example.com:5000";
const testMs = 300_000;
const tools = ["skopeo", "curl", "jq"];

async function blocksOf(only: (block: Block) => boolean): Promise<Block[]> {
  const markdown = await Bun.file(join(packageDirectory, page)).text();
  return runnableBlocks(page, markdown).filter(only);
}

async function runBlock(machine: Machine, { line, text }: Block, user: string): Promise<string> {
  const ran = await machine.shellOk(text, { user }).catch((error: Error) => {
    throw new Error(`${page}:${line}: ${error.message}`);
  });
  return ran.stdout;
}

async function waitFor(machine: Machine, url: string): Promise<void> {
  // Not `-o /dev/null`: between two tries curl empties the file that it writes, and cannot.
  await machine.shellOk(
    `curl -sS --fail --retry 60 --retry-delay 1 --retry-all-errors ${url} >/dev/null`,
  );
}

/** As somebody who has nothing but skopeo; the digest of what came. */
async function pull(machine: Machine, user: string, name: string): Promise<string> {
  const text = `rm -rf pulled
    skopeo copy --quiet --src-tls-verify=false docker://${here}/${name} oci:pulled:1
    skopeo inspect --format '{{.Digest}}' oci:pulled:1`;
  return (await machine.shellOk(text, { user })).stdout.trim();
}

async function digestIn(layout: string): Promise<string> {
  const index = (await Bun.file(join(layout, "index.json")).json()) as {
    manifests: { digest: string }[];
  };
  return index.manifests[0]!.digest;
}

describe.skipIf(!canStartMachine() || !requireTool(...tools))("who comes from", () => {
  test.skipIf(!requireTool("docker-registry"))(
    "docker-registry copies every image, and others pull them here",
    async () => {
      await using directory = await tempDirectory();
      const layout = join(directory.path, "app");
      await mkdir(layout);
      await makeImage(layout);
      const digest = await digestIn(layout);
      await using machine = await startMachine(["ann", "bob"]);
      await startOldRegistry(machine, layout);
      await machine.copy(await builtExecutable(), "/usr/local/bin/zot");
      await machine.shellOk("systemd-run --unit=zot --setenv=HOME=/root zot serve");
      await waitFor(machine, `http://${here}/readyz`);

      const blocks = await blocksOf(
        ({ needs }) =>
          needs.includes("docker-registry") &&
          needs.every((name) => name === "docker-registry" || tools.includes(name)),
      );
      expect(blocks).toHaveLength(2);
      const outputs: string[] = [];
      for (const block of blocks) outputs.push(await runBlock(machine, block, "ann"));
      // The last block compares: the tags of the old registry, then those of this one.
      expect(outputs.at(-1)?.match(/"[^"]+"/g)).toEqual(['"1"', '"latest"', '"1"', '"latest"']);

      await machine.shellOk("systemctl stop old");
      for (const name of ["app:latest", "team/app:1", "team/app:latest"])
        expect(await pull(machine, "bob", name)).toBe(digest);
    },
    testMs,
  );

  test(
    "zot (Go) has the directory served as it is",
    async () => {
      await using directory = await tempDirectory();
      const root = join(directory.path, "zot");
      const digests = await leaveAsZotGo(root);
      await using machine = await startMachine(["bob"]);
      await machine.copy(root, "/var/lib/registry");
      const config = {
        distSpecVersion: "1.1.1",
        storage: { rootDirectory: "/var/lib/registry" },
        http: { address: "127.0.0.1", port: "8080" },
        log: { level: "debug" },
      };
      await machine.shellOk("cat >config.json", { stdin: JSON.stringify(config) });
      await machine.copy(await builtExecutable(), `${rootHome}/bin/zot`);

      const blocks = await blocksOf(({ on }) => on === "server");
      expect(blocks.map(({ text }) => text)).toContain("bin/zot serve config.json");
      // A server runs until it is stopped; the reader leaves it running in its terminal.
      const running = (text: string) =>
        text.replace(/^bin\/zot serve .*$/m, "setsid $& >zot.log 2>&1 </dev/null &");
      for (const block of blocks)
        await runBlock(machine, { ...block, text: running(block.text) }, "root");
      await waitFor(machine, `http://${here}/startupz`);

      for (const [name, digest] of digests)
        expect(await pull(machine, "bob", `${name}:latest`)).toBe(digest);
      const log = (await machine.shellOk("cat zot.log")).stdout;
      expect(log).toContain('"level":"info"');
      expect(log.split("\n").filter((line) => /"level":"(error|warn)"/.test(line))).toEqual([]);
      // What is zot (Go)'s own is not touched.
      const own = await machine.shellOk(
        "cd /var/lib/registry && cat cache.db meta.db _trivy/db/trivy.db && ls -d app/.uploads",
      );
      expect(own.stdout).toBe("its cache\nits metadata\nits flaws\napp/.uploads\n");
    },
    testMs,
  );
});

/** A docker-registry that is called old.example.com, with two repositories. */
async function startOldRegistry(machine: Machine, layout: string): Promise<void> {
  await machine.copy(layout, `${rootHome}/app`);
  const config = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: "/var/lib/old" } },
    http: { addr: old.replace(/.*:/, ":") },
  };
  await machine.shellOk("cat >old.yml", { stdin: JSON.stringify(config) });
  await machine.shellOk(`mkdir -p /var/lib/old
    echo '127.0.0.1 old.example.com' >>/etc/hosts
    systemd-run --unit=old docker-registry serve ${rootHome}/old.yml`);
  await waitFor(machine, `http://${old}/v2/`);
  for (const name of ["app:latest", "team/app:1", "team/app:latest"])
    await machine.shellOk(
      `skopeo copy --quiet --dest-tls-verify=false oci:app:latest docker://${old}/${name}`,
    );
}

/** A root directory as zot (Go) leaves it; the digest of the image in each of its repositories. */
async function leaveAsZotGo(root: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const name of ["app", "team/app"]) {
    await mkdir(join(root, name, ".uploads"), { recursive: true });
    await makeImage(join(root, name), `of ${name}\n`);
    digests.set(name, await digestIn(join(root, name)));
  }
  expect(new Set(digests.values()).size).toBe(2);
  await mkdir(join(root, "_trivy/db"), { recursive: true });
  await writeFile(join(root, "cache.db"), "its cache\n");
  await writeFile(join(root, "meta.db"), "its metadata\n");
  await writeFile(join(root, "_trivy/db/trivy.db"), "its flaws\n");
  return digests;
}
