// A small disk, as a newcomer meets it: CI fills it, one rule is set, its plan looked at and applied, the disk has room
// again, and one tag that went too far is brought back and pulled.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canMount, smallDisk } from "../faults/small_disk.ts";
import { eventually, requireTool, run, startZot, testedProgram } from "../harness.ts";
import { change } from "../reloading.ts";
import { sha256 } from "./base_image.ts";
import { type Containers, containers } from "./containers.ts";
import { clientTestMs, isZot, mediaTypes } from "./tested_registry.ts";

const MiB = 1024 * 1024;
const diskBytes = 64 * MiB;
const layerBytes = 3 * MiB;
const buildsMax = 24;

const ready = requireTool("skopeo") && isZot && (await canMount());

/** An OCI layout with images of one random layer each, as builds leave them: `build-1` and so on. */
async function builds(directory: string): Promise<void> {
  const blobs = join(directory, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const digest = sha256(bytes);
    await writeFile(join(blobs, digest.slice("sha256:".length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const text = (document: object) => new TextEncoder().encode(JSON.stringify(document));
  const manifests = [];
  for (let build = 1; build <= buildsMax; build += 1) {
    const bytes = new Uint8Array(layerBytes);
    for (let at = 0; at < layerBytes; at += 65_536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    }
    const layer = await put(bytes, "application/vnd.oci.image.layer.v1.tar");
    const rootfs = { type: "layers", diff_ids: [layer.digest] };
    const config = await put(
      text({ architecture: "amd64", os: "linux", config: {}, rootfs }),
      mediaTypes.config,
    );
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer] };
    const annotations = { "org.opencontainers.image.ref.name": `build-${build}` };
    manifests.push({ ...(await put(text(manifest), mediaTypes.manifest)), annotations });
  }
  await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

describe.skipIf(!ready)("a small disk", () => {
  let tools: Containers;

  beforeAll(async () => {
    tools = await containers();
  }, clientTestMs);
  afterAll(async () => {
    await tools?.[Symbol.asyncDispose]();
  }, clientTestMs);

  test(
    "that CI has filled has room again after one rule, and a tag that went comes back",
    async () => {
      await using disk = await smallDisk(diskBytes);
      const made = join(tools.directory, "builds");
      await builds(made);
      // A push may take longer than a second: what is short is the delay of what it is tried with afterwards.
      const storage = { gcInterval: "1s", minFree: "50%" };
      await using zot = await startZot({
        config: { storage },
        rootDirectory: join(disk.path, "root"),
      });
      const nameOf = (build: number) => `${zot.host}/ci/app:build-${build}`;
      const push = (build: number) =>
        tools.trySkopeo(
          "copy",
          "--preserve-digests",
          "--dest-tls-verify=false",
          `oci:${made}:build-${build}`,
          `docker://${nameOf(build)}`,
        );
      let pushed = 0;
      for (; pushed < buildsMax; pushed += 1) {
        const { code, stderr } = await push(pushed + 1);
        if (code === 0) continue;
        expect(stderr).toMatch(/507 Insufficient Storage|[Nn]o space left/);
        break;
      }
      expect(pushed).toBeWithin(6, buildsMax);
      expect(disk.freeBytes()).toBeLessThan(diskBytes / 2 - 2 * layerBytes);

      // One rule; nothing goes by itself while it is tried.
      const policies = [{ repositories: ["ci/**"], keepTags: [{ mostRecentlyPushedCount: 2 }] }];
      const short = { ...storage, gcDelay: "1s" };
      const trying = { ...short, retention: { dryRun: true, policies } };
      await change(zot, { storage: trying });
      const program = await testedProgram();
      const typed = (...args: string[]) =>
        run(program, args, {
          cwd: tools.directory,
          env: { ...process.env, ZOT_SERVER: zot.url },
        });
      const plan = await typed("gc", "plan", "-o", "plan.jsonl");
      expect(plan.code).toBe(0);
      expect(plan.stderr).toMatch(
        new RegExp(`^${pushed - 2} tags, .* in plan.jsonl
$`),
      );
      const applied = await typed("gc", "apply", "plan.jsonl");
      expect(applied.code).toBe(0);
      expect(applied.stdout + applied.stderr).toMatch(/^[1-9]\d* removed, 0 skipped$/m);
      await change(zot, { storage: { ...trying, retention: { dryRun: false, policies } } });
      await eventually(
        "half of the disk is free",
        () => disk.freeBytes() >= diskBytes / 2 - MiB,
        240_000,
      );

      // What went last is held as long as there is room for it.
      let back = 0;
      for (let build = pushed - 2; build >= 1 && back === 0; build -= 1) {
        const { code } = await typed("undo", nameOf(build));
        if (code === 0) back = build;
      }
      expect(back).toBeGreaterThan(0);
      const to = join(tools.directory, "back");
      await tools.copy(`docker://${nameOf(back)}`, `dir:${to}`);
      const original = await tools.rawManifest(`oci:${made}:build-${back}`);
      expect(await Bun.file(join(to, "manifest.json")).text()).toBe(original);
      // And CI goes on.
      await change(zot, { storage });
      expect((await push(pushed + 1)).code).toBe(0);
    },
    clientTestMs,
  );
});
