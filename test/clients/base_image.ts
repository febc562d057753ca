// The image that the client tests push: a Debian root file system made by `debootstrap`, made once a run.
//
// It is an OCI layout in the run's directory whose digests are new in every run (a random file is in it), so that no
// client has it in a cache. The mirror and the release are the ones this machine's apt is set up with. Where
// debootstrap cannot download, a root file system of one static busybox stands in, and a line says so.

import { chmod, copyFile, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, runDirectory, runOk } from "../harness.ts";
import { containers } from "./containers.ts";

export interface BaseImage {
  /** An OCI layout, as `skopeo copy oci:<layout>:<tag>` takes it. */
  readonly layout: string;
  readonly tag: string;
  /** `oci:<layout>:<tag>`. */
  readonly source: string;
  readonly madeBy: "debootstrap" | "busybox";
  /** What `cat /marker` prints in a container of this image: new in every run. */
  readonly marker: string;
  /** The manifest's bytes and digest. */
  readonly manifest: string;
  readonly digest: string;
}

let image: Promise<BaseImage> | undefined;

/** Needs root, buildah and skopeo; takes a minute the first time. */
export function baseImage(): Promise<BaseImage> {
  image ??= makeBaseImage();
  return image;
}

/** The digest of bytes, as the registry names them. */
export function sha256(bytes: string | Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
}

async function makeBaseImage(): Promise<BaseImage> {
  const directory = await runDirectory();
  const root = join(directory, "rootfs");
  const madeBy = await makeRootFileSystem(root);
  const marker = crypto.randomUUID();
  await using tools = await containers();
  const markerFile = join(tools.directory, "marker");
  await writeFile(markerFile, marker);
  await chmod(markerFile, 0o644);

  const base = await buildah(tools, ["from", "scratch"]);
  await tools.buildah("copy", "-q", base, root, "/");
  await tools.buildah("config", "--cmd", '["/bin/cat","/marker"]', "--author", "zot tests", base);
  await tools.buildah("commit", "-q", "--format", "oci", base, "localhost/base:1");
  const marked = await buildah(tools, ["from", "--pull-never", "localhost/base:1"]);
  await tools.buildah("copy", "-q", marked, markerFile, "/marker");
  await tools.buildah("commit", "-q", "--format", "oci", marked, "localhost/marked:1");
  const layout = join(directory, "base");
  const source = `oci:${layout}:1`;
  await tools.buildah("push", "-q", "localhost/marked:1", source);
  await rm(root, { recursive: true, force: true });
  const manifest = await tools.rawManifest(source);
  return { layout, tag: "1", source, madeBy, marker, manifest, digest: sha256(manifest) };
}

async function buildah(
  tools: Awaited<ReturnType<typeof containers>>,
  args: string[],
): Promise<string> {
  return (await tools.buildah(...args)).stdout.trim();
}

/** `ZOT_TEST_ROOTFS=busybox` takes the small one without trying, for a quick local run. */
async function makeRootFileSystem(root: string): Promise<BaseImage["madeBy"]> {
  if (process.env["ZOT_TEST_ROOTFS"] !== "busybox") {
    const problem = await debootstrap(root);
    if (problem === null) return "debootstrap";
    console.log(`debootstrap did not work, a busybox root file system stands in: ${problem}`);
    await rm(root, { recursive: true, force: true });
  }
  await mkdir(join(root, "bin"), { recursive: true });
  for (const name of ["etc", "proc", "sys", "dev", "tmp"]) await mkdir(join(root, name));
  await copyFile(Bun.which("busybox") ?? "/bin/busybox", join(root, "bin", "busybox"));
  for (const name of ["sh", "cat", "ls"]) await symlink("busybox", join(root, "bin", name));
  await writeFile(join(root, "etc", "os-release"), "ID=busybox\n");
  return "busybox";
}

/** What it mounts and starts below the root ends with it, also where the mirror is slow and it is ended. */
const ownProcesses = ["--mount", "--pid", "--fork", "--kill-child"];

/** Null when it worked, else why not. */
async function debootstrap(root: string): Promise<string | null> {
  const source = await aptSource();
  if (source === null) return "apt has no main component of a distribution";
  const output = await run(
    "unshare",
    [...ownProcesses, "debootstrap", "--variant=minbase", source.codename, root, source.uri],
    { timeoutMs: 240_000 },
  ).catch((error: Error) => ({ code: -1, stdout: error.message, stderr: "" }));
  if (output.code !== 0) return `${output.stdout.slice(-300)}${output.stderr.slice(-300)}`.trim();
  // What no test looks at: a third of the bytes.
  for (const name of ["usr/share/doc", "usr/share/man", "usr/share/locale"]) {
    await rm(join(root, name), { recursive: true, force: true });
  }
  await runOk("find", [
    join(root, "var/cache/apt"),
    join(root, "var/lib/apt/lists"),
    "-type",
    "f",
    "-delete",
  ]);
  const release = await readFile(join(root, "etc/os-release"), "utf8");
  return release.includes(source.codename) ? null : `not ${source.codename}: ${release}`;
}

/** Where this machine's own packages come from, read from apt at run time. */
async function aptSource(): Promise<{ uri: string; codename: string } | null> {
  const codename = /^VERSION_CODENAME=(.+)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1];
  if (codename === undefined) return null;
  const format = "$(CODENAME) $(COMPONENT) $(CREATED_BY) $(REPO_URI)";
  const targets = await run("apt-get", ["indextargets", "--format", format]);
  const wanted = `${codename} main Packages `;
  const line = targets.stdout.split("\n").find((text) => text.startsWith(wanted));
  return line === undefined ? null : { uri: line.slice(wanted.length), codename };
}
