// Our own container image, from our own layout code: pushed into our registry, pulled and run by containerd; and as an
// archive, carried to a machine without a network.
//
// Proves: the layout is one that skopeo reads, the image starts as its unprivileged user with a read-only root, and
// the registry in that container serves a push; the archive has its checksum, and Podman, containerd and Docker load it.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  packageDirectory,
  requireRoot,
  requireTool,
  runOk,
  startService,
  startZot,
  tempDirectory,
} from "../harness.ts";
import { startContainerd } from "../clients/containerd.ts";
import { containers } from "../clients/containers.ts";
import { startDocker } from "../machine/docker.ts";
import { canStartMachine, rootHome, startMachine } from "../machine/machine.ts";
import { builtImage } from "./built.ts";

const ready =
  requireTool("containerd", "ctr", "runc", "skopeo", "apt-get", "dpkg-deb") && requireRoot();
const imageMs = 600_000;

describe.skipIf(!ready)("the container image", () => {
  test(
    "goes into a registry and serves from containerd",
    async () => {
      const layout = await builtImage();
      const { version } = (await Bun.file(join(packageDirectory, "package.json")).json()) as {
        version: string;
      };
      await using zot = await startZot();
      const name = `${zot.host}/zot/zot:${version}`;
      await runOk(
        "skopeo",
        [
          "copy",
          "--all",
          "--dest-tls-verify=false",
          `oci:${layout}:${version}`,
          `docker://${name}`,
        ],
        { timeoutMs: imageMs },
      );
      await using containerd = await startContainerd();
      const { snapshotter } = containerd;
      await containerd.ctr("images", "pull", "--plain-http", "--snapshotter", snapshotter, name);

      await using work = await tempDirectory();
      const data = join(work.path, "data");
      await mkdir(data);
      await chmod(data, 0o777);
      await chmod(work.path, 0o755);
      const config = {
        storage: { rootDirectory: "/var/lib/registry" },
        http: { address: "127.0.0.1", port: "0" },
      };
      await writeFile(join(work.path, "config.json"), JSON.stringify(config));
      await using inside = startService(
        containerd.command(
          "run",
          "--rm",
          "--net-host",
          "--read-only",
          "--snapshotter",
          snapshotter,
          "--mount",
          `type=bind,src=${work.path},dst=/etc/zot,options=rbind:ro`,
          "--mount",
          `type=bind,src=${data},dst=/var/lib/registry,options=rbind:rw`,
          name,
          "inside",
          "/usr/bin/zot",
          "serve",
          "/etc/zot/config.json",
        ),
      );
      const line = await inside.waitForLine("the container listens", (text) =>
        text.includes('"msg":"listening"'),
      );
      const { url } = JSON.parse(line) as { url: string };
      const body = Buffer.from("pushed into a container");
      const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
      const blobs = `${url}/v2/inner/app/blobs`;
      const pushed = await fetch(`${blobs}/uploads/?digest=${digest}`, { method: "POST", body });
      expect(pushed.status).toBe(201);
      expect(await (await fetch(`${blobs}/${digest}`)).text()).toBe(body.toString());
      const owner = await runOk("stat", ["-c", "%u", join(data, "inner/app/oci-layout")]);
      expect(owner.stdout.trim()).toBe("65532");
      // The task is asked to end through its runtime; ctr passes no signal on.
      await containerd.ctr("tasks", "kill", "--signal", "SIGTERM", "inside");
      expect(await inside.exited).toBe(0);
    },
    imageMs,
  );
});

/** The guide's command that begins with these words and reads the archive, without its first word. */
async function commandsOf(archive: string): Promise<(start: string) => string[]> {
  const page = await Bun.file(join(packageDirectory, "docs/guides/install.md")).text();
  const lines = page.replaceAll("linux-x64", `linux-${process.arch}`).split("\n");
  return (start) => {
    const line = lines.find((each) => each.startsWith(start) && each.includes(archive));
    if (line === undefined) throw new Error(`install.md: expected '${start}' of ${archive}`);
    return line.split(" ").slice(1);
  };
}

const loads =
  requireTool("unshare", "podman", "containerd", "ctr", "apt-get", "dpkg-deb") && requireRoot();

describe.skipIf(!loads)("the archive of the image, without a network", () => {
  test(
    "is loaded by Podman and containerd, by the commands of the guide",
    async () => {
      await builtImage();
      await using work = await tempDirectory();
      const platform = `linux-${process.arch}`;
      const archive = `zot-image-${platform}.tar`;
      for (const name of [archive, "SHA256SUMS"])
        await copyFile(join(packageDirectory, "dist", name), join(work.path, name));
      const commandOf = await commandsOf(archive);
      const offline = (command: readonly string[], env = {}) =>
        runOk("unshare", ["--net", ...command], { cwd: work.path, env, timeoutMs: imageMs });

      const checked = await offline(["sha256sum", "--check", "--ignore-missing", "SHA256SUMS"]);
      expect(checked.stdout).toBe(`${archive}: OK\n`);

      await using tools = await containers();
      await offline(["podman", ...commandOf("podman load")], tools.env);
      const { stdout } = await tools.podman("image", "inspect", "localhost/zot:latest");
      const [image] = JSON.parse(stdout) as { Config: { User: string; Entrypoint: string[] } }[];
      expect(image?.Config).toMatchObject({ User: "65532:65532", Entrypoint: ["/usr/bin/zot"] });

      await using containerd = await startContainerd();
      const { snapshotter } = containerd;
      await offline([
        ...containerd.command(...commandOf("ctr images import"), "--snapshotter", snapshotter),
      ]);
      const run = ["run", "--rm", "--read-only", "--snapshotter", snapshotter];
      const name = "docker.io/library/zot:latest";
      const version = await containerd.ctr(...run, name, "offline", "/usr/bin/zot", "--version");
      expect(version.stdout).toStartWith("zot ");
    },
    imageMs,
  );

  test.skipIf(!canStartMachine() || !requireTool("dockerd", "docker"))(
    "is loaded by Docker, which runs it",
    async () => {
      await builtImage();
      const archive = `zot-image-linux-${process.arch}.tar`;
      const load = (await commandsOf(archive))("docker load");
      // The machine's network is its own address, and nothing else.
      await using machine = await startMachine();
      await machine.copy(join(packageDirectory, "dist", archive), `${rootHome}/${archive}`);
      await startDocker(machine);
      await machine.shellOk(`docker ${load.join(" ")}`);
      const version = await machine.shellOk(
        "docker run --rm --network=none --read-only zot:latest --version",
      );
      expect(version.stdout).toStartWith("zot ");
    },
    imageMs,
  );
});
