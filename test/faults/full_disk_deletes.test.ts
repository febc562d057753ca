// A disk that is full to the last page: tags, manifests and blobs are deleted all the same, their bytes go, and what
// they leave is not eaten by pushes that come again and again.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../processes.ts";
import { checkRoot } from "./check_root.ts";
import { manifestType, sha256 } from "./journal.ts";
import { attach, canInject } from "./kth_call.ts";
import { type ServerProcess, startFaultServer } from "./server_process.ts";
import { tempDirectory } from "../temp.ts";
import { canMount, smallDisk } from "./small_disk.ts";

const mebibyte = 1024 * 1024;
const repository = "full/disk";
const images = 24;
const tagsOfEach = 12;

interface Image {
  readonly digest: string;
  readonly layer: string;
  readonly tags: readonly string[];
}

async function status(answer: Promise<Response>): Promise<number> {
  const { status: code, body } = await answer;
  await body?.cancel();
  return code;
}

/** Pushes an image of one layer under several tags. */
async function push(url: string, index: number): Promise<Image> {
  const layer = new Uint8Array(Buffer.alloc(120_000, `layer ${index} `));
  const blobs = `${url}/v2/${repository}/blobs/uploads/?digest=${sha256(layer)}`;
  expect(await status(fetch(blobs, { method: "POST", body: layer }))).toBe(201);
  const descriptor = {
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: sha256(layer),
    size: layer.length,
  };
  const manifest = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { ...descriptor, mediaType: "application/vnd.oci.image.config.v1+json" },
      layers: [descriptor],
    }),
  );
  const digest = sha256(manifest);
  const tags = Array.from({ length: tagsOfEach }, (_, tag) => `v${index}-${tag}`);
  const query = tags.map((tag) => `tag=${tag}`).join("&");
  const put = { method: "PUT", body: manifest, headers: { "content-type": manifestType } };
  const path = `${url}/v2/${repository}/manifests/${digest}?${query}`;
  expect(await status(fetch(path, put))).toBe(201);
  return { digest, layer: sha256(layer), tags };
}

const remove = ({ url }: ServerProcess, path: string): Promise<number> =>
  status(fetch(`${url}/v2/${repository}/${path}`, { method: "DELETE" }));

/** Deletes a tag alone, then the manifest with the others, then its layer; the statuses of all. */
async function removeImage(
  server: ServerProcess,
  { digest, layer, tags }: Image,
): Promise<number[]> {
  return [
    await remove(server, `manifests/${tags[0] ?? ""}`),
    await remove(server, `manifests/${digest}`),
    await remove(server, `blobs/${layer}`),
  ];
}

const blobPath = (root: string, digest: string): string =>
  join(root, repository, "blobs/sha256", digest.slice("sha256:".length));

async function bytesGo(root: string, gone: readonly Image[]): Promise<void> {
  const files = gone.flatMap(({ digest, layer }) => [digest, layer]);
  await eventually("their bytes are gone", () =>
    files.every((digest) => !existsSync(blobPath(root, digest))),
  );
}

const tryPush = ({ url }: ServerProcess, bytes: number): Promise<number> => {
  const body = new Uint8Array(Buffer.alloc(bytes, crypto.randomUUID()));
  const path = `${url}/v2/${repository}/blobs/uploads/?digest=${sha256(body)}`;
  return status(fetch(path, { method: "POST", body }));
};

