// containerd (the engine below Docker and Kubernetes) pulls from the registry, runs and pushes.
//
// Proves: its resolver, its blob reads and its monolithic uploads work; the files that a container sees are
// those that were pushed. It has no ping and no fallbacks that hide a wrong header.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  eventually,
  type Registry,
  requireRoot,
  requireTool,
  startService,
  startZot,
} from "../harness.ts";
import { type BaseImage, baseImage } from "./base_image.ts";
import { type Containerd, startContainerd } from "./containerd.ts";
import { type Containers, containers } from "./containers.ts";
import {
  clientTestMs,
  getManifest,
  isZot,
  parseManifest,
  startRegistryUnderTest,
} from "./tested_registry.ts";

const ready =
  requireTool("containerd", "ctr", "runc", "skopeo", "buildah", "debootstrap") && requireRoot();

describe.skipIf(!ready)("containerd", () => {
  let registry: Registry;
  let tools: Containers;
  let image: BaseImage;
  let containerd: Containerd;

  beforeAll(async () => {
    image = await baseImage();
    tools = await containers();
    registry = await startRegistryUnderTest();
    containerd = await startContainerd();
  }, clientTestMs);

  afterAll(async () => {
    await containerd?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    await tools?.[Symbol.asyncDispose]();
  }, clientTestMs);

  test(
    "pulls an image by tag, runs a command in it, and pushes it under another name",
    async () => {
      const { snapshotter } = containerd;
      await tools.copy(
        image.source,
        `docker://${registry.host}/team/debian:12`,
        "--preserve-digests",
      );
      const name = `${registry.host}/team/debian:12`;
      await containerd.ctr("images", "pull", "--plain-http", "--snapshotter", snapshotter, name);
      const listed = (await containerd.ctr("images", "ls", `name==${name}`)).stdout;
      expect(listed).toContain(image.digest);

      const ran = await containerd.ctr("run", "--rm", "--snapshotter", snapshotter, name, "marker");
      expect(ran.stdout).toBe(image.marker);
      const shell = ["/bin/sh", "-c", "echo $((6 * 7)); cat /etc/os-release"];
      const other = await containerd.ctr(
        "run",
        "--rm",
        "--snapshotter",
        snapshotter,
        name,
        "shell",
        ...shell,
      );
      expect(other.stdout).toStartWith("42\n");
      expect(other.stdout).toContain(image.madeBy === "debootstrap" ? "ID=debian" : "ID=busybox");

      const target = `${registry.host}/team/again:1`;
      await containerd.ctr("images", "push", "--plain-http", target, name);
      const served = await getManifest(registry, "team/again", "1");
      expect(served.text).toBe(image.manifest);
      // The second push of the same image is a HEAD of the manifest and nothing else.
      await containerd.ctr("images", "push", "--plain-http", target, name);
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "ends a push for which a quota has no room, and does not ask again and again",
    async () => {
      const storage = { quotas: [{ prefix: "full/", bytes: 0 }] };
      await using zot = await startZot({ config: { storage } });
      const target = `${zot.host}/full/debian:12`;
      const name = `${registry.host}/quota/debian:12`;
      await tools.copy(image.source, `docker://${name}`, "--preserve-digests");
      const { snapshotter } = containerd;
      await containerd.ctr("images", "pull", "--plain-http", "--snapshotter", snapshotter, name);
      const command = containerd.command("images", "push", "--plain-http", target, name);
      const refusals = () => zot.logs().filter((line) => line["status"] === 403);
      await using push = startService(command);
      await eventually("the push is refused", () => refusals().length > 0 || !push.running());
      // Version 1.6 may wait for ever after a refusal; a later one ends, and prints what the registry says.
      await eventually("a layer is refused once", () => refusals().length > 0);
      const layers = parseManifest(image.manifest).layers.length + 1;
      expect(refusals().length).toBeLessThanOrEqual(2 * layers);
    },
    clientTestMs,
  );
});
