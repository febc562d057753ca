// A server that is killed again and again while clients delete images and take the deletes back: what was acknowledged
// holds afterwards, and whatever is deleted can still be brought back whole.

import { expect, test } from "bun:test";
import { tempDirectory } from "../temp.ts";
import { checkRoot } from "./check_root.ts";
import { manifestType, sha256 } from "./journal.ts";
import { startFaultServer, type ServerProcess } from "./server_process.ts";

const repository = "undo/killed";
const clients = 6;
const cycles = 4;
/** Acknowledgements of a cycle, after which the server is killed in the middle of the next ones. */
const acknowledgedOfCycle = 40;

interface Image {
  readonly tag: string;
  readonly layer: Uint8Array<ArrayBuffer>;
  readonly manifest: Uint8Array<ArrayBuffer>;
  /** What was acknowledged last; null while the outcome of a request is unknown. */
  isThere: boolean | null;
}

function imageOf(index: number): Image {
  const layer = new Uint8Array(Buffer.alloc(5_000, `layer ${index} `));
  const descriptor = {
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: sha256(layer),
    size: layer.length,
  };
  const config = { ...descriptor, mediaType: "application/vnd.oci.image.config.v1+json" };
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config,
    layers: [descriptor],
  });
  return { tag: `t${index}`, layer, manifest: new TextEncoder().encode(text), isThere: null };
}

async function status(answer: Promise<Response>): Promise<number> {
  const { status: code, body } = await answer;
  await body?.cancel();
  return code;
}

const ask = (server: ServerProcess, method: string, path: string, init: RequestInit = {}) =>
  status(fetch(`${server.url}/v2/${repository}/${path}`, { method, ...init }));

async function push(server: ServerProcess, image: Image): Promise<void> {
  const blob = `blobs/uploads/?digest=${sha256(image.layer)}`;
  expect(await ask(server, "POST", blob, { body: image.layer })).toBe(201);
  const headers = { "content-type": manifestType };
  const put = await ask(server, "PUT", `manifests/${image.tag}`, { body: image.manifest, headers });
  expect(put).toBe(201);
  image.isThere = true;
}

/** Deletes the manifest, then its layer. */
async function remove(server: ServerProcess, image: Image): Promise<void> {
  image.isThere = null;
  expect(await ask(server, "DELETE", `manifests/${sha256(image.manifest)}`)).toBe(202);
  image.isThere = false;
  await ask(server, "DELETE", `blobs/${sha256(image.layer)}`);
}

async function restore(server: ServerProcess, image: Image): Promise<void> {
  image.isThere = null;
  const body = JSON.stringify({ digest: sha256(image.manifest) });
  expect(await ask(server, "POST", `_zot/tag-history/${image.tag}/restore`, { body })).toBe(200);
  image.isThere = true;
}

async function isWhole(server: ServerProcess, image: Image): Promise<boolean> {
  if ((await ask(server, "GET", `manifests/${image.tag}`)) !== 200) return false;
  const answer = await fetch(`${server.url}/v2/${repository}/blobs/${sha256(image.layer)}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  expect(Buffer.compare(bytes, image.layer)).toBe(0);
  return true;
}

test("what was deleted or brought back is so after a crash, and can be brought back whole", async () => {
  await using directory = await tempDirectory("zot-undo-killed");
  const root = `${directory.path}/root`;
  const env = { UNDO_WINDOW: "24h" };
  const images = Array.from({ length: clients }, (_, index) => imageOf(index));
  let server = await startFaultServer(root, null, env);
  try {
    for (const image of images) await push(server, image);
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      let acknowledged = 0;
      const victim = server;
      const work = async (image: Image): Promise<void> => {
        while (victim.running()) {
          await (image.isThere === true ? remove : restore)(victim, image);
          acknowledged += 1;
          if (acknowledged === acknowledgedOfCycle) await victim.kill();
        }
      };
      await Promise.allSettled(images.map(work));
      expect(acknowledged).toBeGreaterThanOrEqual(acknowledgedOfCycle);
      expect(checkRoot(root).violations).toEqual([]);
      server = await startFaultServer(root, null, env);
      for (const image of images) {
        const found = await isWhole(server, image);
        if (image.isThere !== null) expect([image.tag, found]).toEqual([image.tag, image.isThere]);
        if (!found) await restore(server, image);
        expect(await isWhole(server, image)).toBe(true);
        image.isThere = true;
      }
    }
  } finally {
    await server.kill();
  }
});
