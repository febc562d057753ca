// Bodies of real requests: with and without a length, in one piece and trickling, whole and broken off.
//
// The senders are plain sockets against a real listener, because what a runtime does with a body depends on how
// and when its packets came.

import { expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import { digestOf } from "../../src/oci/digest.ts";
import {
  UploadTooLarge,
  type AppendLimits,
  type AppendResult,
  type HeldUpload,
} from "../../src/storage/upload_store.ts";
import type { OpenEmptyStores } from "./store_samples.ts";
import { bytesSource, held, sample, unlimited, uploaded } from "./store_samples.ts";

interface Sending {
  /** Bytes that the sender sends. */
  readonly bytes: Uint8Array;
  /** What Content-Length says; null sends chunks without one. */
  readonly announcedBytes: number | null;
  /** How the sender ends: it finished, or it went away in the middle. */
  readonly ends: "whole" | "closed" | "reset";
  /** Waits for everything to be on its way before the upload takes it. */
  readonly early?: boolean;
}

/** Sends a body to a listener of its own and lets the upload take it there. */
async function append(
  upload: HeldUpload,
  sending: Sending,
  options: AppendLimits = unlimited,
): Promise<AppendResult> {
  const sent = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<AppendResult>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    async fetch(request) {
      if (sending.early === true) await sent.promise;
      const source = { body: request, lengthBytes: sending.announcedBytes };
      await upload.append(source, options).then(taken.resolve, taken.reject);
      return new Response();
    },
  });
  try {
    const socket = await send(server.port ?? 0, sending);
    sent.resolve();
    const result = await taken.promise;
    socket.destroy();
    return result;
  } finally {
    await server.stop(true);
  }
}

