// A watched file: every way in which files change, half-written ones, gone ones, bad ones.

import { expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runOk } from "../../test/processes.ts";
import { tempDirectory } from "../../test/temp.ts";
import type { Clock } from "./clock.ts";
import { WatchedFile } from "./watched_file.ts";

/** Real files have the machine's times, so the clock stands on them and moves beyond. */
function shiftedClock(): Clock & { advance(ms: number): void } {
  let shiftMs = 0;
  return {
    now: () => Date.now() + shiftMs,
    monotonicMs: () => performance.now() + shiftMs,
    sleep: () => Promise.resolve(),
    advance: (ms) => {
      shiftMs += ms;
    },
  };
}

function watch(path: string, clock: Clock) {
  const problems: (string | null)[] = [];
  const parse = (bytes: Uint8Array): string => {
    const text = new TextDecoder().decode(bytes);
    if (text.includes("bad")) throw new Error("line 1 is bad");
    return text;
  };
  const file = new WatchedFile({ path, parse, clock, onChange: (each) => problems.push(each) });
  return { file, problems };
}

test("a write in place, a rename and a swapped link are taken in once they rest", async () => {
  await using directory = await tempDirectory();
  const at = (name: string) => join(directory.path, name);
  const clock = shiftedClock();
  for (const name of ["one", "two"]) {
    mkdirSync(at(name));
    writeFileSync(join(at(name), "users"), name);
  }
  // As Kubernetes mounts it: users -> ..data/users, ..data -> a directory of this moment.
  symlinkSync("one", at("..data"));
  symlinkSync("..data/users", at("users"));
  const { file, problems } = watch(at("users"), clock);
  expect([file.content, file.version]).toEqual(["one", 1]);

  symlinkSync("two", at("..data_next"));
  renameSync(at("..data_next"), at("..data"));
  expect(file.content).toBe("one"); // It looked a moment ago.
  clock.advance(1000);
  expect([file.content, file.version]).toEqual(["two", 2]);

  writeFileSync(at("users"), "three");
  clock.advance(1000);
  expect(file.content).toBe("three");

  writeFileSync(at("fresh"), "four");
  renameSync(at("fresh"), at("users"));
  clock.advance(1000);
  expect([file.content, file.version]).toEqual(["four", 4]);
  expect(problems).toEqual([null, null, null]);
});

test("a file that is being written is left alone until it rests", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "users");
  writeFileSync(path, "old");
  const clock = shiftedClock();
  const { file } = watch(path, clock);
  clock.advance(10_000);
  // The clock of the disk is ahead of ours by an hour, as that of a file server may be.
  const ahead = new Date(clock.now() + 3_600_000);
  for (const text of ["ne", "new"]) {
    writeFileSync(path, text);
    utimesSync(path, ahead, ahead);
    clock.advance(250);
    expect(file.content).toBe("old");
  }
  clock.advance(250);
  expect(file.content).toBe("new");
});

test("a bad or missing file leaves the old content in force, and is told once", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "users");
  writeFileSync(path, "good");
  const clock = shiftedClock();
  const { file, problems } = watch(path, clock);
  writeFileSync(path, "bad");
  for (let look = 0; look < 3; look += 1) {
    clock.advance(1000);
    expect([file.content, file.version]).toEqual(["good", 1]);
  }
  rmSync(path);
  for (let look = 0; look < 3; look += 1) {
    clock.advance(1000);
    expect(file.content).toBe("good");
  }
  writeFileSync(path, "better");
  clock.advance(1000);
  expect([file.content, file.version]).toEqual(["better", 2]);
  expect(problems).toEqual([
    "line 1 is bad",
    `${path}: expected a file that can be read, got no such file`,
    null,
  ]);
});

test("the first reading fails with one line", async () => {
  await using directory = await tempDirectory();
  const clock = shiftedClock();
  const path = join(directory.path, "users");
  expect(() => watch(path, clock)).toThrow("users: expected a file that can be read, got no such");
  expect(() => watch(directory.path, clock)).toThrow("got a directory");
  writeFileSync(path, "bad");
  expect(() => watch(path, clock)).toThrow("line 1 is bad");
});

// In a process of its own, which has used up its descriptors when the file changes.
test("a change that could not be read is taken in at a later look", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "users");
  writeFileSync(path, "one");
  const script = `
    import { closeSync, openSync, writeFileSync } from "node:fs";
    import { WatchedFile } from ${JSON.stringify(join(import.meta.dir, "watched_file.ts"))};
    let shiftMs = 0;
    const clock = { now: () => Date.now() + shiftMs, monotonicMs: () => performance.now() + shiftMs };
    const told = [];
    const parse = (bytes) => new TextDecoder().decode(bytes);
    const path = ${JSON.stringify(path)};
    const file = new WatchedFile({ path, parse, clock, onChange: (problem) => told.push(problem) });
    writeFileSync(path, "two");
    const open = [];
    try { for (;;) open.push(openSync("/dev/null", "r")); } catch {}
    const seen = [];
    for (let look = 0; look < 2; look += 1) { shiftMs += 1000; seen.push(file.content); }
    for (const descriptor of open) closeSync(descriptor);
    shiftMs += 1000;
    seen.push(file.content);
    console.log(JSON.stringify({ seen, told: told.map((problem) => problem === null) }));
  `;
  const command = 'ulimit -S -n 64; ulimit -H -n 64; exec "$0" -e "$1"';
  const { stdout } = await runOk("sh", ["-c", command, process.execPath, script]);
  expect(JSON.parse(stdout)).toEqual({ seen: ["one", "one", "two"], told: [false, true] });
});
