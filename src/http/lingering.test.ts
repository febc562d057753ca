// A client that goes on sending a last request reads the answer that it got early, and its connection is not reset.

import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { startZot } from "../../test/harness.ts";

const chunk = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(65_536), Buffer.from("\r\n")]);

/** Resolves once the kernel took it; rejects where the connection was reset. */
const write = (socket: Socket, bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });

test.skipIf(process.platform !== "linux")(
  "what is sent behind an early answer is dropped for a while",
  async () => {
    await using zot = await startZot();
    for (const announced of ["Transfer-Encoding: chunked", "Content-Length: 8000000"]) {
      const socket = connect({ port: zot.port, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      let answer = "";
      socket.on("data", (bytes) => (answer += bytes.toString()));
      const errors: unknown[] = [];
      socket.on("error", (error) => errors.push(error));
      const head = `PATCH /v2/a/blobs/uploads/none HTTP/1.1\r\nHost: ${zot.host}\r\nConnection: close`;
      await write(socket, Buffer.from(`${head}\r\n${announced}\r\n\r\n`));
      const ended = once(socket, "end");
      await write(socket, chunk);
      // The answer, and the end of what the server sends.
      await ended;
      for (let more = 0; more < 100; more += 1) await write(socket, chunk);
      expect(answer).toStartWith("HTTP/1.1 404 Not Found\r\n");
      expect(answer).toContain("BLOB_UPLOAD_UNKNOWN");
      expect(errors).toEqual([]);
      socket.destroy();
    }
  },
);
