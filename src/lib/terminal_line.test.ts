// What a person reads of the log's lines.

import { expect, test } from "bun:test";
import { terminalLine } from "./terminal_line.ts";

const time = new Date(2026, 10, 22, 18, 35, 43).toISOString();
const request = {
  level: "info",
  time,
  worker: 1,
  id: "1-gkg-4",
  client: "127.0.0.1",
  who: "ann",
  what: "manifest.put",
  method: "PUT",
  path: "/v2/team/app/manifests/1",
  repository: "team/app",
  status: 201,
  bytes: 192,
  durationMs: 5.693,
  msg: "request",
};

const rows: readonly [fields: object, text: string][] = [
  [request, "201 PUT /v2/team/app/manifests/1 ann 6 ms"],
  [{ ...request, who: null, durationMs: 0.31 }, "201 PUT /v2/team/app/manifests/1 - 0.3 ms"],
  [{ ...request, durationMs: 61_240 }, "201 PUT /v2/team/app/manifests/1 ann 61.2 s"],
  [
    { ...request, status: 404, reason: "MANIFEST_UNKNOWN", error: "There is none" },
    "404 PUT /v2/team/app/manifests/1 ann 6 ms MANIFEST_UNKNOWN: There is none",
  ],
  [
    {
      ...request,
      level: "error",
      status: 500,
      reason: "UNKNOWN",
      error: "It failed",
      cause: "Error: EIO\n    at read (a.ts:1:2)",
    },
    "500 PUT /v2/team/app/manifests/1 ann 6 ms UNKNOWN: It failed\n    Error: EIO\n        at read (a.ts:1:2)",
  ],
  [
    { ...request, aborted: true },
    "201 PUT /v2/team/app/manifests/1 ann 6 ms (the client went away)",
  ],
  [
    {
      level: "info",
      time,
      url: "http://127.0.0.1:8080",
      workers: 2,
      config: null,
      msg: "listening",
    },
    "listening url=http://127.0.0.1:8080 workers=2",
  ],
  // The name is the caller's, and nobody's program.
  [
    { level: "info", time, worker: 0, name: "bob", client: "127.0.0.1", msg: "a login failed" },
    "a login failed worker=0 name=bob client=127.0.0.1",
  ],
  [
    { level: "warn", time, kept: "a file", msg: "storage.gc: is off" },
    'warn: storage.gc: is off kept="a file"',
  ],
  [
    {
      level: "error",
      time,
      problems: ["http.prot: expected a key", "log.x: is none"],
      msg: "not taken",
    },
    "error: not taken\n    problems: http.prot: expected a key\n    log.x: is none",
  ],
  [
    { level: "error", time, problem: "x".repeat(101), msg: "not taken" },
    `error: not taken\n    problem: ${"x".repeat(101)}`,
  ],
  [{ level: "info", time, urls: ["http://a", "http://b"], msg: "m" }, "m urls=http://a,http://b"],
  [{ level: "info", time, msg: 'name\u001b[2Jand\u202e"more"' }, 'name\\u001b[2Jand\\u202e"more"'],
  [
    { ...request, path: "/\u001b]0;x\u0007", who: "a\nb" },
    "201 PUT /\\u001b]0;x\\u0007 a\\u000ab 6 ms",
  ],
];

test.each(rows)("%j", (fields, text) => {
  expect(terminalLine(`${JSON.stringify(fields)}\n`, false)).toBe(`18:35:43 ${text}\n`);
});

test("what is no JSON object stays as it is", () => {
  expect(terminalLine("text\n", false)).toBe("text\n");
});

test("colours do not change the words", () => {
  for (const [fields] of rows) {
    const line = `${JSON.stringify(fields)}\n`;
    const coloured = terminalLine(line, true);
    expect(coloured).toContain("\u001B[");
    expect(Bun.stripANSI(coloured)).toBe(terminalLine(line, false));
  }
});
