/**
 * `npm run build:image`: the container image as an OCI image layout in `dist/image`, without Docker.
 *
 * The layout is an index over the built platforms, tagged with the version and `latest`. An image holds the executable,
 * the C library that it links, CA certificates and a user without a shell, nothing else. It runs as user 65532 with a
 * read-only root, data in /var/lib/registry, configuration in /etc/zot/config.json, port 5000. The same commit and
 * packages give the same digests.
 *
 * Beside it, for each platform, `dist/zot-image-<platform>.tar` with its line in dist/SHA256SUMS: the archive that
 * `docker load`, `podman load` and `ctr images import` read, for machines without a network.
 *
 *     npm run build:image                           for this machine's platform
 *     npm run build:image -- --platform linux-x64 --platform linux-arm64
 *     skopeo copy --all oci:dist/image:latest docker://registry.example.com/zot:latest
 */
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import packageJson from "../package.json" with { type: "json" };
import type { Descriptor } from "../src/oci/descriptor.ts";
import { digestOf } from "../src/oci/digest.ts";
import { ociLayoutText, writeLayoutIndex } from "../src/oci/layout_index.ts";
import { mediaTypes } from "../src/oci/media_types.ts";
import {
  baseFiles,
  directory,
  directoriesOf,
  file,
  imageUser,
  text,
  type Architecture,
} from "./image/base_files.ts";
import { tarOf, type TarEntry } from "./image/tar.ts";
import { writeChecksums } from "./checksums.ts";

const root = join(import.meta.dir, "..");
const output = join(root, "dist");
const layout = join(output, "image");

const architectures: Readonly<Record<string, Architecture>> = {
  "linux-x64": "amd64",
  "linux-arm64": "arm64",
};

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: { platform: { type: "string", multiple: true } },
});

const platforms = values.platform ?? [`linux-${process.arch}`];
const containerConfig = await Bun.file(join(root, "examples/config-container.json")).text();
const commit = git(["rev-parse", "HEAD"]);
/** Seconds since the epoch: the commit's, so that a build says nothing of when it was made. */
const builtAt = Number(
  process.env["SOURCE_DATE_EPOCH"] ?? (git(["log", "-1", "--format=%ct"]) || 0),
);

await rm(layout, { recursive: true, force: true });
await mkdir(join(layout, "blobs/sha256"), { recursive: true });
const images: Descriptor[] = [];
for (const platform of platforms) images.push(await buildImage(platform));
const index = await putJson(mediaTypes.ociIndex, {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: images,
  annotations: annotations([]),
});
await writeChecksums(output);
await Bun.write(join(layout, "oci-layout"), ociLayoutText);
await Bun.write(
  join(layout, "index.json"),
  [
    ...writeLayoutIndex(
      [[packageJson.version, "latest"].map((tag) => ({ descriptor: index, tag }))],
      null,
    ),
  ].join(""),
);
console.log(`${layout}  ${packageJson.version}, latest  ${index.digest}`);

async function buildImage(platform: string): Promise<Descriptor> {
  const architecture = architectures[platform];
  if (architecture === undefined) {
    console.error(
      `build:image: expected a platform of ${Object.keys(architectures).join(", ")}, got ${platform}`,
    );
    process.exit(1);
  }
  const executable = Bun.file(join(root, `dist/zot-${platform}`));
  if (!(await executable.exists())) {
    console.error(
      `build:image: dist/zot-${platform} is not there; run 'npm run build -- --platform ${platform}' first`,
    );
    process.exit(1);
  }
  const work = await mkdtemp(join(tmpdir(), "zot-image-"));
  try {
    const base = await baseFiles(architecture, work);
    const layers = [
      await putLayer([...base.entries, ...ownDirectories()]),
      await putLayer(programFiles(await executable.bytes())),
    ];
    return await putImage(platform, architecture, base.packages, layers);
  } finally {
    await rm(work, { recursive: true });
  }
}

