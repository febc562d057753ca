// The journeys of a newcomer, by the commands of the guides as they stand, on a machine of the test's own: accounts that
// are new, homes that are empty, no tool of ours on the PATH.

import { describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runnableBlocks, type Block } from "../../scripts/readme_blocks.ts";
import { makeImage } from "../../scripts/readme_world.ts";
import { packageDirectory, requireTool, tempDirectory } from "../harness.ts";
import { builtExecutable } from "../packages/built.ts";
import { startDocker } from "./docker.ts";
import { canStartMachine, startMachine, type Machine, rootHome } from "./machine.ts";

const testMs = 300_000;
const withDocker = requireTool("dockerd", "docker", "containerd", "runc");

/**
 * A person types passwords at a terminal. Here the same commands read them from standard input, which `zot user` does
 * by itself and the others do when they are told.
 */
const typing = `
zot() {
  if [ "$1 $2" = "user add" ]; then echo "$4's secret" | command zot "$@"; else command zot "$@"; fi
}
skopeo() {
  if [ "$1" = login ]; then echo "$3's secret" | command skopeo "$@" --password-stdin; else command skopeo "$@"; fi
}
docker() {
  if [ "$1" = login ]; then echo "$3's secret" | command docker "$@" --password-stdin; else command docker "$@"; fi
}
`;

async function blocksOf(page: string): Promise<Block[]> {
  return runnableBlocks(page, await Bun.file(join(packageDirectory, page)).text());
}

describe.skipIf(!canStartMachine() || !requireTool("skopeo", "openssl", "curl"))(
  "a newcomer",
  () => {
    test(
      "serves a team by docs/guides/team.md",
      async () => {
        await using machine = await startMachine(["ann", "bob"]);
        await machine.copy(await builtExecutable(), `${rootHome}/dist/zot`);
        await machine.copy(join(packageDirectory, "examples"), `${rootHome}/examples`);
        const ran = new Set<string>();
        const blocks = await blocksOf("docs/guides/team.md");
        for (const { on, text, line } of blocks) {
          if (on === null || (on === "docker" && !withDocker)) continue;
          if (on === "docker") await giveDocker(machine);
          if (on === "ann") await giveFiles(machine);
          const user = on === "server" || on === "docker" ? "root" : on;
          await machine.shellOk(`${typing}\n${text}`, { user }).catch((error: Error) => {
            throw new Error(`docs/guides/team.md:${line}: ${error.message}`);
          });
          ran.add(on);
        }
        const readers = ["server", ...(withDocker ? ["docker"] : []), "ann", "bob"];
        expect([...ran]).toEqual(readers);

        const push = "skopeo copy oci:app:1 docker://192.0.2.10:5000/team/app:2";
        const refused = await machine.shell(push, { user: "bob" });
        expect(refused.code).not.toBe(0);
        expect(refused.stderr).toContain("bob may not create or update in team/app");
        const stranger = await machine.shell(
          "curl -s -o /dev/null -w '%{http_code}' --cacert /etc/zot/server.crt https://192.0.2.10:5000/v2/team/app/tags/list",
        );
        expect(stranger.stdout).toBe("401");
        expect((await machine.shellOk("cat /var/log/zot/audit.log")).stdout).toContain('"ann"');

        // A boot reaches what was enabled.
        await machine.shellOk("systemctl stop zot && systemctl start multi-user.target");
        expect((await machine.shell("systemctl is-active zot")).stdout).toBe("active\n");
      },
      testMs,
    );
  },
);

/** What somebody with Docker has: an image that is called `app`, and the certificate. */
async function giveDocker(machine: Machine): Promise<void> {
  await using directory = await tempDirectory();
  const app = join(directory.path, "app");
  await mkdir(app);
  await makeImage(app);
  await machine.copy(app, `${rootHome}/app`);
  await startDocker(machine);
  await machine.shellOk(`cp /etc/zot/server.crt .
    skopeo copy --quiet oci:app:latest docker-archive:app.tar:app:latest
    docker load --input app.tar`);
}

/** What each of them has: an image, and the certificate that was copied from the server. */
async function giveFiles(machine: Machine): Promise<void> {
  await using directory = await tempDirectory();
  const app = join(directory.path, "app");
  await mkdir(app);
  await makeImage(app);
  await machine.copy(app, "/home/ann/app");
  for (const user of ["ann", "bob"]) {
    await machine.shellOk(
      `cp /etc/zot/server.crt /home/${user}/ && chown -R ${user}: /home/${user}`,
    );
  }
}
