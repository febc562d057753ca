// A containerd of the test's own: root, state, socket and name space in a temporary directory.
//
// After the scope its containers, mounts, control groups and the daemon are gone. A containerd that the machine may run
// is not touched.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Output,
  eventually,
  run,
  runOk,
  startService,
  tempDirectory,
  type Zot,
} from "../harness.ts";
import { removeControlGroups } from "./containers.ts";

export interface Containerd extends AsyncDisposable {
  /** Runs `ctr` in the test's name space; an exit code other than 0 is an error. */
  ctr(...args: readonly string[]): Promise<Output>;
  /** The command line of `ctr` with these arguments, for what runs until it is stopped. */
  command(...args: readonly string[]): readonly string[];
  /** Where it listens. */
  readonly socket: string;
  /** The snapshotter that works here: overlayfs, or native (plain copies) where mounts are refused. */
  readonly snapshotter: string;
}

/** `more` is added to its environment and to that of `ctr`, which talks to registries itself. */
export async function startContainerd(
  more: Readonly<Record<string, string>> = {},
): Promise<Containerd> {
  const temp = await tempDirectory("zot-containerd");
  const socket = join(temp.path, "c.sock");
  const config = join(temp.path, "config.toml");
  const temporary = join(temp.path, "tmp");
  await mkdir(temporary);
  await writeFile(config, containerdConfig(temp.path, socket));
  const env = { TMPDIR: temporary, ...more };
  const daemon = startService(["containerd", "--config", config], { env });
  const namespace = `zot-test-${process.pid}`;
  const base = ["--address", socket, "--namespace", namespace];
  const dispose = async () => {
    await daemon[Symbol.asyncDispose]();
    await unmountBelow(temp.path);
    await removeControlGroups(namespace);
    await temp[Symbol.asyncDispose]();
  };
  try {
    await eventually("containerd answers", async () => {
      if (!daemon.running()) throw new Error(`containerd ended: ${daemon.stderr().join("\n")}`);
      return (await run("ctr", [...base, "version"])).code === 0;
    });
    const plugins = (await runOk("ctr", [...base, "plugins", "ls"])).stdout;
    const overlay = /io\.containerd\.snapshotter\.v1\s+overlayfs\s.*\bok\b/.test(plugins);
    return {
      ctr: (...args) => runOk("ctr", [...base, ...args], { env }),
      command: (...args) => ["ctr", ...base, ...args],
      socket,
      snapshotter: overlay ? "overlayfs" : "native",
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/**
 * Runs a push by somebody who may not, until the registry has refused it; gives the exit code when `ctr` ended by itself.
 * Version 1.6 waits for ever when it is refused before it has begun to send the manifest.
 */
export async function refusedPush(
  command: readonly string[],
  { registry, who }: { readonly registry: Zot; readonly who: string },
): Promise<number | null> {
  const before = registry.logs().length;
  const isRefused = (): boolean =>
    registry
      .logs()
      .slice(before)
      .some((line) => line["who"] === who && line["method"] === "PUT" && line["status"] === 403);
  await using push = startService(command);
  await eventually("the push is refused", () => isRefused() || !push.running());
  if (push.running()) return null;
  await eventually("the log has the refusal", isRefused);
  return push.exited;
}

function containerdConfig(directory: string, socket: string): string {
  return `version = 2
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]

[grpc]
address = "${socket}"

[ttrpc]
address = "${socket}.ttrpc"
`;
}

/** Unmounts what a container runtime left mounted, the deepest first. */
export async function unmountBelow(directory: string): Promise<void> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  const below = mounts
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${directory}/`));
  for (const path of below.sort((a, b) => b.length - a.length)) await run("umount", ["-l", path]);
}
