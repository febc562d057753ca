// The audit log: whole lines, several writers, rotation, and a file that cannot be written.

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { canMount, smallDisk } from "../../test/faults/small_disk.ts";
import { tempDirectory } from "../../test/temp.ts";
import { AuditLog } from "./audit_log.ts";
import { manualClock } from "./clock.ts";

const linesOf = (path: string): unknown[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));

test("lines of several writers are whole, dated, and appended", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "audit.log");
  const clock = manualClock(Date.parse("2026-11-22T10:00:00Z"));
  const problems: string[] = [];
  const options = { path, clock, onProblem: (problem: string) => problems.push(problem) };
  const logs = [new AuditLog(options), new AuditLog(options)];
  for (let at = 0; at < 50; at += 1) logs[at % 2]!.write({ who: "alice\n", at });
  expect(linesOf(path)).toHaveLength(50);
  expect(linesOf(path)[0]).toEqual({ time: "2026-11-22T10:00:00.000Z", who: "alice\n", at: 0 });
  for (const log of logs) log.close();
  new AuditLog(options).write({ at: 50 });
  expect(linesOf(path)).toHaveLength(51);
  expect(problems).toEqual([]);
});

test("a file that was moved away is made anew", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "audit.log");
  const clock = manualClock();
  const log = new AuditLog({ path, clock, onProblem: () => {} });
  log.write({ at: 1 });
  renameSync(path, `${path}.1`);
  log.write({ at: 2 });
  await clock.advance(1000);
  log.write({ at: 3 });
  expect(linesOf(`${path}.1`)).toHaveLength(2);
  expect(linesOf(path)).toHaveLength(1);
  log.close();
});

test("a line that cannot be written is told, and nothing else happens", async () => {
  await using directory = await tempDirectory();
  expect(
    () => new AuditLog({ path: directory.path, clock: manualClock(), onProblem: () => {} }),
  ).toThrow();
  const problems: string[] = [];
  const log = new AuditLog({
    path: "/dev/full",
    clock: manualClock(),
    onProblem: (problem) => problems.push(problem),
  });
  log.write({ at: 1 });
  expect(problems).toEqual([expect.stringContaining("ENOSPC")]);
  log.close();
});

test("a file that cannot be made anew keeps the lines in the old one", async () => {
  await using directory = await tempDirectory();
  const [folder, moved] = [join(directory.path, "logs"), join(directory.path, "moved")];
  mkdirSync(folder);
  const problems: string[] = [];
  const clock = manualClock();
  const onProblem = (problem: string) => problems.push(problem);
  const log = new AuditLog({ path: join(folder, "audit.log"), clock, onProblem });
  renameSync(folder, moved);
  await clock.advance(1000);
  log.write({ at: 1 });
  expect(linesOf(join(moved, "audit.log"))).toHaveLength(1);
  expect(problems).toEqual([expect.stringContaining("ENOENT")]);
  log.close();
});

test.skipIf(!(await canMount()))(
  "a line that found only a part of its room is told of, and spoils no other",
  async () => {
    await using disk = await smallDisk(64 * 1024);
    const path = join(disk.path, "audit.log");
    const problems: string[] = [];
    const onProblem = (problem: string) => problems.push(problem);
    const log = new AuditLog({ path, clock: manualClock(), onProblem });
    log.write({ at: 1 });
    disk.fill();
    log.write({ at: 2, what: "x".repeat(8_000) });
    expect(problems).toEqual([expect.stringContaining("only a part")]);
    disk.free();
    log.write({ at: 3 });
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[2] ?? "")).toMatchObject({ at: 3 });
    log.close();
  },
);
