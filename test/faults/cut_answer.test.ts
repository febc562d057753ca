// What the access log says of a large answer: what was really sent, also when the disk fails in the middle or the
// client goes away.

import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually, startZot, tempDirectory, type LogLine, type Zot } from "../harness.ts";
import { sha256 } from "./journal.ts";
import { attach, canInject } from "./kth_call.ts";

const mebibyte = 1024 * 1024;
const bytes = new Uint8Array(Buffer.alloc(24 * mebibyte, "a large blob "));
const small = new Uint8Array(Buffer.from("a small blob"));
const other = new Uint8Array(Buffer.alloc(400_000, "another blob "));
const path = `/v2/big/blobs/${sha256(bytes)}`;

async function pushed(config: object = {}): Promise<Zot> {
  const zot = await startZot({ config: { http: { workers: 1 }, ...config } });
  const uploads = `${zot.url}/v2/big/blobs/uploads/?digest=${sha256(bytes)}`;
  const { status } = await fetch(uploads, { method: "POST", body: bytes });
  expect(status).toBe(201);
  return zot;
}

const isGet = (line: LogLine): boolean => line["what"] === "blob.get";

test("a whole answer is logged once, with all of its bytes, on one connection after the other", async () => {
  await using zot = await pushed();
  for (let round = 1; round <= 3; round += 1) {
    const answer = await fetch(`${zot.url}${path}`);
    expect((await answer.arrayBuffer()).byteLength).toBe(bytes.length);
    await eventually("it is logged", () => zot.logs().filter(isGet).length === round);
  }
  for (const line of zot.logs().filter(isGet)) {
    expect(line).toMatchObject({ level: "info", status: 200, bytes: bytes.length });
    expect(line["aborted"]).toBeUndefined();
  }
});

test("a client that goes away in the middle: as many bytes as it got", async () => {
  await using zot = await pushed();
  const socket = connect(zot.port, "127.0.0.1");
  let got = 0;
  socket.on("data", (chunk) => {
    got += chunk.length;
    if (got > mebibyte) socket.pause();
  });
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${zot.host}\r\n\r\n`);
  await eventually("it got some", () => got > mebibyte);
  socket.destroy();
  const line = await zot.waitForLog("it is logged", isGet);
  expect(line).toMatchObject({ level: "info", status: 200, aborted: true });
  expect(Number(line["bytes"])).toBeGreaterThan(mebibyte / 2);
  expect(Number(line["bytes"])).toBeLessThan(bytes.length);
});

describe.skipIf(!canInject())("a disk that fails in the middle", () => {
  test("is an error in the log, with what was sent and the file that failed", async () => {
    await using directory = await tempDirectory();
    await using zot = await pushed();
    const file = join(zot.rootDirectory, "big/blobs/sha256", sha256(bytes).slice("sha256:".length));
    const [worker = 0] = zot.workerPids();
    const options = ["-e", "trace=sendfile,pread64,read", "-P", file];
    options.push("-e", "inject=sendfile:error=EIO:when=2+");
    options.push("-e", "inject=pread64,read:error=EIO:when=1+");
    const tracer = await attach(worker, join(directory.path, "trace"), options);
    const answer = await fetch(`${zot.url}${path}`);
    const got = await answer.arrayBuffer().catch(() => null);
    expect(got).toBeNull();
    const line = await zot.waitForLog("it is logged", isGet);
    await tracer.detach();
    expect(line).toMatchObject({ level: "error", status: 200 });
    const sent = Number(line["bytes"]);
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(bytes.length);
    expect(String(line["error"])).toStartWith(
      `the answer was cut after ${sent} of ${bytes.length} bytes: EIO: `,
    );
    expect(String(line["error"])).toContain(file);
  });

  const asks: readonly [
    what: string,
    call: string,
    ask: (url: string) => Promise<Response>,
    file: string,
  ][] = [
    [
      "a small blob",
      "read,pread64",
      (url) => fetch(`${url}/v2/big/blobs/${sha256(small)}`),
      `big/blobs/sha256/${sha256(small).slice("sha256:".length)}`,
    ],
    [
      "the flush of an upload",
      "fsync",
      (url) =>
        fetch(`${url}/v2/big/blobs/uploads/?digest=${sha256(other)}`, {
          method: "POST",
          body: other,
        }),
      "_zot/uploads/",
    ],
  ];
  for (const [what, call, ask, file] of asks) {
    test(`at ${what}: the log names the file`, async () => {
      await using directory = await tempDirectory();
      await using zot = await pushed();
      const uploads = `${zot.url}/v2/big/blobs/uploads/?digest=${sha256(small)}`;
      expect((await fetch(uploads, { method: "POST", body: small })).status).toBe(201);
      const path = join(zot.rootDirectory, file);
      const [worker = 0] = zot.workerPids();
      const options = ["-e", `trace=${call}`, "-e", `inject=${call}:error=EIO:when=1`];
      if (!file.endsWith("/")) options.push("-P", path);
      const tracer = await attach(worker, join(directory.path, "trace"), options);
      const answer = await ask(zot.url);
      expect(answer.status).toBe(500);
      // What is told to callers names no file.
      expect(await answer.text()).not.toContain(zot.rootDirectory);
      await tracer.detach();
      const line = await zot.waitForLog("it is logged", ({ status }) => status === 500);
      expect(String(line["cause"])).toContain("EIO: i/o error");
      expect(String(line["cause"])).toContain(path);
    });
  }
});
