// A server that is killed in the middle of collection, again and again: what is named stays, and all the rest goes in
// the end.

import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { eventually, startZot, tempDirectory, type Zot } from "../harness.ts";
import { config, content, descriptor, image, type Content } from "../http/content.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { checkRoot } from "./check_root.ts";

const at = "team/app";
/** Images that lose their tag. */
const goneMax = 60;

const layerOf = (seed: number): Content => content(`layer ${seed}`);
const imageOf = (seed: number) =>
  image({
    layers: [descriptor(layerOf(seed), mediaTypes.ociLayer)],
    annotations: { seed: `${seed}` },
  });

async function send(
  zot: Zot,
  method: string,
  path: string,
  body?: Content,
  type = "",
): Promise<number> {
  const answer = await fetch(`${zot.url}/v2/${at}/${path}`, {
    method,
    ...(type === "" ? {} : { headers: { "content-type": type } }),
    ...(body === undefined ? {} : { body: Buffer.from(body.bytes) }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

const push = (zot: Zot, blob: Content): Promise<number> =>
  send(zot, "POST", `blobs/uploads/?digest=${blob.digest}`, blob);

test("of what lost its name nothing is left, and of what has one nothing is lost", async () => {
  await using directory = await tempDirectory("zot-killed");
  const rootDirectory = join(directory.path, "root");
  const storage = { rootDirectory, gc: false, undo: { window: "0s" } };
  const kept = imageOf(0);
  {
    await using zot = await startZot({ config: { http: { workers: 1 }, storage } });
    expect(await push(zot, config)).toBe(201);
    for (let seed = 0; seed <= goneMax; seed += 1) {
      expect(await push(zot, layerOf(seed))).toBe(201);
      const { mediaType } = kept;
      const tag = seed === 0 ? "kept" : imageOf(seed).digest;
      expect(await send(zot, "PUT", `manifests/${tag}`, imageOf(seed), mediaType)).toBe(201);
    }
    expect(await zot.stop()).toBe(0);
  }
  const collecting = { ...storage, gc: true, gcDelay: "1ms", gcInterval: "1s" };
  const removed = (zot: Zot): number =>
    zot.logs().filter((line) => line["msg"] === "removed untagged manifest").length;
  for (const seen of [1, 10, 5]) {
    await using zot = await startZot({ config: { http: { workers: 1 }, storage: collecting } });
    await eventually(
      "some of it is collected",
      () => removed(zot) >= seen || isClean(rootDirectory),
    );
    await zot.kill();
    expect(checkRoot(rootDirectory).violations).toEqual([]);
  }
  await using zot = await startZot({ config: { http: { workers: 1 }, storage: collecting } });
  await eventually("the rest is collected", () => isClean(rootDirectory));
  expect(await send(zot, "GET", "manifests/kept")).toBe(200);
  for (const blob of [config, layerOf(0)]) {
    expect(await send(zot, "GET", `blobs/${blob.digest}`)).toBe(200);
  }
  expect(await zot.stop()).toBe(0);
  expect(checkRoot(rootDirectory).violations).toEqual([]);
});

/** Only the files of the one image are there. */
function isClean(rootDirectory: string): boolean {
  const blobs = join(rootDirectory, at, "blobs/sha256");
  return existsSync(blobs) && readdirSync(blobs).length === 3;
}
