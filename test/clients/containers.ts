// skopeo, buildah and podman with storage, settings and caches of their own in one temporary directory.
//
// The machine's own container storage is neither read nor written (but for the record of known blobs that these tools
// keep for root). After the scope no container, mount or control group is left. Plain HTTP is allowed for every
// registry.

import { mkdir, readdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Output, run, runOk, tempDirectory } from "../harness.ts";

export interface Containers extends AsyncDisposable {
  /** Removed with everything in it at the end. */
  readonly directory: string;
  /** For a command that is started in another way, such as without a network. */
  readonly env: Readonly<Record<string, string | undefined>>;
  buildah(...args: readonly string[]): Promise<Output>;
  podman(...args: readonly string[]): Promise<Output>;
  /** `podman run --rm image`, which a sandbox may refuse: look at the exit code. */
  tryPodmanRun(image: string): Promise<Output>;
  skopeo(...args: readonly string[]): Promise<Output>;
  /** As `skopeo`, for a command that should fail. */
  trySkopeo(...args: readonly string[]): Promise<Output>;
  umoci(...args: readonly string[]): Promise<Output>;
  /** `skopeo copy`, plain HTTP on both sides. */
  copy(from: string, to: string, ...flags: readonly string[]): Promise<Output>;
  /** The exact bytes of a manifest as skopeo read them, as text. */
  rawManifest(image: string): Promise<string>;
}

const controlGroup = `zot-test-${process.pid}`;

/** Makes the settings; the programs themselves start when called. `more` is added to their environment. */
export async function containers(more: Readonly<Record<string, string>> = {}): Promise<Containers> {
  const temp = await tempDirectory("zot-containers");
  const at = (name: string) => join(temp.path, name);
  await mkdir(at("tmp"));
  await writeFile(
    at("policy.json"),
    JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }),
  );
  await writeFile(at("storage.conf"), storageConf(at("graph"), at("run")));
  await writeFile(at("containers.conf"), containersConf);
  const env = {
    CONTAINERS_STORAGE_CONF: at("storage.conf"),
    CONTAINERS_CONF: at("containers.conf"),
    HOME: temp.path,
    REGISTRY_AUTH_FILE: undefined,
    TMPDIR: at("tmp"),
    ...more,
  };
  const policy = at("policy.json");
  const skopeo = (...args: readonly string[]) =>
    runOk("skopeo", ["--policy", policy, ...args], { env });
  const podmanArgs = (args: readonly string[]) => {
    const [verb = "", ...rest] = args;
    const trust = verb === "pull" || verb === "push" ? [`--signature-policy=${policy}`] : [];
    return [`--tmpdir=${at("libpod-tmp")}`, verb, ...trust, ...rest];
  };
  return {
    directory: temp.path,
    env,
    buildah: (...args) => {
      const [verb = "", ...rest] = args;
      const trust = ["from", "commit", "push", "pull"].includes(verb);
      return runOk("buildah", [verb, ...(trust ? [`--signature-policy=${policy}`] : []), ...rest], {
        env,
      });
    },
    podman: (...args) => runOk("podman", podmanArgs(args), { env }),
    tryPodmanRun: (image) => run("podman", podmanArgs(["run", ...runFlags, image]), { env }),
    skopeo,
    trySkopeo: (...args) => run("skopeo", ["--policy", policy, ...args], { env }),
    umoci: (...args) => runOk("umoci", args, { env }),
    copy: (from, to, ...flags) =>
      skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", ...flags, from, to),
    rawManifest: async (image) =>
      (await skopeo("inspect", "--tls-verify=false", "--raw", image)).stdout,
    [Symbol.asyncDispose]: async () => {
      await removeControlGroups(controlGroup);
      await temp[Symbol.asyncDispose]();
    },
  };
}

/** What makes `podman run` work without the right to raise limits, network or systemd. */
const runFlags = [
  "--rm",
  "--network=none",
  `--cgroup-parent=/${controlGroup}`,
  "--ulimit=nofile=1024:1024",
  "--ulimit=nproc=1024:1024",
];

function storageConf(graph: string, runtime: string): string {
  return `[storage]\ndriver = "vfs"\ngraphroot = "${graph}"\nrunroot = "${runtime}"\n`;
}

// Where podman keeps its state must follow from the storage: its monitor does not inherit this file, and
// a monitor that looks elsewhere makes every `podman run` wait 20 s for an exit code.
const containersConf = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
`;

/** Removes the empty control groups of this name that container runtimes leave in every hierarchy. */
export async function removeControlGroups(name: string): Promise<void> {
  const root = "/sys/fs/cgroup";
  const hierarchies = await readdir(root).catch(() => []);
  const candidates = [join(root, name), ...hierarchies.map((entry) => join(root, entry, name))];
  for (const group of candidates) await removeGroup(group);
}

async function removeGroup(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(join(path, entry.name));
  await rmdir(path).catch(() => undefined);
}
