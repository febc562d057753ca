// Bodies that arrived whole before they were taken: a trap of the runtime (Bun 1.4.5).
//
// Its own transfer of such a body into a file opened for appending grows the file first and writes behind that:
// the upload had twice the length, half of it zeros, whenever a client's packets were quick enough. A `Request`
// made from bytes is such a body, every time.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { digestOf } from "../../oci/digest.ts";
import type { AppendLimits, HeldUpload } from "../upload_store.ts";
import { openFilesystem, type FilesystemStores } from "./open_filesystem.ts";

const options: AppendLimits = { uploadBytesMax: null };
let root: string;
let stores: FilesystemStores;
let upload: HeldUpload;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zot-buffered-"));
  stores = openFilesystem({ rootDirectory: root, durable: false, clock: systemClock });
  await stores.prepare();
  await stores.uploads.create("upload");
  const opened = await stores.uploads.hold("upload");
  if (opened === null || opened === "busy") throw new Error(`no upload: ${opened}`);
  upload = opened;
});

afterEach(async () => {
  await upload.close();
  await stores.close();
  await rm(root, { recursive: true });
});

function random(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let from = 0; from < length; from += 65_536) {
    crypto.getRandomValues(bytes.subarray(from, Math.min(from + 65_536, length)));
  }
  return bytes;
}

function requestOf(bytes: Uint8Array<ArrayBuffer>): Request {
  return new Request("http://127.0.0.1/", { method: "PATCH", body: bytes });
}

for (const length of [1, 262_144, 262_145, 1_048_576, 1_572_864, 20_000_000]) {
  for (const known of [true, false]) {
    test(`${length} bytes, length ${known ? "announced" : "unknown"}: stored once`, async () => {
      const bytes = random(length);
      const source = { body: requestOf(bytes), lengthBytes: known ? length : null };
      expect(await upload.append(source, options)).toEqual({
        appendedBytes: length,
        brokenOff: false,
      });
      expect(upload.sizeBytes).toBe(length);
      expect(await upload.digest("sha256")).toBe(digestOf("sha256", bytes));
    });
  }
}

test("a limit stops a body of unknown length, and the bytes before it stay", async () => {
  await upload.append({ body: random(1000), lengthBytes: 1000 }, options);
  const body = { body: requestOf(random(500_000)), lengthBytes: null };
  const appended = upload.append(body, { ...options, uploadBytesMax: 400_000 });
  expect(await appended.catch(String)).toContain("exceed 400000 bytes");
  expect(upload.sizeBytes).toBe(1000);
});

for (const length of [300_000, 1_048_576, 3_000_000]) {
  test(`${length} bytes after ${length} others: appended once`, async () => {
    const parts = [random(length), random(length)] as const;
    for (const part of parts) {
      const source = { body: requestOf(part), lengthBytes: length };
      expect((await upload.append(source, options)).appendedBytes).toBe(length);
    }
    expect(upload.sizeBytes).toBe(2 * length);
    expect(await upload.digest("sha256")).toBe(digestOf("sha256", Buffer.concat(parts)));
  });
}

// The runtime's own transfer of an empty body cuts the file to nothing (Bun 1.4.5).
for (const before of [512, 300_000, 3_000_000]) {
  test(`an empty body of unknown length after ${before} bytes takes nothing away`, async () => {
    const bytes = random(before);
    await upload.append({ body: requestOf(bytes), lengthBytes: before }, options);
    const empty = new Request("http://127.0.0.1/", {
      method: "PUT",
      body: new ReadableStream({ start: (controller) => controller.close() }),
    });
    for (const body of [empty, requestOf(new Uint8Array(0))]) {
      const result = await upload.append({ body, lengthBytes: null }, options);
      expect(result).toEqual({ appendedBytes: 0, brokenOff: false });
    }
    expect(upload.sizeBytes).toBe(before);
    expect(await upload.digest("sha256")).toBe(digestOf("sha256", bytes));
  });
}
