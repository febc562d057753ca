/**
 * The files that an executable of ours needs around it: the C library, CA certificates, a user.
 *
 * They come from Debian's packages for the wanted architecture, in a private package state, so that the machine's own
 * is not touched. The exact package versions are returned, for the image's labels. `tar.ts` packs the files;
 * `../build.ts` makes the executable.
 */
import { mkdir, readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import type { TarEntry } from "./tar.ts";

export interface BaseFiles {
  readonly entries: readonly TarEntry[];
  /** Debian packages with their versions. */
  readonly packages: readonly string[];
}

export type Architecture = "amd64" | "arm64";

/** Numeric user that the image runs as, by the convention of images without a shell. */
export const imageUser = 65532;

const libraryDirectories: Readonly<Record<Architecture, { triplet: string; loader: string }>> = {
  amd64: { triplet: "x86_64-linux-gnu", loader: "lib64/ld-linux-x86-64.so.2" },
  arm64: { triplet: "aarch64-linux-gnu", loader: "lib/ld-linux-aarch64.so.1" },
};
const libraries = [
  "libc.so.6",
  "libpthread.so.0",
  "libdl.so.2",
  "libm.so.6",
  "libnss_dns.so.2",
  "libnss_files.so.2",
  "libresolv.so.2",
];

const passwd = `root:x:0:0:root:/root:/sbin/nologin\nzot:x:${imageUser}:${imageUser}:zot:/home/zot:/sbin/nologin\n`;
const group = `root:x:0:\nzot:x:${imageUser}:\n`;
const nsswitch = "hosts: files dns\n";

export async function baseFiles(architecture: Architecture, work: string): Promise<BaseFiles> {
  const packages = await unpackPackages(architecture, work);
  const root = join(work, "root");
  const { triplet, loader } = libraryDirectories[architecture];
  const files: TarEntry[] = [];
  for (const library of libraries) {
    files.push(
      file(
        `usr/lib/${triplet}/${library}`,
        await found(root, [`lib/${triplet}/${library}`, `usr/lib/${triplet}/${library}`]),
        0o755,
      ),
    );
  }
  const loaderName = loader.split("/").at(-1) ?? "";
  files.push(
    file(
      loader,
      await found(root, [
        `lib/${triplet}/${loaderName}`,
        `usr/lib/${triplet}/${loaderName}`,
        loader,
      ]),
      0o755,
    ),
  );
  files.push(file("etc/ssl/certs/ca-certificates.crt", await certificates(root), 0o644));
  files.push(
    text("etc/passwd", passwd),
    text("etc/group", group),
    text("etc/nsswitch.conf", nsswitch),
  );
  return { entries: [...directoriesOf(files), ...files], packages };
}

/** Every directory above the files, once, parents first. */
export function directoriesOf(files: readonly TarEntry[]): TarEntry[] {
  const paths = new Set<string>();
  for (const { path } of files) {
    const segments = path.split("/").slice(0, -1);
    segments.forEach((_, index) => paths.add(`${segments.slice(0, index + 1).join("/")}/`));
  }
  return [...paths].sort().map((path) => directory(path, 0));
}

export function directory(path: string, owner: number, mode = 0o755): TarEntry {
  return { path, mode, owner, content: null };
}

export function file(path: string, content: Uint8Array, mode: number): TarEntry {
  return { path, mode, owner: 0, content };
}

export function text(path: string, content: string): TarEntry {
  return file(path, Buffer.from(content), 0o644);
}

async function unpackPackages(architecture: Architecture, work: string): Promise<string[]> {
  const apt = await privateApt(architecture, work);
  run(["apt-get", ...apt, "-qq", "update"], work);
  run(["apt-get", ...apt, "-qq", "download", `libc6:${architecture}`, "ca-certificates"], work);
  const packages: string[] = [];
  for (const name of (await readdir(work)).filter((entry) => entry.endsWith(".deb")).sort()) {
    run(["dpkg-deb", "-x", name, "root"], work);
    const label = run(["dpkg-deb", "-W", "--showformat", "${Package} ${Version}", name], work);
    packages.push(label.trim());
  }
  return packages;
}

/** Options that give apt a state of its own, with the machine's package sources. */
async function privateApt(architecture: Architecture, work: string): Promise<string[]> {
  for (const path of ["apt/lists/partial", "apt/cache/archives/partial"]) {
    await mkdir(join(work, path), { recursive: true });
  }
  await Bun.write(join(work, "apt/status"), "");
  const options = {
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "Dir::State": join(work, "apt"),
    "Dir::State::lists": join(work, "apt/lists"),
    "Dir::State::status": join(work, "apt/status"),
    "Dir::Cache": join(work, "apt/cache"),
    "APT::Sandbox::User": "root",
  };
  return Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

async function certificates(root: string): Promise<Uint8Array> {
  const directory = join(root, "usr/share/ca-certificates/mozilla");
  const names = (await readdir(directory)).filter((name) => name.endsWith(".crt")).sort();
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(directory, name)))));
}

/** The first of some paths that exists, symbolic links inside the tree followed. */
async function found(root: string, paths: readonly string[]): Promise<Uint8Array> {
  for (const path of paths) {
    const full = join(root, path);
    const link = await readlink(full).catch(() => null);
    const target = link === null ? full : join(full, "..", link);
    if ((await stat(target).catch(() => null))?.isFile() === true) return readFile(target);
  }
  throw new Error(`image: none of ${paths.join(", ")} is in Debian's libc6`);
}

function run(command: string[], cwd: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd });
  if (exitCode !== 0)
    throw new Error(`image: ${command.join(" ")} failed: ${stderr.toString().trim()}`);
  return stdout.toString();
}