/** Resolves when everything was handed to the kernel, and the sender has gone if it should. */
async function send(port: number, { bytes, announcedBytes, ends }: Sending): Promise<Socket> {
  const socket = createConnection(port, "127.0.0.1");
  socket.on("error", () => undefined);
  const write = (data: string | Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      socket.write(data, () => resolve());
    });
  const chunked = announcedBytes === null;
  const length = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${announcedBytes}`;
  await write(`PATCH / HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n`);
  const pieceBytes = 60_000;
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    const piece = bytes.subarray(from, from + pieceBytes);
    if (chunked) await write(`${piece.length.toString(16)}\r\n`);
    await write(piece);
    if (chunked) await write("\r\n");
  }
  if (ends === "whole" && chunked) await write("0\r\n\r\n");
  if (ends === "closed") socket.end();
  return socket;
}

const mebibyte = 1024 * 1024;

export function testBodies(open: OpenEmptyStores): void {
  for (const before of [0, 1000]) {
    for (const length of [1, 100_000, 262_145, 3 * mebibyte]) {
      for (const announced of [true, false]) {
        const after = before === 0 ? "" : ` after ${before} others`;
        test(`${length} bytes, ${announced ? "announced" : "in chunks"}${after}`, async () => {
          await using opened = await open();
          await opened.stores.uploads.create("one", "team/app");
          await using upload = await held(opened.stores.uploads, "one");
          await upload.append(bytesSource(sample(before, 9)), unlimited);
          const bytes = sample(length);
          const announcedBytes = announced ? length : null;
          const early = length <= 100_000;
          const result = await append(upload, { bytes, announcedBytes, ends: "whole", early });
          expect(result).toEqual({ appendedBytes: length, brokenOff: false });
          expect(upload.sizeBytes).toBe(before + length);
          const all = Buffer.concat([sample(before, 9), bytes]);
          expect(await upload.digest("sha256")).toBe(digestOf("sha256", all));
          await upload.discard();
        });
      }
    }
  }

  test("a body of no bytes, announced and in chunks", async () => {
    await using opened = await open();
    await opened.stores.uploads.create("one", "team/app");
    await using upload = await held(opened.stores.uploads, "one");
    for (const announcedBytes of [0, null]) {
      const sending: Sending = { bytes: new Uint8Array(), announcedBytes, ends: "whole" };
      expect(await append(upload, sending)).toEqual({ appendedBytes: 0, brokenOff: false });
    }
    expect(await upload.digest("sha256")).toBe(digestOf("sha256", new Uint8Array()));
    await upload.discard();
  });

  for (const before of [0, 1000]) {
    for (const [length, early] of [
      [0, false],
      [1, false],
      [100_000, false],
      [2 * mebibyte, false],
      // Held back by the runtime as a whole before the upload takes it.
      [700_000, true],
    ] as const) {
      for (const announced of [true, false]) {
        const says = `${length} of ${announced ? "more" : "some"} bytes after ${before}`;
        test(`a sender that went away after ${says}: a first part of what came is kept`, async () => {
          await using opened = await open();
          await opened.stores.uploads.create("one", "team/app");
          const upload = await held(opened.stores.uploads, "one");
          await upload.append(bytesSource(sample(before, 9)), unlimited);
          const bytes = sample(length);
          const announcedBytes = announced ? 8 * mebibyte : null;
          const result = await append(upload, { bytes, announcedBytes, ends: "closed", early });
          expect(result.brokenOff).toBe(true);
          expect(result.appendedBytes).toBeLessThanOrEqual(length);
          expect(upload.sizeBytes).toBe(before + result.appendedBytes);
          const kept = bytes.subarray(0, result.appendedBytes);
          // The session goes on where it stands.
          const rest = sample(5000, 7);
          expect(
            await append(upload, { bytes: rest, announcedBytes: 5000, ends: "whole" }),
          ).toEqual({
            appendedBytes: 5000,
            brokenOff: false,
          });
          const all = Buffer.concat([sample(before, 9), kept, rest]);
          expect(upload.sizeBytes).toBe(all.length);
          expect(await upload.digest("sha256")).toBe(digestOf("sha256", all));
          await upload.close();
          expect((await opened.stores.uploads.stat("one", "team/app"))?.sizeBytes).toBe(all.length);
          await using again = await held(opened.stores.uploads, "one");
          await again.discard();
        });
      }
    }
  }

  test("a small body that broke off is counted as far as it was kept", async () => {
    await using opened = await open();
    await opened.stores.uploads.create("one", "team/app");
    await using upload = await held(opened.stores.uploads, "one");
    const bytes = sample(1000);
    const result = await append(upload, { bytes, announcedBytes: 2000, ends: "closed" });
    expect(result.brokenOff).toBe(true);
    expect(upload.sizeBytes).toBe(result.appendedBytes);
    const kept = bytes.subarray(0, result.appendedBytes);
    expect(await upload.digest("sha256")).toBe(digestOf("sha256", kept));
    await upload.discard();
  });

  for (const announced of [true, false]) {
    test(`a body over the limit, ${announced ? "announced" : "in chunks"}: none of it stays`, async () => {
      await using opened = await open();
      await opened.stores.uploads.create("one", "team/app");
      await using upload = await held(opened.stores.uploads, "one");
      await upload.append(bytesSource(sample(1000)), unlimited);
      const bytes = sample(mebibyte);
      const announcedBytes = announced ? bytes.length : null;
      const limit = { ...unlimited, uploadBytesMax: 1000 + mebibyte - 1 };
      const appended = append(upload, { bytes, announcedBytes, ends: "whole" }, limit);
      expect(await appended.catch((error: unknown) => error)).toBeInstanceOf(UploadTooLarge);
      expect(upload.sizeBytes).toBe(1000);
      expect(await upload.digest("sha256")).toBe(digestOf("sha256", sample(1000)));
      await upload.discard();
    });
  }

  for (const announcedBytes of [null, 4000, 3_000_000]) {
    const says = announcedBytes === null ? "no length" : `${announcedBytes} bytes announced`;
    test(`with ${says}, a running append tells how far it has come`, async () => {
      await using opened = await open();
      await uploaded(opened.stores.uploads, "one", sample(50));
      await using upload = await held(opened.stores.uploads, "one");
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const body = new Request("http://x/", { method: "PUT", body: readable });
      let seen = await upload.arrivedBytes();
      const appending = upload.append({ body, lengthBytes: announcedBytes }, unlimited);
      for (let count = 1; count <= 20; count += 1) {
        // Resolves when the upload has asked for it.
        await writer.write(sample(100));
        for (;;) {
          const arrived = await upload.arrivedBytes();
          if (arrived === seen) await Bun.sleep(1);
          else {
            expect(arrived).toBeGreaterThanOrEqual(seen);
            seen = arrived;
            break;
          }
        }
      }
      await writer.close();
      const brokenOff = announcedBytes !== null;
      expect(await appending).toEqual({ appendedBytes: 2000, brokenOff });
      expect(upload.sizeBytes).toBe(2050);
      expect(await upload.arrivedBytes()).toBeGreaterThanOrEqual(seen);
      await upload.discard();
    });
  }
}
