// A root directory that was copied or restored is known as this registry's own: files with new inodes, and no database.

import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { eventually, runOk, startZot, tempDirectory, type Zot } from "./harness.ts";
import { config, image, layer } from "./http/content.ts";

async function pushImage(zot: Zot, tag: string): Promise<void> {
  for (const { bytes, digest } of [config, layer]) {
    const url = `${zot.url}/v2/team/app/blobs/uploads/?digest=${digest}`;
    expect((await fetch(url, { method: "POST", body: Buffer.from(bytes) })).status).toBe(201);
  }
  const { bytes, mediaType } = image({ annotations: { tag } });
  const headers = { "content-type": mediaType };
  const url = `${zot.url}/v2/team/app/manifests/${tag}`;
  const put = await fetch(url, { method: "PUT", body: Buffer.from(bytes), headers });
  expect(put.status).toBe(201);
}

/** Serves a root until all of it was looked at; what it said of layouts, and its tags. */
async function lookAt(rootDirectory: string) {
  await using zot = await startZot({ rootDirectory, config: { http: { workers: 1 } } });
  await eventually("it is read", async () => (await fetch(`${zot.url}/startupz`)).status === 200);
  const listed = await (await fetch(`${zot.url}/v2/team/app/tags/list`)).json();
  await zot.stop();
  const about = zot.logs().filter(({ msg }) => String(msg).match(/layout|tool/) !== null);
  return { listed, said: about.map(({ msg }) => msg) };
}

test("a copy is served in silence; one without its database says that the metadata was lost", async () => {
  await using directory = await tempDirectory();
  const at = (name: string): string => join(directory.path, name);
  const copy = (from: string, to: string) => runOk("cp", ["-a", at(from), at(to)]);
  {
    await using zot = await startZot({ rootDirectory: at("root") });
    await pushImage(zot, "1");
    await pushImage(zot, "2");
    expect(await zot.stop()).toBe(0);
  }
  const both = { name: "team/app", tags: ["1", "2"] };
  await copy("root", "copy");
  expect(await lookAt(at("copy"))).toEqual({ listed: both, said: [] });

  await copy("root", "bare");
  for (const end of ["", "-wal", "-shm"]) {
    await rm(at(`bare/_zot/metadata.db${end}`), { force: true });
  }
  expect(await lookAt(at("bare"))).toEqual({
    listed: both,
    said: ["took in a layout whose metadata was lost"],
  });
});
