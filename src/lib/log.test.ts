// Lines of the log: whole, whoever reads them and however slowly, and in the file that has the name.

import { expect, test } from "bun:test";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { flushLogs, openLog } from "./log.ts";

const module = join(import.meta.dir, "log.ts");

/** Writes lines longer than what a pipe takes at once, and tells on standard error when all are handed over. */
const writer = `
  const { openLog } = await import(${JSON.stringify(module)});
  const log = await openLog({ level: "info", output: null, base: {} });
  for (let n = 0; n < 20; n += 1) log.info({ n, text: "x".repeat(100_000) }, "long");
  log.error("the last one");
  process.stderr.write("ready");
`;

test("lines longer than a pipe takes arrive whole and once, when the reader is slow", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zot-log-"));
  const pipe = join(directory, "pipe");
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
  const reader = openSync(pipe, O_RDONLY | O_NONBLOCK);
  const end = openSync(pipe, O_WRONLY | O_NONBLOCK);
  const child = Bun.spawn([process.execPath, "-e", writer], { stdout: end, stderr: "pipe" });
  closeSync(end);
  try {
    // Nobody reads until the pipe is full and writes have failed.
    const errors = child.stderr.getReader();
    expect(Buffer.from((await errors.read()).value ?? []).toString()).toBe("ready");
    const lines = (await readAll(reader)).trimEnd().split("\n");
    const read = lines.map((line): unknown => JSON.parse(line));
    expect(read.slice(0, -1)).toMatchObject(Array.from({ length: 20 }, (_, n) => ({ n })));
    expect(read.at(-1)).toMatchObject({ level: "error", msg: "the last one" });
    expect(await child.exited).toBe(0);
  } finally {
    closeSync(reader);
    child.kill();
    await rm(directory, { recursive: true });
  }
});

/** All that comes out of a pipe until its writers are gone. */
async function readAll(descriptor: number): Promise<string> {
  const pieces: Buffer[] = [];
  const buffer = Buffer.alloc(16 * 1024);
  for (;;) {
    try {
      const length = readSync(descriptor, buffer);
      if (length === 0) return Buffer.concat(pieces).toString();
      pieces.push(Buffer.from(buffer.subarray(0, length)));
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      await Bun.sleep(5);
    }
  }
}

test("a file that was moved away is made anew, and nothing is lost", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zot-log-"));
  try {
    const path = join(directory, "log");
    const log = await openLog({ level: "info", output: path, base: {} });
    const read = async (from: string): Promise<number[]> =>
      (await readFile(from, "utf8").catch(() => ""))
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => (JSON.parse(line) as { n: number }).n);
    log.info({ n: 0 }, "before");
    flushLogs();
    await rename(path, `${path}.1`);
    let n = 0;
    while ((await read(path)).length === 0) {
      log.info({ n: (n += 1) }, "after");
      flushLogs();
      await Bun.sleep(10);
    }
    expect([...(await read(`${path}.1`)), ...(await read(path))]).toEqual(
      Array.from({ length: n + 1 }, (_, each) => each),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});
