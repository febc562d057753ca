// Temporary directories and free ports for tests.
//
// A directory from `tempDirectory` is gone when its scope ends (`await using`). A directory from `runDirectory` lives
// for the whole test run and is removed when the test process ends, however it ends, by a small shell that waits for
// the end of the pipe between the two. A test that mounts something there unmounts it itself.

import { randomInt } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempDirectory extends AsyncDisposable {
  readonly path: string;
}

/** A new empty directory, removed with everything in it at the end of the scope. */
export async function tempDirectory(name = "zot-test"): Promise<TempDirectory> {
  const path = await makeDirectory(name);
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Lower case only: buildah takes a path for an image's name, which has no capitals. */
async function makeDirectory(name: string): Promise<string> {
  const path = join(tmpdir(), `${name}-${crypto.randomUUID().slice(0, 13)}`);
  await mkdir(path, { mode: 0o700 });
  return path;
}

let run: Promise<string> | undefined;

/** The directory for what is made once and shared by all test files of this run. */
export function runDirectory(): Promise<string> {
  run ??= makeRunDirectory();
  return run;
}

async function makeRunDirectory(): Promise<string> {
  const path = await makeDirectory("zot-test-run");
  // `cat` returns when this process is gone, since nobody else holds the other end of its input.
  const janitor = Bun.spawn(["sh", "-c", 'cat >/dev/null; rm -rf -- "$1"', "janitor", path], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  });
  janitor.unref();
  return path;
}

/** Below the ports that Linux and macOS give to whoever connects or asks for port 0: nobody gets one of these by chance. */
const freePorts = { from: 10_000, below: 30_000 };

/** A TCP port of 127.0.0.1 that nobody listens on; for programs that cannot take port 0. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(freePorts.from, freePorts.below);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free TCP port from ${freePorts.from} to ${freePorts.below}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once("error", () => resolve(false));
  server.listen(port, "127.0.0.1", () => resolve(true));
  const free = await promise;
  if (free) await new Promise((closed) => server.close(closed));
  return free;
}
