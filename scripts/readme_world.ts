// A machine as a reader of the README has it, made in a temporary directory.
//
// It has a home directory of its own, a shell in it, container tools that keep their storage and settings there, and a
// stand-in for docker.io that holds `library/alpine`. So blocks run as they stand, without the Internet and without
// touching the person's own files. All of it is gone at the end of the scope. `check_readme.ts` runs the blocks and the
// server.

import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Output,
  packageDirectory,
  run,
  runOk,
  startZot,
  tempDirectory,
} from "../test/harness.ts";

export interface World extends AsyncDisposable {
  readonly home: string;
  /** Where blocks run: it looks like a clone of the repository. */
  readonly workingDirectory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Runs commands as a shell does that stops at the first failure. */
  shell(text: string): Promise<Output>;
}

const blockMs = 300_000;

/** `clone` is a checkout to work in; without it a directory with links into this one. */
export async function makeWorld(clone: string | null = null): Promise<World> {
  const temp = await tempDirectory("zot-readme");
  const home = join(temp.path, "home");
  await mkdir(join(home, "tmp"), { recursive: true });
  const upstream = await startUpstream(join(temp.path, "upstream")).catch(
    async (error: unknown) => {
      await temp[Symbol.asyncDispose]();
      throw error;
    },
  );
  const env = {
    HOME: home,
    TMPDIR: join(home, "tmp"),
    XDG_CONFIG_HOME: undefined,
    XDG_DATA_HOME: undefined,
    XDG_RUNTIME_DIR: undefined,
    REGISTRY_AUTH_FILE: join(home, "auth.json"),
    CI: undefined,
    ...(await containerSettings(home, upstream.host)),
  };
  await writeFile(env.REGISTRY_AUTH_FILE, "{}");
  // The certificate that pages make is one that the reader's programs trust.
  const trusted = join(home, "etc/zot/server.crt");
  const shellEnv = { ...env, SSL_CERT_FILE: trusted, CURL_CA_BUNDLE: trusted };
  const workingDirectory = clone ?? (await linkedCheckout(join(temp.path, "zot")));
  return {
    home,
    workingDirectory,
    env,
    shell: (text) =>
      run("sh", ["-euc", text], { cwd: workingDirectory, env: shellEnv, timeoutMs: blockMs }),
    [Symbol.asyncDispose]: async () => {
      await upstream[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

/** Whether a tool can be used here; docker only when its daemon answers. */
export async function hasTool(name: string): Promise<boolean> {
  if (Bun.which(name) === null) return false;
  return name !== "docker" || (await run("docker", ["info"])).code === 0;
}

/** Scripts are linked one by one: they find the checkout by following their own link. */
async function linkedCheckout(path: string): Promise<string> {
  for (const folder of ["bin", "scripts"]) await mkdir(join(path, folder), { recursive: true });
  const names = ["bin/zot", "scripts/bun", "src", "examples", "docs", "bench", "package.json"];
  for (const name of names) await symlink(join(packageDirectory, name), join(path, name));
  return path;
}

/** A registry with one image, taken in from its root directory as any copied layout is. */
async function startUpstream(directory: string) {
  const layout = join(directory, "library/alpine");
  await mkdir(layout, { recursive: true });
  await makeImage(layout);
  return startZot({ rootDirectory: directory, config: { http: { workers: 1 } } });
}

/** An OCI layout with one image, tagged latest, whose one layer holds one file: the same image for the same text. */
export async function makeImage(layout: string, text = "hello\n"): Promise<void> {
  await using files = await tempDirectory("zot-layer");
  await writeFile(join(files.path, "hello.txt"), text);
  const archive = join(layout, "layer.tar");
  await runOk("tar", ["-C", files.path, "--mtime=@0", "-cf", archive, "hello.txt"]);
  const tar = await Bun.file(archive).bytes();
  await rm(archive);
  await mkdir(join(layout, "blobs/sha256"), { recursive: true });
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const hex = hexOf(bytes);
    await writeFile(join(layout, "blobs/sha256", hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: object, mediaType: string) =>
    put(new TextEncoder().encode(JSON.stringify(value)), mediaType);
  const layer = await put(Bun.gzipSync(tar), "application/vnd.oci.image.layer.v1.tar+gzip");
  const config = await json(
    {
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Cmd: ["/hello"] },
      rootfs: { type: "layers", diff_ids: [`sha256:${hexOf(tar)}`] },
    },
    "application/vnd.oci.image.config.v1+json",
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await json({ schemaVersion: 2, mediaType, config, layers: [layer] }, mediaType);
  const tagged = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "latest" } };
  await writeFile(
    join(layout, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [tagged] }),
  );
  await writeFile(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

function hexOf(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** Settings of skopeo, podman and buildah: storage in the home directory, docker.io from the stand-in. */
async function containerSettings(home: string, upstreamHost: string) {
  const at = (name: string) => join(home, ".config/containers", name);
  await mkdir(at(""), { recursive: true });
  await writeFile(at("policy.json"), '{"default":[{"type":"insecureAcceptAnything"}]}');
  await writeFile(
    at("registries.conf"),
    `[[registry]]
prefix = "docker.io/library/alpine"
location = "${upstreamHost}/library/alpine"
insecure = true
`,
  );
  const storage = `[storage]
driver = "vfs"
graphroot = "${home}/graph"
runroot = "${home}/run"
`;
  await writeFile(at("storage.conf"), storage);
  await writeFile(
    at("containers.conf"),
    '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nlock_type = "file"\n',
  );
  return {
    CONTAINERS_REGISTRIES_CONF: at("registries.conf"),
    CONTAINERS_STORAGE_CONF: at("storage.conf"),
    CONTAINERS_CONF: at("containers.conf"),
  };
}
