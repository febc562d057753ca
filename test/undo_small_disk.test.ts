// A small disk on which images are pushed and deleted in a fast burst: what undo holds gives way in time, and no push is
// refused for it.

import { describe, expect, test } from "bun:test";
import { canMount, type SmallDisk, smallDisk } from "./faults/small_disk.ts";
import { sha256 } from "./faults/journal.ts";
import { startZot, type Zot } from "./harness.ts";

const mebibyte = 1024 * 1024;
const diskBytes = 48 * mebibyte;
const layerBytes = 5 * mebibyte;
const repository = "small/disk";

function layer(seed: number, sizeBytes = layerBytes): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(sizeBytes, seed);
  bytes.write(`layer ${seed} ${Math.random()}`);
  return bytes;
}

type Push = (zot: Zot, bytes: Buffer<ArrayBuffer>) => Promise<Response>;

const digestOf = (bytes: Buffer): string => sha256(bytes);

async function start(zot: Zot): Promise<string> {
  const opened = await fetch(`${zot.url}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  expect(opened.status).toBe(202);
  return opened.headers.get("location") ?? "";
}

/** As docker and podman do: of a length that nobody says. */
function streamed(bytes: Buffer<ArrayBuffer>): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull: (controller) => {
      controller.enqueue(bytes.subarray(at, at + 64 * 1024));
      at += 64 * 1024;
      if (at >= bytes.length) controller.close();
    },
  });
}

const ways: Readonly<Record<string, Push>> = {
  "one POST": (zot, bytes) =>
    fetch(`${zot.url}/v2/${repository}/blobs/uploads/?digest=${digestOf(bytes)}`, {
      method: "POST",
      body: bytes,
    }),
  "POST and PUT": async (zot, bytes) =>
    fetch(`${zot.url}${await start(zot)}?digest=${digestOf(bytes)}`, {
      method: "PUT",
      body: bytes,
    }),
  "POST, PATCH without a length, PUT": async (zot, bytes) => {
    const sent = await fetch(`${zot.url}${await start(zot)}`, {
      method: "PATCH",
      body: streamed(bytes),
    });
    if (sent.status !== 202) return sent;
    const location = sent.headers.get("location") ?? "";
    return fetch(`${zot.url}${location}?digest=${digestOf(bytes)}`, { method: "PUT" });
  },
  "small blobs, a mebibyte in 16 requests at once": async (zot, bytes) => {
    const parts = Array.from({ length: 16 }, (_, at) => layer(at, mebibyte / 16));
    const answers = await Promise.all(
      parts.map((part) =>
        fetch(`${zot.url}/v2/${repository}/blobs/uploads/?digest=${digestOf(part)}`, {
          method: "POST",
          body: part,
        }),
      ),
    );
    const refused = answers.find(({ status }) => status !== 201);
    if (refused !== undefined) return refused;
    await Promise.all(parts.slice(1).map((part) => remove(zot, part)));
    return ways["one POST"]!(zot, bytes.subarray(0, mebibyte));
  },
};

async function remove(zot: Zot, bytes: Buffer): Promise<void> {
  const url = `${zot.url}/v2/${repository}/blobs/${digestOf(bytes)}`;
  const answer = await fetch(url, { method: "DELETE" });
  expect(answer.status).toBe(202);
}

function startOn(disk: SmallDisk): Promise<Zot> {
  return startZot({
    config: {
      storage: { rootDirectory: `${disk.path}/root`, undo: { window: "24h" } },
      http: { workers: 2 },
    },
  });
}

describe("a burst of pushes and deletes on a small disk", () => {
  test.each(Object.keys(ways))("%s: nothing is refused", async (way) => {
    if (!(await canMount())) return;
    await using disk = await smallDisk(diskBytes);
    await using zot = await startOn(disk);
    const push = ways[way]!;
    const refused: string[] = [];
    for (let at = 1; at <= 24; at += 1) {
      const bytes = layer(at);
      const answer = await push(zot, bytes);
      if (answer.status !== 201) refused.push(`${at}: ${answer.status} ${await answer.text()}`);
      else await remove(zot, way.startsWith("small") ? bytes.subarray(0, mebibyte) : bytes);
    }
    expect(refused.slice(0, 3)).toEqual([]);
  });
});
