// A Debian image through buildah, skopeo, podman and umoci, against a running registry.
//
// Proves: what buildah pushed is served byte for byte; skopeo copies it in and out in every direction without
// a digest changing; the directory of a repository is an OCI layout that skopeo and umoci read while the
// server runs; podman pulls it, runs it and pushes it back.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { eventually, type Registry, requireRoot, requireTool, startZot } from "../harness.ts";
import { reasonOf } from "../reason_of.ts";
import { type BaseImage, baseImage, sha256 } from "./base_image.ts";
import { type Containers, containers } from "./containers.ts";
import {
  clientTestMs,
  expectBlobsServed,
  getManifest,
  isZot,
  parseManifest,
  startRegistryUnderTest,
} from "./tested_registry.ts";

const ready = requireTool("buildah", "skopeo", "podman", "umoci", "debootstrap") && requireRoot();

describe.skipIf(!ready)("a Debian image and the containers tools", () => {
  let registry: Registry;
  let tools: Containers;
  let image: BaseImage;

  beforeAll(async () => {
    image = await baseImage();
    tools = await containers();
    registry = await startRegistryUnderTest();
  }, clientTestMs);

  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await tools?.[Symbol.asyncDispose]();
  }, clientTestMs);

  const docker = (name: string) => `docker://${registry.host}/${name}`;

  test(
    "buildah builds from it and pushes: the registry serves exactly what buildah says it pushed",
    async () => {
      const container = (await tools.buildah("from", image.source)).stdout.trim();
      await tools.buildah("config", "--label", "proves=buildah", container);
      await tools.buildah("commit", "-q", container, "localhost/built:1");
      const file = join(tools.directory, "digest");
      const target = docker("built/debian:12");
      await tools.buildah(
        "push",
        "-q",
        "--tls-verify=false",
        "--digestfile",
        file,
        "localhost/built:1",
        target,
      );
      const served = await getManifest(registry, "built/debian", "12");
      expect(served.digest).toBe((await readFile(file, "utf8")).trim());
      const manifest = parseManifest(served.text);
      expect(manifest.layers.length).toBe(3);
      await expectBlobsServed(registry, "built/debian", manifest);
      await tools.buildah("rm", container);
      // By digest, as every deployment pins it.
      const again = await getManifest(registry, "built/debian", served.digest);
      expect(again.text).toBe(served.text);
    },
    clientTestMs,
  );

  test(
    "skopeo copies the layout in, inspects it, lists its tags, and copies it out unchanged",
    async () => {
      await tools.copy(image.source, docker("skopeo/debian:a"), "--preserve-digests");
      await tools.copy(docker("skopeo/debian:a"), docker("skopeo/debian:b"), "--preserve-digests");
      const inspected: Record<string, unknown> = JSON.parse(
        (await tools.skopeo("inspect", "--tls-verify=false", docker("skopeo/debian:a"))).stdout,
      );
      expect(inspected["Digest"]).toBe(image.digest);
      // The specification asks for lexical order; docker-registry does not keep to it.
      const tags = inspected["RepoTags"];
      expect(isZot ? tags : new Set(Array.isArray(tags) ? tags : [])).toEqual(
        isZot ? ["a", "b"] : new Set(["a", "b"]),
      );
      expect(inspected["Layers"]).toEqual(
        parseManifest(image.manifest).layers.map((l) => l.digest),
      );
      expect(await tools.rawManifest(docker("skopeo/debian:b"))).toBe(image.manifest);

      const out = join(tools.directory, "out");
      await tools.copy(docker("skopeo/debian:b"), `oci:${out}:b`, "--preserve-digests");
      expect(await tools.rawManifest(`oci:${out}:b`)).toBe(image.manifest);
      for (const layer of parseManifest(image.manifest).layers) {
        const blob = join(out, "blobs", layer.digest.replace(":", "/"));
        expect(sha256(await Bun.file(blob).bytes())).toBe(layer.digest);
      }
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "skopeo copies what a tag was at a moment, by a name of the past",
    async () => {
      await tools.copy(image.source, docker("past/debian:a"), "--preserve-digests");
      const first = await tools.rawManifest(docker("past/debian:a"));
      await Bun.sleep(5);
      const then = `at.${new Date().toISOString().toLowerCase().replaceAll(":", ".")}`;
      await Bun.sleep(5);
      await tools.skopeo("delete", "--tls-verify=false", docker("past/debian:a"));
      expect(await tools.rawManifest(docker(`${then}/past/debian:a`))).toBe(first);
      await tools.copy(
        docker(`${then}/past/debian:a`),
        docker("past/again:a"),
        "--preserve-digests",
      );
      expect(await tools.rawManifest(docker("past/again:a"))).toBe(first);
      const tags = await tools.skopeo(
        "list-tags",
        "--tls-verify=false",
        docker(`${then}/past/debian`),
      );
      expect(JSON.parse(tags.stdout)).toMatchObject({ Tags: ["a"] });
    },
    clientTestMs,
  );

  test(
    "skopeo deletes: the digest and all its tags go, the other images stay",
    async () => {
      await tools.copy(image.source, docker("deleted/debian:old"));
      await tools.copy(image.source, docker("deleted/kept:old"));
      await tools.skopeo("delete", "--tls-verify=false", docker("deleted/debian:old"));
      const after = await tools.trySkopeo(
        "inspect",
        "--tls-verify=false",
        docker("deleted/debian:old"),
      );
      expect(after.code).not.toBe(0);
      expect(after.stderr).toContain("manifest unknown");
      expect(await tools.rawManifest(docker("deleted/kept:old"))).toBe(image.manifest);
    },
    clientTestMs,
  );

  test(
    "podman pulls by tag and by digest, and runs a command in it",
    async () => {
      await tools.copy(image.source, docker("podman/debian:12"), "--preserve-digests");
      for (const reference of [":12", `@${image.digest}`]) {
        const name = `${registry.host}/podman/debian${reference}`;
        const id = (await tools.podman("pull", "-q", "--tls-verify=false", name)).stdout.trim();
        expect(`sha256:${id}`).toBe(parseManifest(image.manifest).config.digest);
      }
      const name = `${registry.host}/podman/debian:12`;
      const [shown]: { Digest: string }[] = JSON.parse(
        (await tools.podman("inspect", name)).stdout,
      );
      expect(shown?.Digest).toBe(image.digest);

      const ran = await tools.tryPodmanRun(name);
      if (ran.code === 0) expect(ran.stdout).toBe(image.marker);
      else console.log(`podman run is not possible in this sandbox: ${ran.stderr.trim()}`);

      // Pushed back under another name: podman compresses anew, the configuration is the same.
      await tools.podman("push", "-q", "--tls-verify=false", name, docker("podman/pushed:1"));
      const pushed = parseManifest((await getManifest(registry, "podman/pushed", "1")).text);
      expect(pushed.config.digest).toBe(parseManifest(image.manifest).config.digest);
      await expectBlobsServed(registry, "podman/pushed", pushed);
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "skopeo and podman print what a quota says when a push has no room",
    async () => {
      const storage = { quotas: [{ prefix: "full/", bytes: 0 }] };
      await using zot = await startZot({ config: { storage } });
      const message =
        /quota of full\/: 0 B used of 0 B, this layer needs room; see `zot du full\/`/;
      const target = `docker://${zot.host}/full/debian:12`;
      const copied = await tools.trySkopeo("copy", "--dest-tls-verify=false", image.source, target);
      expect(copied.code).not.toBe(0);
      expect(copied.stderr).toMatch(message);
      await tools.copy(image.source, docker("quota/debian:12"));
      const name = `${registry.host}/quota/debian:12`;
      await tools.podman("pull", "-q", "--tls-verify=false", name);
      const push = ["push", "-q", "--tls-verify=false", name, target];
      expect(String(await reasonOf(tools.podman(...push)))).toMatch(message);
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "skopeo reads the repository's directory as an OCI layout while the server runs, and sees a tag move",
    async () => {
      await tools.copy(image.source, docker("layout/debian:12"), "--preserve-digests");
      const layout = `oci:${join(registry.rootDirectory, "layout/debian")}`;
      const readBack = (wanted: string) =>
        eventually("the tag is in the layout's index.json", async () => {
          const read = await tools.trySkopeo("inspect", "--raw", `${layout}:12`);
          return read.stdout === wanted;
        });
      await readBack(image.manifest);
      const out = join(tools.directory, "from-layout");
      await tools.copy(`${layout}:12`, `dir:${out}`);
      expect(await readFile(join(out, "manifest.json"), "utf8")).toBe(image.manifest);

      const changed = image.manifest.replace('"schemaVersion":2', '"schemaVersion": 2');
      const put = await fetch(`${registry.url}/v2/layout/debian/manifests/12`, {
        method: "PUT",
        headers: { "content-type": parseManifest(image.manifest).mediaType ?? "" },
        body: changed,
      });
      expect(put.status).toBe(201);
      await readBack(changed);
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "umoci unpacks the repository's directory: the container's files are those that were built",
    async () => {
      await tools.copy(image.source, docker("umoci/debian:12"), "--preserve-digests");
      const layout = join(registry.rootDirectory, "umoci/debian");
      await eventually(
        "the tag is in the layout's index.json",
        async () => (await tools.trySkopeo("inspect", "--raw", `oci:${layout}:12`)).code === 0,
      );
      const bundle = join(tools.directory, "bundle");
      await tools.umoci("unpack", "--image", `${layout}:12`, bundle);
      expect(await readFile(join(bundle, "rootfs", "marker"), "utf8")).toBe(image.marker);
      const release = await readFile(join(bundle, "rootfs", "etc/os-release"), "utf8");
      expect(release).toContain(image.madeBy === "debootstrap" ? "debian" : "busybox");
      await rm(bundle, { recursive: true });
    },
    clientTestMs,
  );
});
