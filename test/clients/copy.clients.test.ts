// What `zot copy` writes, as others read it: archives in podman and skopeo, from a file and through a pipe.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  packageDirectory,
  requireRoot,
  requireTool,
  run,
  runOk,
  startZot,
  type Zot,
} from "../harness.ts";
import { sha256 } from "./base_image.ts";
import { type Containers, containers } from "./containers.ts";
import { clientTestMs, parseManifest } from "./tested_registry.ts";

const program = join(packageDirectory, "bin/zot");
const ready = requireTool("buildah", "skopeo", "podman") && requireRoot();

describe.skipIf(!ready)("an image that zot copy moves", () => {
  let zot: Zot;
  let tools: Containers;
  let digest = "";
  let config = "";
  const at = (name: string) => join(tools.directory, name);
  const copied = (...args: string[]) => runOk(program, ["copy", ...args], { cwd: tools.directory });
  const source = () => `docker://${zot.host}/team/app:1.0`;
  const name = () => `${zot.host}/team/app:1.0`;

  beforeAll(async () => {
    zot = await startZot();
    tools = await containers();
    await mkdir(at("files"));
    await writeFile(at("files/text"), crypto.randomUUID());
    const container = (await tools.buildah("from", "scratch")).stdout.trim();
    await tools.buildah("copy", "-q", container, at("files"), "/");
    await tools.buildah("commit", "-q", container, "localhost/app:1");
    await tools.copy("containers-storage:localhost/app:1", source());
    const text = await tools.rawManifest(source());
    digest = sha256(text);
    config = parseManifest(text).config?.digest ?? "";
    await tools.buildah("rmi", "--all", "--force");
  }, clientTestMs);

  afterAll(async () => {
    await zot?.[Symbol.asyncDispose]();
    await tools?.[Symbol.asyncDispose]();
  }, clientTestMs);

  /** The config of an image that podman has, which is removed again; its manifest is one of podman's own. */
  async function loadedConfig(): Promise<string> {
    const found = await tools.podman("image", "inspect", "--format", "sha256:{{.Id}}", name());
    await tools.podman("image", "rm", name());
    return found.stdout.trim();
  }

  test(
    "is loaded by podman under its own name, from a file and from a pipe",
    async () => {
      await copied(source(), "oci-archive:app.tar");
      await tools.podman("load", "-q", "-i", at("app.tar"));
      expect(await loadedConfig()).toBe(config);
      const line = `"${program}" copy "${source()}" oci-archive:- | podman --tmpdir="${at("libpod-tmp")}" load -q`;
      const loaded = await run("sh", ["-c", line], { cwd: tools.directory, env: tools.env });
      expect([loaded.code, loaded.stdout]).toEqual([0, expect.stringContaining(name())]);
      expect(await loadedConfig()).toBe(config);
    },
    clientTestMs,
  );

  test(
    "is read by skopeo from an archive, with the same digest",
    async () => {
      await copied(source(), "oci-archive:read.tar");
      const archive = `oci-archive:${at("read.tar")}:1.0`;
      expect(sha256(await tools.rawManifest(archive))).toBe(digest);
      await tools.copy(archive, `oci:${at("unpacked")}:1.0`, "--preserve-digests");
      expect(sha256(await tools.rawManifest(`oci:${at("unpacked")}:1.0`))).toBe(digest);
    },
    clientTestMs,
  );

  test(
    "comes from what podman saves, through a pipe",
    async () => {
      await tools.podman("pull", "-q", "--tls-verify=false", name());
      const podman = `podman --tmpdir="${at("libpod-tmp")}" save -q --format oci-archive "${name()}"`;
      const line = `${podman} | "${program}" copy oci-archive:- "docker://${zot.host}/team/back:1"`;
      const back = await run("sh", ["-c", line], { cwd: tools.directory, env: tools.env });
      expect([back.code, back.stderr]).toEqual([0, ""]);
      expect((await fetch(`${zot.url}/v2/team/back/manifests/1`)).status).toBe(200);
    },
    clientTestMs,
  );
});