function ownDirectories(): TarEntry[] {
  return [
    directory("home/", 0),
    directory("home/zot/", imageUser, 0o700),
    directory("tmp/", 0, 0o1777),
    directory("var/", 0),
    directory("var/lib/", 0),
    directory("var/lib/registry/", imageUser, 0o700),
  ];
}

function programFiles(executable: Uint8Array): TarEntry[] {
  const files = [
    text("etc/zot/config.json", containerConfig),
    file("usr/bin/zot", executable, 0o755),
  ];
  return [...directoriesOf(files), ...files];
}

interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: string;
}

async function putLayer(entries: readonly TarEntry[]): Promise<Layer> {
  const tar = tarOf(entries, builtAt);
  const descriptor = await putBlob(mediaTypes.ociLayerGzip, gzipSync(tar, { level: 6 }));
  return { descriptor, diffId: digestOf("sha256", tar) };
}

async function putImage(
  platform: string,
  architecture: Architecture,
  packages: readonly string[],
  layers: readonly Layer[],
): Promise<Descriptor> {
  const created = new Date(builtAt * 1000).toISOString();
  const config = await putJson(mediaTypes.ociConfig, {
    created,
    architecture,
    os: "linux",
    config: {
      User: `${imageUser}:${imageUser}`,
      ExposedPorts: { "5000/tcp": {} },
      Env: ["PATH=/usr/bin", "HOME=/home/zot", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
      Entrypoint: ["/usr/bin/zot"],
      Cmd: ["serve", "/etc/zot/config.json"],
      Volumes: { "/var/lib/registry": {} },
      WorkingDir: "/",
      Labels: annotations(packages),
    },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: [
      { created, created_by: "C library, CA certificates, user" },
      { created, created_by: "zot" },
    ],
  });
  const manifest = await putJson(mediaTypes.ociImage, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config,
    layers: layers.map((layer) => layer.descriptor),
    annotations: annotations(packages),
  });
  await writeArchive(platform, config, layers);
  return { ...manifest, platform: { architecture, os: "linux" } };
}

/** What `docker save` writes: the blobs, and a list of which are the image's and what it is called. */
async function writeArchive(
  platform: string,
  config: Descriptor,
  layers: readonly Layer[],
): Promise<void> {
  const blobs = [config, ...layers.map((layer) => layer.descriptor)];
  const entries = await Promise.all(
    blobs.map(async ({ digest }) =>
      file(pathOf(digest), await Bun.file(join(layout, pathOf(digest))).bytes(), 0o644),
    ),
  );
  const [Config, ...Layers] = blobs.map(({ digest }) => pathOf(digest));
  const RepoTags = [packageJson.version, "latest"].map((tag) => `zot:${tag}`);
  const list = text("manifest.json", JSON.stringify([{ Config, RepoTags, Layers }]));
  const path = join(output, `zot-image-${platform}.tar`);
  await Bun.write(
    `${path}.unfinished`,
    tarOf([...directoriesOf(entries), ...entries, list], builtAt),
  );
  await rename(`${path}.unfinished`, path);
}

function pathOf(digest: string): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}

function annotations(packages: readonly string[]): Record<string, string> {
  return {
    "org.opencontainers.image.title": "zot",
    "org.opencontainers.image.description": packageJson.description,
    "org.opencontainers.image.licenses": packageJson.license,
    "org.opencontainers.image.version": packageJson.version,
    "org.opencontainers.image.revision": commit,
    "org.opencontainers.image.created": new Date(builtAt * 1000).toISOString(),
    ...(packages.length === 0
      ? {}
      : { "org.opencontainers.image.base.packages": packages.join(", ") }),
  };
}

function putJson(mediaType: string, value: unknown): Promise<Descriptor> {
  return putBlob(mediaType, Buffer.from(JSON.stringify(value)));
}

async function putBlob(mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestOf("sha256", bytes);
  await Bun.write(join(layout, pathOf(digest)), bytes);
  return { mediaType, digest, size: bytes.length };
}

function git(words: string[]): string {
  const { exitCode, stdout } = Bun.spawnSync(["git", ...words], { cwd: root });
  return exitCode === 0 ? stdout.toString().trim() : "";
}
