// Files of other repositories that a push or a mount would share: damaged ones, and ones that another tool wrote and
// nobody flushed. And uploads whose bytes a power cut took.

import { describe, expect, test } from "bun:test";
import { open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDirectory } from "../temp.ts";
import { checkRoot } from "./check_root.ts";
import { sha256 } from "./journal.ts";
import { canCutPower, ext4Disk } from "./power_cut.ts";
import { startFaultServer } from "./server_process.ts";

const layer = new Uint8Array(Buffer.alloc(700_000, "a layer "));
const digest = sha256(layer);

async function send(
  url: string,
  method: string,
  path: string,
  body?: Uint8Array<ArrayBuffer>,
): Promise<{ status: number; location: string; range: string; bytes: Uint8Array }> {
  const answer = await fetch(`${url}${path}`, { method, ...(body === undefined ? {} : { body }) });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const { headers, status } = answer;
  return {
    status,
    location: headers.get("location") ?? "",
    range: headers.get("range") ?? "",
    bytes,
  };
}

const push = (url: string, at: string) =>
  send(url, "POST", `/v2/${at}/blobs/uploads/?digest=${digest}`, layer);
const mount = (url: string, at: string) =>
  send(url, "POST", `/v2/${at}/blobs/uploads/?mount=${digest}&from=a`);
const fileIn = (root: string, at: string): string =>
  join(root, at, "blobs/sha256", digest.slice("sha256:".length));

async function isWhole(url: string, at: string): Promise<boolean> {
  const { status, bytes } = await send(url, "GET", `/v2/${at}/blobs/${digest}`);
  return status === 200 && Buffer.compare(bytes, layer) === 0;
}

describe("a damaged donor", () => {
  for (const [how, damage] of Object.entries({
    "changed in place": async (path: string) => {
      const file = await open(path, "r+");
      await file.write(new Uint8Array([0, 1, 2]), 0, 3, 300_000);
      await file.close();
    },
    "cut short": async (path: string) => {
      const file = await open(path, "r+");
      await file.truncate(300_000);
      await file.close();
    },
    gone: (path: string) => rm(path),
  })) {
    test(`that is ${how} is not shared on, and a push into any repository mends all`, async () => {
      await using directory = await tempDirectory("zot-donor");
      const root = join(directory.path, "root");
      await using server = await startFaultServer(root);
      expect((await push(server.url, "a")).status).toBe(201);
      expect((await mount(server.url, "b")).status).toBe(201);
      await damage(fileIn(root, "a"));
      expect((await push(server.url, "c")).status).toBe(201);
      for (const at of ["a", "b", "c"])
        expect([at, await isWhole(server.url, at)]).toEqual([at, true]);
      await server.kill();
      expect(checkRoot(root).violations).toEqual([]);
    });
  }
});

describe.skipIf(!(await canCutPower()))("after a power cut", () => {
  for (const [how, share] of Object.entries({ "a push": push, "a mount": mount })) {
    test(`what ${how} shared with a file that nobody had flushed is whole`, async () => {
      await using disk = await ext4Disk();
      const root = join(disk.path, "root");
      const server = await startFaultServer(root);
      expect((await push(server.url, "a")).status).toBe(201);
      // Another tool puts the same bytes there, as a restore does.
      await rm(fileIn(root, "a"));
      await writeFile(fileIn(root, "a"), layer);
      expect((await share(server.url, "c")).status).toBe(201);
      disk.cut();
      await server.kill();
      await disk.remount();
      await using again = await startFaultServer(root);
      expect(await isWhole(again.url, "c")).toBe(true);
    });
  }

  test("an upload that lost acknowledged bytes says where it stands, and is finished from there", async () => {
    await using disk = await ext4Disk();
    const root = join(disk.path, "root");
    const server = await startFaultServer(root);
    const opened = await send(server.url, "POST", "/v2/a/blobs/uploads/");
    // The journal has the file by now; what it will hold nobody flushes.
    expect((await push(server.url, "b")).status).toBe(201);
    const sent = await send(server.url, "PATCH", opened.location, layer);
    expect(sent.status).toBe(202);
    disk.cut();
    await server.kill();
    await disk.remount();
    await using again = await startFaultServer(root);
    const closed = await send(again.url, "PUT", `${sent.location}?digest=${digest}`);
    expect(closed.status).toBe(416);
    const [, last = ""] = closed.range.split("-");
    const held = last === "0" ? 0 : Number(last) + 1;
    expect(held).toBeLessThan(layer.length);
    const rest = new Uint8Array(layer.subarray(held));
    const finished = await send(again.url, "PUT", `${closed.location}?digest=${digest}`, rest);
    expect(finished.status).toBe(201);
    expect(await isWhole(again.url, "a")).toBe(true);
  });
});
