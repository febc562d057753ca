// Roots that were there before search was on, and servers that are killed while they summarise: in the end the
// summaries are those of what is there.

import { expect, test } from "bun:test";
import { createRegistry, type Registry } from "../../src/create_registry.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { content, descriptor, manifestOf } from "../http/content.ts";
import { startZot, tempDirectory } from "../harness.ts";
import { eventually } from "../processes.ts";
import { searchPath } from "./search_world.ts";

type Ask = (method: string, path: string, init?: RequestInit) => Promise<Response>;

const asking =
  (registry: Registry): Ask =>
  (method, path, init) =>
    registry.fetch(new Request(`http://registry${path}`, { ...init, method }));

async function push(ask: Ask, repository: string, tag: string): Promise<void> {
  const config = content(JSON.stringify({ os: "linux", architecture: "amd64", repository, tag }));
  const layer = content(`layer of ${repository}`);
  for (const blob of [config, layer]) {
    const answer = await ask("POST", `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`, {
      headers: { "content-type": mediaTypes.octetStream },
      body: blob.bytes,
    });
    expect(answer.status).toBe(201);
  }
  const manifest = manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: descriptor(config, mediaTypes.ociConfig),
    layers: [descriptor(layer, mediaTypes.ociLayer)],
  });
  const answer = await ask("PUT", `/v2/${repository}/manifests/${tag}`, {
    headers: { "content-type": manifest.mediaType },
    body: manifest.bytes,
  });
  expect(answer.status).toBe(201);
}

/** All images that search knows, `name:tag platform`. */
async function known(ask: Ask): Promise<string[]> {
  const query = `{ImageList(repo:""){Results{RepoName Tag Manifests{Platform{Os Arch}}}}}`;
  const answer = await ask("GET", `${searchPath}?query=${encodeURIComponent(query)}`);
  expect(answer.status).toBe(200);
  const { data } = (await answer.json()) as {
    data: {
      ImageList: {
        Results: { RepoName: string; Tag: string; Manifests: { Platform: { Os: string } }[] }[];
      };
    };
  };
  return data.ImageList.Results.map(
    ({ RepoName, Tag, Manifests }) => `${RepoName}:${Tag} ${Manifests[0]?.Platform.Os}`,
  );
}

async function waitFor(ask: Ask, expected: readonly string[]): Promise<void> {
  const wanted = [...expected].sort();
  await eventually("the summaries are those of what is there", async () =>
    Bun.deepEquals((await known(ask)).sort(), wanted),
  );
}

interface Progress {
  readonly isIndexing: boolean;
  readonly percent: number;
  readonly behind: number;
  readonly repositories: { readonly done: number; readonly all: number } | null;
}

const searching = { extensions: { search: {} } };

test("what was there before is summarised, and what changed while search was off", async () => {
  await using directory = await tempDirectory("zot-search");
  const open = (config: object) =>
    createRegistry({ rootDirectory: directory.path, config: { ...config } });
  const images = ["a/one", "a/two", "b/three"].flatMap((name) =>
    ["v1", "v2"].map((tag) => [name, tag] as const),
  );
  const shown = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([name, tag]) => `${name}:${tag} linux`);
  {
    await using registry = await open({});
    for (const [name, tag] of images) await push(asking(registry), name, tag);
  }
  {
    await using registry = await open(searching);
    const ask = asking(registry);
    await eventually("search says that nothing is missing", async () => {
      const answer = await ask("GET", "/v2/_zot/search/progress");
      const told = (await answer.json()) as Progress;
      const { isIndexing, percent, repositories } = told;
      expect(repositories?.all).toBe(3);
      expect(percent === 100).toBe(!isIndexing);
      expect(isIndexing).toBe(repositories?.done !== 3);
      return !isIndexing;
    });
    expect((await known(ask)).sort()).toEqual(shown(images).sort());
  }
  {
    await using registry = await open({});
    const ask = asking(registry);
    await push(ask, "c/new", "v1");
    expect((await ask("DELETE", "/v2/a/one/manifests/v1")).status).toBe(202);
  }
  await using registry = await open(searching);
  await waitFor(asking(registry), shown([...images.slice(1), ["c/new", "v1"]]));
});

test("a server that is killed while it summarises goes on with it", async () => {
  await using directory = await tempDirectory("zot-search");
  const rootDirectory = `${directory.path}/root`;
  const expected: string[] = [];
  {
    await using registry = await createRegistry({ rootDirectory });
    for (let at = 0; at < 60; at += 1) {
      const [name, tag] = [`team/app-${at % 6}`, `v${at}`];
      await push(asking(registry), name, tag);
      expected.push(`${name}:${tag} linux`);
    }
  }
  for (let turn = 0; turn < 4; turn += 1) {
    await using zot = await startZot({ rootDirectory, config: searching });
    const ask: Ask = (method, path, init) => fetch(`${zot.url}${path}`, { ...init, method });
    if (turn === 3) {
      await waitFor(ask, expected);
      break;
    }
    // As soon as something is known, and sooner each time.
    await push(ask, "team/app-0", `pushed-${turn}`);
    expected.push(`team/app-0:pushed-${turn} linux`);
    if (turn > 0) {
      await eventually("something is summarised", async () => (await known(ask)).length > 0);
    }
    await zot.kill();
  }
});