describe.skipIf(!(await canMount()))("a full disk", () => {
  test("takes every delete, also after a start, and keeps what they free from pushes", async () => {
    await using disk = await smallDisk(24 * mebibyte);
    const root = `${disk.path}/root`;
    await using server = await startFaultServer(root);
    const all: Image[] = [];
    for (let index = 0; index < images; index += 1) all.push(await push(server.url, index));
    disk.fill();
    expect(await tryPush(server, 200_000)).toBe(507);

    const [first, second, third] = [all.slice(0, 8), all.slice(8, 16), all.slice(16)];
    // Many small deletes free nothing, and each one writes.
    for (const { tags } of all) {
      for (const tag of tags.slice(1, -1))
        expect(await remove(server, `manifests/${tag}`)).toBe(202);
    }
    // Meanwhile others push, again and again.
    const state = { pushing: true, taken: 0 };
    const pushing = (async () => {
      while (state.pushing) if ((await tryPush(server, 50_000)) === 201) state.taken += 1;
    })();
    for (const image of first) expect(await removeImage(server, image)).toEqual([202, 202, 202]);
    await bytesGo(root, first);
    state.pushing = false;
    await pushing;
    for (const image of second) expect(await removeImage(server, image)).toEqual([202, 202, 202]);
    await bytesGo(root, second);
    expect(checkRoot(root).violations).toEqual([]);

    await server.kill();
    disk.fill();
    await using again = await startFaultServer(root);
    for (const image of third) expect(await removeImage(again, image)).toEqual([202, 202, 202]);
    await bytesGo(root, third);

    disk.free();
    expect(await tryPush(again, 200_000)).toBe(201);
    await again.kill();
    const { violations, layouts } = checkRoot(root);
    expect(violations).toEqual([]);
    expect(layouts.flatMap(({ lines }) => lines)).toEqual([]);
  }, 60_000);
});

describe.skipIf(!(await canMount()))("a full disk with deletes that can be undone", () => {
  test("frees what is held before a push is refused again", async () => {
    await using disk = await smallDisk(24 * mebibyte);
    const root = `${disk.path}/root`;
    await using server = await startFaultServer(root, null, { UNDO_WINDOW: "24h" });
    const all: Image[] = [];
    for (let index = 0; index < images; index += 1) all.push(await push(server.url, index));
    for (const image of all) expect(await removeImage(server, image)).toEqual([202, 202, 202]);
    // There is room, and it is held.
    expect(all.every(({ layer }) => existsSync(blobPath(root, layer)))).toBe(true);
    disk.fill();
    await eventually("pushes find room again and again", async () => {
      return (await tryPush(server, 300_000)) === 201;
    });
    for (let more = 0; more < 3; more += 1) {
      await eventually("and again", async () => (await tryPush(server, 300_000)) === 201);
    }
    expect(checkRoot(root).violations).toEqual([]);
  }, 60_000);
});

// Kernels without quotas cannot give a real one: the calls fail as they do when one is used up.
describe.skipIf(!canInject())("a quota that is used up", () => {
  /** Asks while the first write of the metadata's log, and the first try to find room, meet the quota. */
  async function askAtQuota(server: ServerProcess, root: string, ask: () => Promise<number>) {
    const own = join(root, "_zot");
    const log = join(root, "..", "trace");
    const options = ["-P", join(own, "metadata.db-wal"), "-P", join(own, "reserve.scratch")];
    for (const call of ["pwrite64", "fallocate"]) {
      options.push("-e", `inject=${call}:error=EDQUOT:when=1`);
    }
    const tracer = await attach(server.pid, log, ["-e", "trace=pwrite64,fallocate", ...options]);
    const code = await ask();
    await tracer.detach();
    const injected = (await Bun.file(log).text()).split("(INJECTED)").length - 1;
    return { code, injected };
  }

  test("is a full disk: deletes are taken, and pushes are answered 507", async () => {
    await using directory = await tempDirectory("zot-quota");
    const root = join(directory.path, "root");
    await using server = await startFaultServer(root);
    const { digest, layer, tags } = await push(server.url, 0);
    // Let the projector come to rest: the next write is that of the request.
    await eventually("index.json is there", () => {
      return existsSync(join(root, repository, "index.json"));
    });
    const paths = [`manifests/${tags[0] ?? ""}`, `manifests/${digest}`, `blobs/${layer}`];
    for (const path of paths) {
      const deleted = await askAtQuota(server, root, () => remove(server, path));
      expect(deleted).toEqual({ code: 202, injected: 2 });
    }
    await eventually("their bytes are gone", () => {
      return !existsSync(blobPath(root, digest)) && !existsSync(blobPath(root, layer));
    });
    const pushed = await askAtQuota(server, root, () => tryPush(server, 100));
    expect(pushed).toEqual({ code: 507, injected: 2 });
    expect(await tryPush(server, 100)).toBe(201);
  }, 60_000);
});
