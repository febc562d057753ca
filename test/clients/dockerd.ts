// A docker engine of the test's own: its data, sockets, settings and its containerd in a temporary directory.
//
// It has no bridge and no firewall rules, so that nothing of the machine changes; its containers have no network. With
// `certificates` it runs in network and mount namespaces of its own, with one address that is not loopback, since
// docker trusts anybody on loopback, and with `/etc/docker/certs.d` as the test wants it.
// After the scope the engine, its containers, mounts and control groups are gone.

import { cp, mkdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  eventually,
  type Output,
  packageDirectory,
  run,
  runOk,
  type RunOptions,
  startService,
  tempDirectory,
} from "../harness.ts";
import { type Containerd, startContainerd, unmountBelow } from "./containerd.ts";
import { removeControlGroups } from "./containers.ts";

export interface Docker extends AsyncDisposable {
  /** Where the engine's files lie; removed at the end. */
  readonly directory: string;
  /** Runs `docker` against this engine; an exit code other than 0 is an error. */
  docker(...args: readonly string[]): Promise<Output>;
  /** As `docker`, for a command that should fail, or that reads standard input. */
  tryDocker(args: readonly string[], options?: Pick<RunOptions, "stdin">): Promise<Output>;
  /** Makes an image of the files in a directory. */
  importImage(directory: string, name: string, ...flags: readonly string[]): Promise<void>;
  /** A program that starts `bin/zot` where the engine can reach it. */
  readonly zot: string;
}

export interface DockerOptions {
  /** Files of `/etc/docker/certs.d`, by their paths below it. */
  readonly certificates?: Readonly<Record<string, string>>;
  /** What the engine is told of registries, such as `--insecure-registry=…`. */
  readonly flags?: readonly string[];
  /** Text of `daemon.json`. */
  readonly settings?: string;
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The address of an engine with certificates: of the range for documentation, on its own loopback device. */
export const ownAddress = "192.0.2.1";

/** The client that came with Debian's engine, where there is another one as well. */
const client = existsSync("/usr/bin/docker") ? "/usr/bin/docker" : "docker";

export async function startDocker(options: DockerOptions = {}): Promise<Docker> {
  await using stack = new AsyncDisposableStack();
  const temp = stack.use(await tempDirectory("zot-docker"));
  const at = (name: string) => join(temp.path, name);
  const containerd = stack.use(await startContainerd());
  stack.defer(() => unmountBelow(temp.path));
  const group = `zot-test-docker-${process.pid}`;
  stack.defer(() => removeControlGroups(group));
  await mkdir(at("tmp"));
  await writeFile(at("daemon.json"), options.settings ?? "{}");
  const engine = [...engineFlags(at, containerd, group), ...(options.flags ?? [])];
  const command = await wrapped(engine, options.certificates ?? null, at);
  const env = {
    DOCKER_TMPDIR: at("tmp"),
    DOCKER_HOST: `unix://${at("docker.sock")}`,
    DOCKER_CONFIG: at("client"),
    DOCKER_BUILDKIT: "0",
    DOCKER_CONTEXT: undefined,
    HOME: temp.path,
    ...options.env,
  };
  const daemon = stack.use(startService(command, { env }));
  await eventually("docker answers", async () => {
    if (!daemon.running()) throw new Error(`dockerd ended: ${daemon.stderr().join("\n")}`);
    return (await run(client, ["version"], { env })).code === 0;
  });
  await writeFile(at("zot"), zotScript(options.certificates === undefined ? null : daemon.pid), {
    mode: 0o755,
  });
  const owned = stack.move();
  const tryDocker: Docker["tryDocker"] = (args, more = {}) => run(client, args, { env, ...more });
  return {
    directory: temp.path,
    docker: (...args) => runOk(client, args, { env }),
    tryDocker,
    importImage: async (directory, name, ...flags) => {
      const archive = at(`image-${crypto.randomUUID()}.tar`);
      await runOk("tar", ["-C", directory, "-cf", archive, "."]);
      await runOk(client, ["import", ...flags, archive, name], { env });
    },
    zot: at("zot"),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function engineFlags(
  at: (name: string) => string,
  containerd: Containerd,
  group: string,
): readonly string[] {
  return [
    "dockerd",
    `--config-file=${at("daemon.json")}`,
    `--data-root=${at("data")}`,
    `--exec-root=${at("exec")}`,
    `--pidfile=${at("docker.pid")}`,
    `--host=unix://${at("docker.sock")}`,
    `--containerd=${containerd.socket}`,
    `--cgroup-parent=/${group}`,
    "--exec-opt=native.cgroupdriver=cgroupfs",
    "--storage-driver=vfs",
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--userland-proxy=false",
  ];
}

/** The engine's command; with certificates in namespaces where `/etc` is a copy that has them. */
async function wrapped(
  engine: readonly string[],
  certificates: Readonly<Record<string, string>> | null,
  at: (name: string) => string,
): Promise<readonly string[]> {
  if (certificates === null) return engine;
  await cp("/etc", at("etc"), { recursive: true, verbatimSymlinks: true });
  for (const [path, text] of Object.entries(certificates)) {
    const file = join(at("etc"), "docker/certs.d", path);
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, text);
  }
  const script = [
    "ip link set lo up",
    `ip address add ${ownAddress}/32 dev lo`,
    'mount --bind "$1" /etc',
    "shift",
    'exec "$@"',
  ].join(" && ");
  return ["unshare", "--net", "--mount", "sh", "-c", script, "sh", at("etc"), ...engine];
}

function zotScript(engine: number | null): string {
  const inside = engine === null ? "" : `nsenter --net=/proc/${engine}/ns/net -- `;
  return `#!/bin/sh\nexec ${inside}'${join(packageDirectory, "bin/zot")}' "$@"\n`;
}
