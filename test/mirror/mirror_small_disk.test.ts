// A mirror on a small disk that runs full in the middle of a cold download: its client never holds a complete body that
// is wrong, nothing of it is kept, and once there is room the next pull brings all of it.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { digestOf } from "../../src/oci/digest.ts";
import { sample } from "../contracts/store_samples.ts";
import { canMount, smallDisk } from "../faults/small_disk.ts";
import { eventually } from "../processes.ts";
import { startMirror, type MirrorServer } from "./mirror_server.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

const MiB = 1024 * 1024;
const name = "team/app";
const big = sample(12 * MiB);
const digest = digestOf("sha256", big);
const path = `${name}/blobs/${digest}`;

interface Received {
  readonly status: number;
  readonly bytes: Buffer;
  /** The body did not come to its end. */
  readonly broke: boolean;
}

async function received(pull: Promise<Response>): Promise<Received> {
  const parts: Uint8Array[] = [];
  const answer = await pull;
  const { status } = answer;
  try {
    for await (const part of answer.body!) parts.push(part);
    return { status, bytes: Buffer.concat(parts), broke: false };
  } catch {
    return { status, bytes: Buffer.concat(parts), broke: true };
  }
}

function downloads(upstream: ScriptedUpstream): number {
  return upstream.asked("GET", digest).length;
}

async function uploads({ zot }: MirrorServer): Promise<string[]> {
  return readdir(join(zot.rootDirectory, "_zot", "uploads"));
}

test("a cold download that runs out of space ends honestly, leaves nothing, and works once there is room", async () => {
  if (!(await canMount())) return;
  await using disk = await smallDisk(64 * MiB);
  await using upstream = await ScriptedUpstream.start();
  upstream.content.addImage(name, "v1", [big]);
  await using mirror = await startMirror(upstream, { rootDirectory: join(disk.path, "root") });
  expect((await mirror.get(`${name}/manifests/v1`)).status).toBe(200);
  disk.fill(5 * MiB);
  const beforeBytes = disk.freeBytes();

  // Two workers, so that some read what the other one downloads.
  const all = await Promise.all(Array.from({ length: 6 }, () => received(mirror.get(path))));
  for (const { status, bytes, broke } of all) {
    if (status === 200) {
      expect(broke).toBe(true);
      expect(bytes.length).toBeLessThan(big.length);
      // What came until then is right.
      expect(bytes.equals(big.subarray(0, bytes.length))).toBe(true);
    } else expect([502, 503, 507]).toContain(status);
  }
  expect(all.some(({ status, bytes }) => status === 200 && bytes.length > 0)).toBe(true);
  const told = "a blob of an upstream could not be fetched";
  await mirror.zot.waitForLog("the log tells it", ({ msg }) => msg === told);
  await eventually("the space is given back", () => disk.freeBytes() >= beforeBytes - MiB);
  expect(await uploads(mirror)).toEqual([]);

  // The server lives, and serves what it has.
  expect((await mirror.get(`${name}/manifests/v1`)).status).toBe(200);
  disk.free();
  const asked = downloads(upstream);
  const pulled = await received(mirror.get(path));
  expect(pulled).toMatchObject({ status: 200, broke: false });
  expect(digestOf("sha256", pulled.bytes)).toBe(digest);
  expect(downloads(upstream)).toBe(asked + 1);
  // It is stored now: an upstream that is gone is not missed.
  upstream.on("*", /./, { status: 500 });
  const again = await received(mirror.get(path));
  expect(digestOf("sha256", again.bytes)).toBe(digest);
  expect(downloads(upstream)).toBe(asked + 1);
});
