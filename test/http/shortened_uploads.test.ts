// Uploads that lost bytes which were acknowledged, as after a power cut: the client hears where the upload stands, what
// is there stays, and it goes on from there.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { sample } from "../contracts/store_samples.ts";
import { startWorld, type SendOptions, type World } from "./world.ts";

const bytes = sample(400_000);
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const acknowledgedBytes = 300_000;
const patch = (part: Uint8Array<ArrayBuffer>, first: number | null = null) => ({
  body: part,
  headers: first === null ? {} : { "content-range": `${first}-${first + part.length - 1}` },
});

/** An upload of `keptBytes`, and the location that acknowledged more. */
async function shortened(world: World, keptBytes: number): Promise<string> {
  const opened = await world.send("POST", "/v2/a/blobs/uploads/");
  const target = opened.headers.get("location") ?? "";
  const sent = await world.send("PATCH", target, patch(bytes.slice(0, acknowledgedBytes)));
  expect(sent.status).toBe(202);
  await world.restart();
  const uploads = join(world.rootDirectory, "_zot/uploads");
  const [name = ""] = readdirSync(uploads);
  await truncate(join(uploads, name), keptBytes);
  return sent.headers.get("location") ?? "";
}

const rest = bytes.slice(acknowledgedBytes);
const requests: Readonly<Record<string, (at: string) => readonly [string, string, SendOptions]>> = {
  "closes it": (at: string) => ["PUT", `${at}?digest=${digest}`, {}],
  "closes it with the last bytes": (at: string) => ["PUT", `${at}?digest=${digest}`, patch(rest)],
  "closes it with the last chunk": (at: string) => [
    "PUT",
    `${at}?digest=${digest}`,
    patch(rest, acknowledgedBytes),
  ],
  "streams on": (at: string) => ["PATCH", at, patch(rest)],
  "sends the next chunk": (at: string) => ["PATCH", at, patch(rest, acknowledgedBytes)],
};

for (const keptBytes of [0, 1000, acknowledgedBytes - 1]) {
  for (const [says, request] of Object.entries(requests)) {
    describe(`an upload with ${keptBytes} of ${acknowledgedBytes} bytes, whose client ${says}`, () => {
      test("is 416 with where it stands, keeps that, and goes on from there", async () => {
        await using world = await startWorld();
        const at = await shortened(world, keptBytes);
        const refused = await world.send(...request(at));
        const range = `0-${Math.max(keptBytes - 1, 0)}`;
        expect([refused.status, refused.headers.get("range") ?? ""]).toEqual([416, range]);
        const status = await world.send("GET", at);
        expect([status.status, status.headers.get("range") ?? ""]).toEqual([204, range]);
        // By the old location with its place, and by the new one without.
        const middle = bytes.slice(keptBytes, keptBytes + 5000);
        const chunk = await world.send("PATCH", at, patch(middle, keptBytes));
        expect(chunk.status).toBe(202);
        const last = bytes.slice(keptBytes + 5000);
        const newest = chunk.headers.get("location") ?? "";
        const closed = await world.send("PUT", `${newest}?digest=${digest}`, patch(last));
        expect(closed.status).toBe(201);
        const read = await world.send("GET", `/v2/a/blobs/${digest}`);
        expect(Buffer.compare(read.body, bytes)).toBe(0);
      });
    });
  }
}

test("an upload that stands where its location says goes on, by older locations, too", async () => {
  await using world = await startWorld();
  const at = await shortened(world, acknowledgedBytes);
  const older = at.replace(/\.\d+$/, "");
  expect(older).not.toBe(at);
  expect((await world.send("PATCH", older, patch(rest.slice(0, 10)))).status).toBe(202);
  const put = await world.send("PUT", `${at}?digest=${digest}`, patch(rest.slice(10)));
  expect(put.status).toBe(201);
});
