// What a server notices of itself: a root that cannot be written, a worker or a primary that hangs, a primary that
// died. Readiness says so, the log says so, and what can be replaced is.

import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { eventually, isAlive, runOk, signalTo, startZot, type Zot } from "../harness.ts";
import { openRaw, request, statuses } from "../http/raw_socket.ts";
import { canMount, smallDisk } from "./small_disk.ts";

/** Longer than the slowest of what is waited for, which is a hanging worker. */
const noticedMs = 60_000;
const testMs = 120_000;

const mebibyte = 1024 * 1024;

async function readiness({ url }: Zot): Promise<{ status: number; text: string }> {
  // One connection each: any of the workers may answer.
  const answer = await fetch(`${url}/readyz`, { keepalive: false });
  return { status: answer.status, text: await answer.text() };
}

const isReady = async (zot: Zot): Promise<boolean> => (await readiness(zot)).status === 200;

async function becomesReady(zot: Zot): Promise<void> {
  await eventually("it is ready", () => isReady(zot), noticedMs);
}

describe.skipIf(!(await canMount()))("a file system", () => {
  test(
    "that becomes read-only: the server is not ready and says why, serves on, and is ready again later",
    async () => {
      await using disk = await smallDisk(16 * mebibyte);
      await using zot = await startZot({ rootDirectory: `${disk.path}/root` });
      await becomesReady(zot);
      // A whole file system with open files cannot be made read-only from outside; a directory of it can.
      const temporary = `${zot.rootDirectory}/_zot/temporary`;
      await runOk("mount", ["--bind", temporary, temporary]);
      await runOk("mount", ["-o", "remount,bind,ro", temporary]);
      const { text } = await eventually(
        "it is not ready",
        async () => {
          const found = await readiness(zot);
          return found.status === 503 && found;
        },
        noticedMs,
      );
      expect(text).toBe("not ready: EROFS: read-only file system\n");
      const line = await zot.waitForLog("it says so", ({ msg }) =>
        String(msg).endsWith("not ready"),
      );
      expect(line).toMatchObject({ level: "error" });
      // The file that could not be written is named in the log, and nowhere else.
      expect(String(line["error"])).toContain(`${temporary}/`);
      expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
      await runOk("umount", [temporary]);
      await becomesReady(zot);
    },
    testMs,
  );

  test(
    "that is full takes no readiness away, since pulls and deletes go on",
    async () => {
      await using disk = await smallDisk(16 * mebibyte);
      await using zot = await startZot({ rootDirectory: `${disk.path}/root` });
      await becomesReady(zot);
      disk.fill();
      await zot.waitForLog("it says so", ({ msg }) => String(msg).startsWith("the disk is full"));
      expect(await readiness(zot)).toEqual({ status: 200, text: "ok\n" });
      disk.free();
      await zot.waitForLog("it says so", ({ msg }) => msg === "the disk has room again");
    },
    testMs,
  );
});

test(
  "a worker that hangs is replaced",
  async () => {
    await using zot = await startZot({ config: { http: { workers: 2 } } });
    const before = zot.workerPids();
    const [victim = 0] = before;
    signalTo(victim, "SIGSTOP");
    await eventually("it is ended", () => !isAlive(victim), noticedMs);
    const line = await zot.waitForLog("it is told", ({ msg }) => String(msg).includes("hangs"));
    expect(line).toMatchObject({ level: "error", silentMs: 20_000 });
    await eventually("there are two again", () => zot.workerPids().length === 2);
    expect(zot.workerPids()).toContain(before[1] ?? 0);
  },
  testMs,
);

test(
  "a primary that hangs: workers are not ready, answer pushes, and go on with it later",
  async () => {
    await using zot = await startZot({ config: { http: { workers: 2 } } });
    await becomesReady(zot);
    const push = () =>
      fetch(`${zot.url}/v2/a/blobs/uploads/?digest=${digestOf("hello")}`, {
        method: "POST",
        body: "hello",
      });
    process.kill(zot.pid, "SIGSTOP");
    try {
      // Sent while nobody knows, it waits until somebody does.
      const waiting = push();
      const { text } = await eventually(
        "it is not ready",
        async () => {
          const found = await readiness(zot);
          return found.status === 503 && found;
        },
        noticedMs,
      );
      expect(text).toBe("not ready: the primary process does not answer\n");
      expect((await waiting).status).toBe(503);
      expect((await push()).status).toBe(503);
    } finally {
      process.kill(zot.pid, "SIGCONT");
    }
    await becomesReady(zot);
    await eventually("pushes are taken", async () => (await push()).status === 201);
  },
  testMs,
);

test(
  "an upload that ends late in the grace time of a stop is taken",
  async () => {
    await using zot = await startZot({ config: { http: { workers: 1 } } });
    await becomesReady(zot);
    // More than what is kept in memory until it is whole.
    const body = "x".repeat(1024 * 1024);
    await using socket = await openRaw(zot.port);
    const target = `/v2/a/blobs/uploads/?digest=${digestOf(body)}`;
    const length = `Content-Length: ${body.length}`;
    socket.send(request(`POST ${target} HTTP/1.1`, "Host: registry.example", length));
    socket.send(body.slice(1));
    const uploads = join(zot.rootDirectory, "_zot", "uploads");
    await eventually("it has begun", async () => (await readdir(uploads)).length > 0);
    // A clock: in a server whose primary stands still, a worker says when it has been silent for long.
    await using clock = await startZot({ config: { http: { workers: 1 } } });
    const stopped = zot.stop();
    await zot.waitForLog("it stops", ({ msg }) => msg === "stopping");
    process.kill(clock.pid, "SIGSTOP");
    try {
      await eventually(
        "its worker is not ready",
        async () => (await readiness(clock)).status === 503,
      );
    } finally {
      process.kill(clock.pid, "SIGCONT");
    }
    socket.send("x");
    expect(statuses(await socket.closed())).toEqual([201]);
    expect(await stopped).toBe(0);
    expect(zot.logs().filter(({ level }) => level === "error")).toEqual([]);
  },
  testMs,
);

test("a primary that meets a bus error ends with its signal, and its workers with it", async () => {
  await using zot = await startZot({ config: { http: { workers: 2 } } });
  const workers = zot.workerPids();
  process.kill(zot.pid, "SIGBUS");
  expect(await zot.exited).not.toBe(0);
  await eventually("the workers are gone", () => !workers.some(isAlive));
  const lines = zot
    .logs()
    .filter(({ msg }) => msg === "the primary process is gone: this worker ends");
  expect(lines.map(({ level }) => level)).toEqual(["error", "error"]);
});

function digestOf(text: string): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(text).digest("hex")}`;
}
