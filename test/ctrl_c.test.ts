// Ctrl+C in a terminal: under `npm start` the server gets the signal twice, from the terminal and from npm, and still
// finishes what it has begun.

import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { descendants, eventually, isAlive, requireTool } from "./harness.ts";
import { tempDirectory } from "./temp.ts";
import { startInTerminal } from "./terminal.ts";

const testMs = 120_000;
/** More than once: which signal comes first is a matter of luck. */
const rounds = 3;

test.skipIf(!requireTool("npm")).each(Array.from({ length: rounds }, (_, round) => round))(
  "Ctrl+C under `npm start` lets a push end (%d)",
  async () => {
    await using directory = await tempDirectory();
    const file = join(directory.path, "config.json");
    const storage = { rootDirectory: join(directory.path, "root") };
    await writeFile(file, JSON.stringify({ storage, http: { port: "0", workers: 2 } }));
    await using terminal = startInTerminal(["npm", "start", "--", file]);
    const [, port] = await eventually("it listens", () =>
      /http:\/\/127\.0\.0\.1:(\d+)/.exec(terminal.text()),
    );
    const push = await beginPush(Number(port), "bytes that end after Ctrl+C");
    const processes = descendants(terminal.pid);
    terminal.type("\u0003");
    await eventually("it stops", () => terminal.text().includes("stopping"));
    push.end();
    expect(await push.answer).toStartWith("HTTP/1.1 201 ");
    await eventually("it is stopped", () => /\bstopped\b/.test(terminal.text()));
    await eventually("every process ends", () => !processes.some(isAlive));
  },
  testMs,
);

/** A push of which all but the last byte was sent; resolves once the server has read what came. */
async function beginPush(port: number, content: string) {
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(content).digest("hex")}`;
  const started = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string>();
  const socket = connect(port, "127.0.0.1");
  let got = "";
  socket.on("error", answer.reject);
  socket.on("close", () => answer.resolve(got));
  socket.on("data", (data) => {
    // What answers the first request has read the second one as well.
    got += data;
    if (got.includes("ok\n")) started.resolve();
    const [, second] = got.split("ok\n");
    if (second?.includes("\r\n\r\n") === true) answer.resolve(second);
  });
  const path = `/v2/app/blobs/uploads/?digest=${digest}`;
  socket.write(
    "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" +
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${content.length}\r\n\r\n` +
      content.slice(0, -1),
  );
  await started.promise;
  return { answer: answer.promise, end: () => void socket.write(content.slice(-1)) };
}
