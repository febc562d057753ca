// skopeo against a registry of several stores: what it pushes lies where its name says, and a copy from one store into
// the other is mounted, not sent again, and served byte for byte.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { requireTool, startZot, tempDirectory, type Zot } from "../harness.ts";
import type { TempDirectory } from "../temp.ts";
import { type Containers, containers } from "./containers.ts";
import { smallImage } from "./small_image.ts";
import { clientTestMs, expectBlobsServed, getManifest, parseManifest } from "./tested_registry.ts";

describe.skipIf(!requireTool("skopeo"))("skopeo and several stores", () => {
  let directory: TempDirectory;
  let zot: Zot;
  let tools: Containers;
  let team = "";

  beforeAll(async () => {
    directory = await tempDirectory("zot-stores");
    team = join(directory.path, "team");
    tools = await containers();
    zot = await startZot({
      config: { storage: { subPaths: { "/team": { rootDirectory: team, dedupe: true } } } },
    });
  }, clientTestMs);

  afterAll(async () => {
    await zot?.[Symbol.asyncDispose]();
    await tools?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  }, clientTestMs);

  const docker = (name: string): string => `docker://${zot.host}/${name}`;
  const layerIn = (root: string, at: string, digest: string): boolean =>
    existsSync(join(root, at, "blobs/sha256", digest.slice(7)));

  for (const [from, to] of [
    ["base/app", "team/app"],
    ["team/tools", "base/tools"],
  ] as const) {
    test(
      `copies ${from} to ${to} and pulls both`,
      async () => {
        const image = await smallImage(3_000_000);
        await image.push(zot, from, "1");
        await tools.copy(docker(`${from}:1`), docker(`${to}:1`), "--preserve-digests");
        for (const at of [from, to]) {
          const served = await getManifest(zot, at, "1");
          expect(served.digest).toBe(image.digest);
          await expectBlobsServed(zot, at, parseManifest(served.text));
          await tools.copy(docker(`${at}:1`), `dir:${join(tools.directory, at.replace("/", "-"))}`);
          const root = at.startsWith("team/") ? team : zot.rootDirectory;
          const other = root === team ? zot.rootDirectory : team;
          expect(layerIn(root, at, image.layer.digest)).toBe(true);
          expect(layerIn(other, at, image.layer.digest)).toBe(false);
        }
      },
      clientTestMs,
    );
  }

  test("what it copied was mounted: no byte of a layer was sent", () => {
    const sent = zot.logs().filter(({ what, repository, bytes }) => {
      const isTarget = repository === "team/app" || repository === "base/tools";
      return (
        isTarget &&
        String(what).startsWith("blob.") &&
        Number(bytes) > 100_000 &&
        what !== "blob.get"
      );
    });
    expect(sent).toEqual([]);
    const mounts = zot.logs().filter(({ path, status }) => {
      return status === 201 && /\/(team\/app|base\/tools)\/blobs\/uploads/.test(String(path));
    });
    expect(mounts.length).toBeGreaterThanOrEqual(2);
  });
});
