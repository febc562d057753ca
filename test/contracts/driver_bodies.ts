// Bodies of real requests: with and without a length, in one piece and trickling, whole and broken off.
//
// The senders are plain sockets against a real listener, because what a runtime does with a body depends on how
// and when its packets came.

import { expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import { digestOf } from "../../src/oci/digest.ts";
import {
  StageTooLarge,
  type AppendOptions,
  type AppendResult,
  type Stage,
} from "../../src/storage/driver.ts";
import type { OpenEmptyDriver } from "./driver_samples.ts";
import { bytesSource, held, sample, unlimited } from "./driver_samples.ts";

interface Sending {
  /** Bytes that the sender sends. */
  readonly bytes: Uint8Array;
  /** What Content-Length says; null sends chunks without one. */
  readonly announcedBytes: number | null;
  /** How the sender ends: it finished, or it went away in the middle. */
  readonly ends: "whole" | "closed" | "reset";
  /** Waits for everything to be on its way before the stage takes it. */
  readonly early?: boolean;
}

/** Sends a body to a listener of its own and lets the stage take it there. */
async function append(
  stage: Stage,
  sending: Sending,
  options: AppendOptions = unlimited,
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
      await stage.append(source, options).then(taken.resolve, taken.reject);
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

export function testBodies(open: OpenEmptyDriver): void {
  for (const before of [0, 1000]) {
    for (const length of [1, 100_000, 262_145, 3 * mebibyte]) {
      for (const announced of [true, false]) {
        const after = before === 0 ? "" : ` after ${before} others`;
        test(`${length} bytes, ${announced ? "announced" : "in chunks"}${after}`, async () => {
          await using opened = await open();
          await opened.driver.createStage("one");
          await using stage = await held(opened.driver, "one");
          await stage.append(bytesSource(sample(before, 9)), unlimited);
          const bytes = sample(length);
          const announcedBytes = announced ? length : null;
          const early = length <= 100_000;
          const result = await append(stage, { bytes, announcedBytes, ends: "whole", early });
          expect(result).toEqual({ appendedBytes: length, brokenOff: false });
          expect(stage.sizeBytes).toBe(before + length);
          const all = Buffer.concat([sample(before, 9), bytes]);
          expect(await stage.digest("sha256")).toBe(digestOf("sha256", all));
          await stage.discard();
        });
      }
    }
  }

  test("a body of no bytes, announced and in chunks", async () => {
    await using opened = await open();
    await opened.driver.createStage("one");
    await using stage = await held(opened.driver, "one");
    for (const announcedBytes of [0, null]) {
      const sending: Sending = { bytes: new Uint8Array(), announcedBytes, ends: "whole" };
      expect(await append(stage, sending)).toEqual({ appendedBytes: 0, brokenOff: false });
    }
    expect(await stage.digest("sha256")).toBe(digestOf("sha256", new Uint8Array()));
    await stage.discard();
  });

  for (const before of [0, 1000]) {
    for (const [length, early] of [
      [0, false],
      [1, false],
      [100_000, false],
      [2 * mebibyte, false],
      // Held back by the runtime as a whole before the stage takes it.
      [700_000, true],
    ] as const) {
      for (const announced of [true, false]) {
        const says = `${length} of ${announced ? "more" : "some"} bytes after ${before}`;
        test(`a sender that went away after ${says}: a first part of what came is kept`, async () => {
          await using opened = await open();
          await opened.driver.createStage("one");
          await using stage = await held(opened.driver, "one");
          await stage.append(bytesSource(sample(before, 9)), unlimited);
          const bytes = sample(length);
          const announcedBytes = announced ? 8 * mebibyte : null;
          const result = await append(stage, { bytes, announcedBytes, ends: "closed", early });
          expect(result.brokenOff).toBe(true);
          expect(result.appendedBytes).toBeLessThanOrEqual(length);
          expect(stage.sizeBytes).toBe(before + result.appendedBytes);
          const kept = bytes.subarray(0, result.appendedBytes);
          // The session goes on where it stands.
          const rest = sample(5000, 7);
          expect(await append(stage, { bytes: rest, announcedBytes: 5000, ends: "whole" })).toEqual(
            {
              appendedBytes: 5000,
              brokenOff: false,
            },
          );
          const all = Buffer.concat([sample(before, 9), kept, rest]);
          expect(stage.sizeBytes).toBe(all.length);
          expect(await stage.digest("sha256")).toBe(digestOf("sha256", all));
          expect((await opened.driver.statStage("one"))?.sizeBytes).toBe(all.length);
          await stage.discard();
        });
      }
    }
  }

  test("a small body that broke off is counted as far as it was kept", async () => {
    await using opened = await open();
    await opened.driver.createStage("one");
    await using stage = await held(opened.driver, "one");
    const bytes = sample(1000);
    const result = await append(stage, { bytes, announcedBytes: 2000, ends: "closed" });
    expect(result.brokenOff).toBe(true);
    expect(stage.sizeBytes).toBe(result.appendedBytes);
    const kept = bytes.subarray(0, result.appendedBytes);
    expect(await stage.digest("sha256")).toBe(digestOf("sha256", kept));
    await stage.discard();
  });

  for (const announced of [true, false]) {
    test(`a body over the limit, ${announced ? "announced" : "in chunks"}: none of it stays`, async () => {
      await using opened = await open();
      await opened.driver.createStage("one");
      await using stage = await held(opened.driver, "one");
      await stage.append(bytesSource(sample(1000)), unlimited);
      const bytes = sample(mebibyte);
      const announcedBytes = announced ? bytes.length : null;
      const limit = { ...unlimited, stageBytesMax: 1000 + mebibyte - 1 };
      const appended = append(stage, { bytes, announcedBytes, ends: "whole" }, limit);
      expect(await appended.catch((error: unknown) => error)).toBeInstanceOf(StageTooLarge);
      expect(stage.sizeBytes).toBe(1000);
      expect(await stage.digest("sha256")).toBe(digestOf("sha256", sample(1000)));
      await stage.discard();
    });
  }

  for (const announcedBytes of [null, 4000, 3_000_000]) {
    const says = announcedBytes === null ? "no length" : `${announcedBytes} bytes announced`;
    test(`with ${says}, a sender that is silent for too long is told of; one that is slow is not`, async () => {
      await using opened = await open();
      await opened.driver.createStage("one");
      await using stage = await held(opened.driver, "one");
      const told = { idle: false };
      const options: AppendOptions = {
        stageBytesMax: null,
        idleMs: 60_000,
        onIdle: () => {
          told.idle = true;
        },
      };
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const body = new Request("http://x/", { method: "PUT", body: readable });
      const appending = stage.append({ body, lengthBytes: announcedBytes }, options);
      // Ten minutes at a few bytes per half a minute: slow, and always progress.
      for (let count = 1; count <= 20; count += 1) {
        // Resolves when the stage has asked for it.
        await writer.write(sample(100));
        // A small body is in memory until it is whole; another one shows how far it has come.
        const isSmall = announcedBytes !== null && announcedBytes < 10_000;
        const hasArrived = async () =>
          isSmall || (await opened.driver.statStage("one"))?.sizeBytes === count * 100;
        while (!(await hasArrived())) await Bun.sleep(1);
        await opened.clock.advance(30_000);
        // The watcher asks the file system between its sleeps.
        await Bun.sleep(1);
      }
      expect(told.idle).toBe(false);
      while (!told.idle) {
        await opened.clock.advance(15_000);
        await Bun.sleep(1);
      }
      await writer.close();
      const brokenOff = announcedBytes !== null;
      expect(await appending).toEqual({ appendedBytes: 2000, brokenOff });
      expect(stage.sizeBytes).toBe(2000);
      await stage.discard();
    });
  }
}
