// Every kind of manifest and layer that clients push: indexes, Docker schema 2, zstd, artifacts.
//
// Proves: what was pushed comes back byte for byte under the media type it was pushed with, whatever the
// kind; an index keeps all its platforms through every copy; an artifact is found from its subject; images
// move between this registry and Debian's docker-registry with their digests.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  eventually,
  type Registry,
  requireRoot,
  requireTool,
  run,
  startDockerRegistry,
} from "../harness.ts";
import { sha256 } from "./base_image.ts";
import { startContainerd } from "./containerd.ts";
import { type Containers, containers } from "./containers.ts";
import {
  clientTestMs,
  type Descriptor,
  expectBlobsServed,
  getManifest,
  isZot,
  mediaTypes,
  parseManifest,
  pushBlob,
  putManifest,
  startRegistryUnderTest,
} from "./tested_registry.ts";

const ready = requireTool("buildah", "skopeo", "podman", "zstd") && requireRoot();

describe.skipIf(!ready)("kinds of manifests and layers", () => {
  let registry: Registry;
  let tools: Containers;
  /** A second container storage for pulls: pulling an image over the same built one changes it. */
  let puller: Containers;
  /** The two-platform index as an OCI layout. */
  let both: string;

  beforeAll(async () => {
    tools = await containers();
    puller = await containers();
    registry = await startRegistryUnderTest();
    for (const architecture of ["amd64", "arm64"])
      await buildSmallImage(architecture, architecture);
    await tools.buildah("manifest", "create", "localhost/both:1");
    for (const architecture of ["amd64", "arm64"]) {
      await tools.buildah("manifest", "add", "localhost/both:1", `localhost/${architecture}:1`);
    }
    both = `oci:${join(tools.directory, "both")}:1`;
    await tools.buildah("manifest", "push", "--all", "localhost/both:1", both);
  }, clientTestMs);

  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await puller?.[Symbol.asyncDispose]();
    await tools?.[Symbol.asyncDispose]();
  }, clientTestMs);

  const docker = (name: string) => `docker://${registry.host}/${name}`;
  const pushIndex = (name: string) => tools.copy(both, docker(name), "--all", "--preserve-digests");

  /** An image of one random file and one compressible one, so that no client has seen its layer. */
  async function buildSmallImage(name: string, architecture: string): Promise<void> {
    const files = join(tools.directory, `files-${name}`);
    await mkdir(files);
    await chmod(files, 0o755);
    await writeFile(join(files, "random"), crypto.getRandomValues(new Uint8Array(64 * 1024)));
    await writeFile(join(files, "text"), `${architecture}\n`.repeat(50_000));
    const from = ["from", "--arch", architecture, "scratch"];
    const container = (await tools.buildah(...from)).stdout.trim();
    await tools.buildah("copy", "-q", container, files, "/");
    await tools.buildah("config", "--arch", architecture, "--cmd", '["/text"]', container);
    await tools.buildah("commit", "-q", container, `localhost/${name}:1`);
  }

  test(
    "a multi-platform index keeps its platforms and bytes through buildah, skopeo and podman",
    async () => {
      const target = docker("index/app:1");
      await tools.buildah(
        "manifest",
        "push",
        "--tls-verify=false",
        "--all",
        "localhost/both:1",
        target,
      );
      const served = await getManifest(registry, "index/app", "1");
      expect(served.mediaType).toBe(mediaTypes.index);
      const index = parseManifest(served.text);
      const platforms = index.manifests.map((child) => child.platform?.architecture);
      expect(new Set(platforms)).toEqual(new Set(["amd64", "arm64"]));
      for (const child of index.manifests) {
        const manifest = await getManifest(registry, "index/app", child.digest);
        expect(Buffer.byteLength(manifest.text)).toBe(child.size);
        await expectBlobsServed(registry, "index/app", parseManifest(manifest.text));
      }

      await tools.copy(
        docker("index/app:1"),
        docker("index/copy:1"),
        "--all",
        "--preserve-digests",
      );
      expect(await tools.rawManifest(docker("index/copy:1"))).toBe(served.text);
      const out = join(tools.directory, "index");
      await tools.copy(docker("index/copy:1"), `oci:${out}:1`, "--all");
      expect(await tools.rawManifest(`oci:${out}:1`)).toBe(served.text);

      const name = `${registry.host}/index/app:1`;
      for (const architecture of ["arm64", "amd64"]) {
        await puller.podman("pull", "-q", "--tls-verify=false", "--arch", architecture, name);
        const shown: { Architecture: string }[] = JSON.parse(
          (await puller.podman("inspect", name)).stdout,
        );
        expect(shown[0]?.Architecture).toBe(architecture);
      }
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "the same index is whole in the layout on disk, under its tag",
    async () => {
      await pushIndex("index/disk:1");
      const served = await getManifest(registry, "index/disk", "1");
      const layout = `oci:${join(registry.rootDirectory, "index/disk")}:1`;
      await eventually("the tag is in the layout's index.json", async () => {
        return (await tools.trySkopeo("inspect", "--raw", layout)).stdout === served.text;
      });
      const out = join(tools.directory, "from-disk");
      await tools.copy(layout, `oci:${out}:1`, "--all");
      expect(await tools.rawManifest(`oci:${out}:1`)).toBe(served.text);
    },
    clientTestMs,
  );

  test(
    "a zstd layer is stored as it came; podman and containerd unpack it",
    async () => {
      // An image of its own: skopeo would mount a gzip layer that it knows to hold the same files.
      await buildSmallImage("zstd", "amd64");
      const plain = `dir:${join(tools.directory, "plain")}`;
      await tools.copy("containers-storage:localhost/zstd:1", plain);
      await tools.copy(
        plain,
        docker("zstd/app:1"),
        "--format",
        "oci",
        "--dest-compress-format",
        "zstd",
      );
      const manifest = parseManifest((await getManifest(registry, "zstd/app", "1")).text);
      const [layer] = manifest.layers;
      expect(layer?.mediaType).toBe("application/vnd.oci.image.layer.v1.tar+zstd");
      const blobs = `${registry.url}/v2/zstd/app/blobs`;
      const bytes = await (await fetch(`${blobs}/${layer?.digest}`)).bytes();
      expect(sha256(bytes)).toBe(layer?.digest ?? "");
      const file = join(tools.directory, "layer.zst");
      await writeFile(file, bytes);
      expect((await run("zstd", ["-d", "-q", file])).code).toBe(0);
      const config: { rootfs: { diff_ids: string[] } } = JSON.parse(
        await (await fetch(`${blobs}/${manifest.config.digest}`)).text(),
      );
      expect(sha256(await readFile(file.replace(".zst", "")))).toBe(
        config.rootfs.diff_ids[0] ?? "",
      );

      const name = `${registry.host}/zstd/app:1`;
      await puller.podman("pull", "-q", "--tls-verify=false", name);
      if (!requireTool("containerd", "ctr")) return;
      await using containerd = await startContainerd();
      const { snapshotter } = containerd;
      const pulled = ["images", "pull", "--plain-http", "--snapshotter", snapshotter, name];
      expect((await containerd.ctr(...pulled)).stdout).toContain("done");
    },
    clientTestMs,
  );

  test(
    "Docker schema 2 manifests and lists are served byte for byte under their own types",
    async () => {
      await pushIndex("docker/oci:1");
      await tools.copy(
        docker("docker/oci:1"),
        docker("docker/list:1"),
        "--all",
        "--format",
        "v2s2",
      );
      const list = await getManifest(registry, "docker/list", "1");
      expect(list.mediaType).toBe(mediaTypes.dockerList);
      for (const child of parseManifest(list.text).manifests) {
        const manifest = await getManifest(registry, "docker/list", child.digest);
        expect(manifest.mediaType).toBe(mediaTypes.dockerManifest);
        await expectBlobsServed(registry, "docker/list", parseManifest(manifest.text));
      }

      const saved = join(tools.directory, "v2s2");
      await tools.copy(docker("docker/oci:1"), `dir:${saved}`, "--format", "v2s2");
      await tools.copy(`dir:${saved}`, docker("docker/single:1"), "--preserve-digests");
      const single = await getManifest(registry, "docker/single", "1");
      expect(single.mediaType).toBe(mediaTypes.dockerManifest);
      expect(single.text).toBe(await readFile(join(saved, "manifest.json"), "utf8"));
      const name = `${registry.host}/docker/single:1`;
      const id = (await puller.podman("pull", "-q", "--tls-verify=false", name)).stdout.trim();
      expect(`sha256:${id}`).toBe(parseManifest(single.text).config.digest);
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "an artifact with a subject is stored, answered with OCI-Subject, and found from its subject",
    async () => {
      await tools.copy(both, docker("artifact/app:1"));
      const image = await getManifest(registry, "artifact/app", "1");
      const subject: Descriptor = {
        mediaType: image.mediaType,
        digest: image.digest,
        size: Buffer.byteLength(image.text),
      };
      const pushed: string[] = [];
      for (const artifactType of ["application/vnd.example.sbom.v1", "text/x-example-note"]) {
        const layer = await pushBlob(registry, "artifact/app", artifactType, artifactType);
        const config = await pushBlob(registry, "artifact/app", "{}", mediaTypes.empty);
        const text = JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.manifest,
          artifactType,
          config,
          layers: [layer],
          subject,
          annotations: { "com.example.of": artifactType },
        });
        const put = await putManifest(
          registry,
          "artifact/app",
          sha256(text),
          text,
          mediaTypes.manifest,
        );
        expect(put.status).toBe(201);
        expect(put.headers.get("oci-subject")).toBe(image.digest);
        expect((await getManifest(registry, "artifact/app", sha256(text))).text).toBe(text);
        pushed.push(sha256(text));
      }
      const referrers = `${registry.url}/v2/artifact/app/referrers/${image.digest}`;
      const all = await fetch(referrers);
      expect(all.headers.get("content-type")).toBe(mediaTypes.index);
      const found = parseManifest(await all.text()).manifests;
      expect(found.map((entry) => entry.digest).sort()).toEqual([...pushed].sort());
      const filter = encodeURIComponent("text/x-example-note");
      const one = await fetch(`${referrers}?artifactType=${filter}`);
      expect(one.headers.get("oci-filters-applied")).toBe("artifactType");
      expect(parseManifest(await one.text()).manifests).toEqual([
        {
          mediaType: mediaTypes.manifest,
          digest: pushed[1] ?? "",
          size: expect.any(Number),
          artifactType: "text/x-example-note",
          annotations: { "com.example.of": "text/x-example-note" },
        },
      ]);
      // The index that skopeo reads must list them too, or a copy of the layout would lose them.
      const layout = join(registry.rootDirectory, "artifact/app/index.json");
      await eventually("both artifacts are in index.json", async () => {
        const text = await readFile(layout, "utf8").catch(() => "");
        return pushed.every((digest) => text.includes(digest));
      });
    },
    clientTestMs,
  );

  const debianRegistry = requireTool("docker-registry");
  test.skipIf(!debianRegistry)(
    "images move from docker-registry to this registry and back with the same digests",
    async () => {
      await using other = await startDockerRegistry();
      await pushIndex("moved/app:1");
      const before = await tools.rawManifest(docker("moved/app:1"));
      const there = `docker://${other.host}/moved/app:1`;
      await tools.copy(docker("moved/app:1"), there, "--all", "--preserve-digests");
      await tools.copy(there, docker("moved/back:1"), "--all", "--preserve-digests");
      expect(await tools.rawManifest(there)).toBe(before);
      expect((await getManifest(registry, "moved/back", "1")).text).toBe(before);
    },
    clientTestMs,
  );
});
