// The audit log: whole lines, several writers, rotation, and a file that cannot be written.

import { expect, test } from "bun:test";
import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
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
