// The runner: what a case's ending means, what is skipped, when a run ends early.
import { describe, expect, test } from "bun:test";
import { ClientError } from "../client/client_error.ts";
import type { TranscriptEntry } from "../client/transcript.ts";
import { exitCode, type Report } from "./report.ts";
import { type RunOutcome, runScenarios } from "./runner.ts";
import {
  type Case,
  negative,
  positive,
  readingScenario,
  scenario,
  type Scenario,
  type Status,
  type Version,
} from "./suite.ts";
import { Trial } from "./trial.ts";
import { Broken, Skipped, Unsupported, Wrong } from "./verdict.ts";

/** Nothing is sent: the cases below do not use the client. */
function trial(): Trial {
  return new Trial({
    client: { url: "127.0.0.1:1" },
    repository: "a",
    secondRepository: "b",
    seed: "s",
  });
}

const ending = (error: unknown, options: Parameters<typeof positive>[4] = {}): Case =>
  positive(
    "case",
    "A case",
    "ping",
    async () => {
      if (error !== null) throw error;
    },
    options,
  );

function run(
  scenarios: Scenario[],
  options: { readOnly?: boolean; signal?: AbortSignal } = {},
): Promise<RunOutcome> {
  const transcript: TranscriptEntry[] = [];
  return runScenarios({ scenarios, trial: trial(), transcript, readOnly: false, ...options });
}

describe("a case", () => {
  const closed = new ClientError("closed", "h");
  const gone = new ClientError("refused", "h");
  const rows: [string, Case, Status][] = [
    ["that returns has passed", ending(null), "passed"],
    ["that is broken has failed", ending(new Broken("x")), "failed"],
    [
      "that is recommended and broken is unsupported",
      ending(new Broken("x"), { level: "should" }),
      "unsupported",
    ],
    [
      "that is optional and broken is unsupported",
      ending(new Broken("x"), { level: "may" }),
      "unsupported",
    ],
    [
      "that is wrong has failed, whatever its level",
      ending(new Wrong("x"), { level: "may" }),
      "failed",
    ],
    ["that is not offered is unsupported", ending(new Unsupported("x")), "unsupported"],
    ["that cannot be tried is skipped", ending(new Skipped("x")), "skipped"],
    ["whose connection is cut has failed", ending(closed, { level: "may" }), "failed"],
    ["whose registry is gone is not judged", ending(gone), "error"],
    ["that throws anything else is not judged", ending(new TypeError("x")), "error"],
  ];
  test.each(rows)("%s", async (_name, row, status) => {
    const { results } = await run([scenario("ping", "s", "S", [row])]);
    expect(results.map((result) => result.status)).toEqual([status]);
    expect(results[0]?.message === null).toBe(status === "passed");
  });

  test("is skipped when one that it builds on did not pass", async () => {
    const first = positive("first", "First", "ping", () => Promise.reject(new Broken("x")));
    const second = negative("second", "Second", "ping", () => Promise.resolve(), {
      after: ["first"],
    });
    const third = positive("third", "Third", "ping", () => Promise.resolve(), {
      after: ["second"],
    });
    const { results } = await run([scenario("ping", "s", "S", [first, second, third])]);
    expect(results.map(({ status }) => status)).toEqual(["failed", "skipped", "skipped"]);
    expect(results[1]?.message).toBe('Needs "first", which did not pass');
  });

  test("shows digests short in its message", async () => {
    const row = ending(new Broken(`Expected sha256:${"a".repeat(64)}`));
    const { results } = await run([scenario("ping", "s", "S", [row])]);
    expect(results[0]?.message).toBe("Expected sha256:aaaaaaaaaaaa...");
  });
});

test("a read-only run skips everything that writes", async () => {
  const { results } = await run(
    [scenario("push", "w", "W", [ending(null)]), readingScenario("ping", "r", "R", [ending(null)])],
    { readOnly: true },
  );
  expect(results.map(({ id, status }) => [id, status])).toEqual([
    ["w/case", "skipped"],
    ["r/case", "passed"],
  ]);
});

test("a registry that is gone ends the run", async () => {
  const gone = (n: number): Case =>
    positive(`case-${n}`, "A case", "ping", () => Promise.reject(new ClientError("refused", "h")));
  const { results, aborted } = await run([scenario("ping", "s", "S", [1, 2, 3, 4, 5].map(gone))]);
  expect(results).toHaveLength(3);
  expect(aborted).toStartWith("The registry is gone: h: connection refused");
});

test("an interrupt ends the run before the next case", async () => {
  const stop = new AbortController();
  const stopping = positive("stopping", "Stops", "ping", () => {
    stop.abort();
    return Promise.resolve();
  });
  const { results, aborted } = await run([scenario("ping", "s", "S", [stopping, ending(null)])], {
    signal: stop.signal,
  });
  expect(results).toHaveLength(1);
  expect(aborted).toBe("Stopped by the user");
});

describe("exitCode", () => {
  const report = (failed: number, error: number, aborted: string | null = null): Report => {
    const totals = { passed: 1, skipped: 0, unsupported: 3, failed, error };
    const versions = (["1.0", "1.1", "dev"] as const).map((version) => ({
      version,
      compliant: version === "1.0" || failed + error === 0,
      totals: version === "1.0" ? { ...totals, failed: 0, error: 0 } : totals,
    }));
    return {
      formatVersion: 1,
      tool: "t",
      registry: "r",
      name: "r",
      startedAt: "",
      durationMs: 0,
      readOnly: false,
      seed: "s",
      repositories: [],
      versions,
      totals,
      positive: totals,
      negative: totals,
      groups: [],
      scenarios: [],
      cases: [],
      leftBehind: { manifests: 0, tags: 0, blobs: 0, uploads: 0 },
      aborted,
    };
  };
  const rows: [string, Report, Version[], number][] = [
    ["compliant, with optional things missing", report(0, 0), ["1.0", "1.1", "dev"], 0],
    ["a rule broken", report(1, 0), ["1.1"], 1],
    ["a rule broken in a version that was not asked", report(1, 0), ["1.0"], 0],
    ["not judged", report(0, 1), ["1.1"], 2],
    ["broken and not judged", report(1, 1), ["1.1"], 1],
    ["ended early", report(1, 0, "gone"), ["1.1"], 2],
  ];
  test.each(rows)("%s", (_name, one, judged, code) => {
    expect(exitCode(one, judged)).toBe(code as 0);
  });
});
