// A mirror whose database is lost: its layouts say that it is one, and which content came from the upstream. What they
// claim counts where the configuration mirrors that upstream under that name, and nowhere else.

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { mediaTypes } from "../../src/oci/media_types.ts";
import {
  eventually,
  packageDirectory,
  run,
  startZot,
  tempDirectory,
  type Zot,
} from "../harness.ts";
import { folderOf, startMirror } from "./mirror_server.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

const program = join(packageDirectory, "bin/zot");

interface Index {
  manifests: { digest: string; annotations?: Record<string, string> }[];
  annotations?: Record<string, string>;
}

const upstreamName = "io.zotregistry.layout.upstream";

async function indexOf(root: string, repository: string): Promise<Index> {
  return JSON.parse(await readFile(join(root, repository, "index.json"), "utf8")) as Index;
}

async function loseDatabase(root: string): Promise<void> {
  for (const end of ["", "-wal", "-shm"]) {
    await rm(join(root, `_zot/metadata.db${end}`), { force: true });
  }
}

async function digestAt(zot: Zot, path: string): Promise<string | null> {
  const answer = await fetch(`${zot.url}/v2/${path}`, { keepalive: false });
  await answer.arrayBuffer();
  return answer.status === 200 ? answer.headers.get("docker-content-digest") : null;
}

/** A small image of an index that is pushed here; its digest. */
async function push(zot: Zot, path: string): Promise<string | null> {
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [],
    annotations: { pushed: "here" },
  });
  const headers = { "content-type": mediaTypes.ociIndex };
  const answer = await fetch(`${zot.url}/v2/${path}`, { method: "PUT", headers, body });
  expect(answer.status).toBe(201);
  return answer.headers.get("docker-content-digest");
}

test("it is a mirror again: tags follow the upstream, pushed ones stay, and checks miss no blob", async () => {
  await using upstream = await ScriptedUpstream.start();
  await using root = await tempDirectory();
  const rootDirectory = join(root.path, "data");
  upstream.content.addImage("team/app", "v1", ["a layer that nobody pulled yet"]);
  // Nobody knows when a tag was checked last: it is checked at the first pull, however long a check counts.
  const entry = { content: [{ prefix: "**" }], allowPush: true, manifestCheckInterval: "1h" };
  const config = { storage: { rootDirectory } };
  {
    await using mirror = await startMirror(upstream, { entry, config });
    await digestAt(mirror.zot, "team/app/manifests/v1");
    await push(mirror.zot, "team/app/manifests/own");
    await eventually("the layout lists both", async () => {
      return (await indexOf(rootDirectory, "team/app")).manifests.length === 2;
    });
  }
  const { annotations, manifests } = await indexOf(rootDirectory, "team/app");
  expect(annotations?.[upstreamName]).toBe(upstream.host);
  expect(manifests.map(({ annotations: own }) => own?.["io.zotregistry.layout.cached"])).toEqual([
    undefined,
    "true",
  ]);
  // Without a server, and without the database.
  await loseDatabase(rootDirectory);
  const scrubbed = await run(program, ["scrub", "-r", rootDirectory]);
  expect(scrubbed.code).toBe(0);
  expect(scrubbed.stderr).toBe(
    `scrub: team/app: 2 blobs were not fetched from ${upstream.host} yet\n`,
  );
  // The upstream moves both tags.
  const moved = upstream.content.addImage("team/app", "v1", ["another layer"]);
  upstream.content.addImage("team/app", "own", ["not ours"]);
  await using mirror = await startMirror(upstream, { entry, config });
  const { zot } = mirror;
  const own = await digestAt(zot, "team/app/manifests/own");
  expect(own).toBe(manifests[0]?.digest ?? "");
  expect(await digestAt(zot, "team/app/manifests/v1")).toBe(moved.digest);
  expect(zot.logs().filter(({ level }) => level === "error")).toEqual([]);
  const { mirrors } = (await (await fetch(`${zot.url}/v2/_zot/mirrors`)).json()) as {
    mirrors: { cached: { repositories: number } }[];
  };
  expect(mirrors[0]?.cached.repositories).toBe(1);
});

test("a layout that was copied in claims no upstream that the configuration does not mirror there", async () => {
  await using upstream = await ScriptedUpstream.start();
  await using root = await tempDirectory();
  const rootDirectory = join(root.path, "data");
  const config = { storage: { rootDirectory } };
  const folder = folderOf(upstream);
  {
    await using zot = await startZot({ config });
    await push(zot, "mine/app/manifests/v1");
    await push(zot, `${folder}/app/manifests/v1`);
    await eventually("both are layouts", async () => {
      return (await indexOf(rootDirectory, `${folder}/app`)).manifests.length === 1;
    });
  }
  for (const [name, host] of [
    ["mine/app", upstream.host],
    [`${folder}/app`, "evil.example"],
  ] as const) {
    const index = await indexOf(rootDirectory, name);
    index.annotations = { ...index.annotations, [upstreamName]: host };
    for (const each of index.manifests) {
      each.annotations = { ...each.annotations, "io.zotregistry.layout.cached": "true" };
    }
    await writeFile(join(rootDirectory, name, "index.json"), JSON.stringify(index));
  }
  await loseDatabase(rootDirectory);
  await using mirror = await startMirror(upstream, { config });
  const { zot } = mirror;
  expect(await digestAt(zot, "mine/app/manifests/v1")).not.toBeNull();
  expect(await digestAt(zot, `${folder}/app/manifests/v1`)).not.toBeNull();
  const { mirrors } = (await (await fetch(`${zot.url}/v2/_zot/mirrors`)).json()) as {
    mirrors: { cached: { repositories: number } }[];
  };
  expect(mirrors[0]?.cached.repositories).toBe(0);
  await eventually("our layout claims it no more", async () => {
    await push(zot, "mine/app/manifests/v2");
    return (await indexOf(rootDirectory, "mine/app")).annotations?.[upstreamName] === undefined;
  });
});
