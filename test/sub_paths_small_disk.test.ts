// A store on a disk of its own that is full: its own pushes are refused or what undo holds gives way, deletes and pulls go
// on, and the other store hears nothing of it. Two real file systems, so that hard links between them are refused.

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { canMount, smallDisk } from "./faults/small_disk.ts";
import { eventually, startZot, type Zot } from "./harness.ts";
import { content, pattern, type Content } from "./http/content.ts";

const mebibyte = 1024 * 1024;
const mounts = await canMount();

async function push(zot: Zot, at: string, { digest, bytes }: Content): Promise<number> {
  const path = `${zot.url}/v2/${at}/blobs/uploads/?digest=${digest}`;
  return (await fetch(path, { method: "POST", body: Buffer.from(bytes) })).status;
}

/** Bytes that no other has. */
function unlike(seed: number, sizeBytes: number): Content {
  const bytes = Buffer.from(pattern(sizeBytes).bytes);
  bytes.writeUInt32LE(seed, 0);
  return content(bytes);
}

test.skipIf(!mounts)(
  "a full disk is its own store's trouble",
  async () => {
    await using disk = await smallDisk(48 * mebibyte);
    const team = join(disk.path, "team");
    await using zot = await startZot({
      config: {
        storage: { undo: { window: "0s" }, subPaths: { "/team": { rootDirectory: team } } },
      },
    });
    const kept = unlike(1, 2 * mebibyte);
    const small = content("small");
    for (const blob of [kept, small]) expect(await push(zot, "team/app", blob)).toBe(201);
    expect(await push(zot, "base/app", kept)).toBe(201);
    disk.fill(64 * 1024);
    expect(await push(zot, "team/app", unlike(2, 2 * mebibyte))).toBe(507);
    const mounting = `${zot.url}/v2/team/other/blobs/uploads/?mount=${kept.digest}&from=base/app`;
    expect([202, 507]).toContain((await fetch(mounting, { method: "POST" })).status);
    // The other store takes what comes, and all is served.
    expect(await push(zot, "base/app", unlike(3, 2 * mebibyte))).toBe(201);
    const pulled = await fetch(`${zot.url}/v2/team/app/blobs/${kept.digest}`);
    expect(Buffer.compare(Buffer.from(await pulled.arrayBuffer()), Buffer.from(kept.bytes))).toBe(
      0,
    );
    expect((await fetch(`${zot.url}/readyz`)).status).toBe(200);
    const removed = await fetch(`${zot.url}/v2/team/app/blobs/${kept.digest}`, {
      method: "DELETE",
    });
    expect(removed.status).toBe(202);
    const file = join(team, "team/app/blobs/sha256", kept.digest.slice(7));
    await eventually("a delete frees its bytes on a full disk", () => !existsSync(file));
    disk.free();
    await eventually("there is room again", async () => {
      return (await push(zot, "team/app", unlike(4, 2 * mebibyte))) === 201;
    });
    expect(await zot.stop()).toBe(0);
  },
  120_000,
);

test.skipIf(!mounts)(
  "what undo holds gives way on the disk that is short, and on no other",
  async () => {
    await using disk = await smallDisk(48 * mebibyte);
    const team = join(disk.path, "team");
    await using zot = await startZot({
      config: {
        storage: { gc: false, minFree: "5%", subPaths: { "/team": { rootDirectory: team } } },
      },
    });
    const remove = async (at: string, { digest }: Content): Promise<void> => {
      const path = `${zot.url}/v2/${at}/blobs/${digest}`;
      expect((await fetch(path, { method: "DELETE" })).status).toBe(202);
    };
    const base = unlike(1, 5 * mebibyte);
    expect(await push(zot, "base/app", base)).toBe(201);
    await remove("base/app", base);
    // More than the disk has, and each is held once it was deleted.
    for (let seed = 10; seed < 24; seed += 1) {
      const blob = unlike(seed, 5 * mebibyte);
      expect(await push(zot, "team/app", blob)).toBe(201);
      await remove("team/app", blob);
    }
    const file = join(zot.rootDirectory, "base/app/blobs/sha256", base.digest.slice(7));
    expect(existsSync(file)).toBe(true);
    expect(await zot.stop()).toBe(0);
  },
  120_000,
);
