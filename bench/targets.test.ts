// What was measured, held against targets, and the page about it.

import { describe, expect, test } from "bun:test";
import type { Measured, ScenarioResult } from "../src/bench/bench.ts";
import { type Comparison, hasFailed, type RunResult, type Target } from "./comparison.ts";
import { comparisonsOf, fullScale, quickScale } from "./comparisons.ts";
import { benchmarksPage, comparisonText } from "./page.ts";
import { judge } from "./targets.ts";

function measured(target: string, changes: Partial<Measured> = {}): Measured {
  return {
    target,
    completed: 1000,
    failed: 0,
    errors: [],
    elapsedMs: 1000,
    bytes: 5_000_000,
    latencyMs: { min: 1, p50: 2, p75: 3, p90: 4, p99: 5, max: 6 },
    firstByteMs: null,
    generatorBusy: 0.2,
    serverCpuSeconds: 0.001,
    medianCpuSeconds: 0.001,
    serverPeakBytes: 1024 * 1024,
    problem: null,
    ...changes,
  };
}

function caseOf(...results: Measured[]): ScenarioResult {
  return { name: "get", title: "blobs in turn", concurrency: 4, results };
}

const cases = [
  caseOf(measured("zot"), measured("nginx", { serverCpuSeconds: 0.0005, elapsedMs: 500 })),
];

const target: Target = {
  id: "t",
  says: "CPU within 2 times",
  quantity: "cpu",
  of: { peer: "zot", case: "get" },
  against: { peer: "nginx", case: "get" },
  atMost: 2,
};

function comparisonWith(change: Partial<Target>): Comparison {
  return {
    name: "s",
    title: "Something",
    cases: [],
    targets: [{ ...target, ...change }],
  };
}

describe("judge()", () => {
  const rows: [string, Partial<Target>, number | null, boolean | null][] = [
    ["a ratio at its limit", {}, 2, true],
    ["a ratio over its limit", { atMost: 1.9 }, 2, false],
    ["a rate that must be higher", { quantity: "rate", atLeast: 3, atMost: Infinity }, 0.5, false],
    ["a peer that was not measured", { against: { peer: "zot", case: "x" } }, null, null],
  ];
  for (const [name, change, value, met] of rows) {
    test(name, () => {
      expect(judge(comparisonWith(change), cases)[0]).toMatchObject({ value, met });
    });
  }

  test("a figure of its own is held against its limit", () => {
    const { against: _, ...alone } = target;
    const peak: Target = { ...alone, quantity: "peak", atMost: 1024 };
    const [verdict] = judge({ ...comparisonWith({}), targets: [peak] }, cases);
    expect(verdict).toMatchObject({ value: 1024 * 1024, met: false });
  });

  test("failed operations measure nothing", () => {
    const failed = [caseOf(measured("zot", { failed: 1 }), measured("nginx"))];
    expect(judge(comparisonWith({}), failed)[0]?.met).toBeNull();
    expect(hasFailed({ name: "s", cases: failed, failure: null })).toBe(true);
    expect(hasFailed({ name: "s", cases, failure: null })).toBe(false);
  });
});

describe("the page", () => {
  const run: RunResult = {
    date: "2026-01-01",
    command: "npm run bench",
    quick: true,
    scale: fullScale,
    machine: { processor: "2 × Some" },
    versions: { Bun: "1.0" },
    comparisons: [{ name: "s", cases, failure: null }],
  };

  test("says what was met and, for what was not, that a reason is wanted", () => {
    const missed = benchmarksPage(run, [comparisonWith({ atMost: 1 })]);
    expect(missed).toContain("0 of 1 are met.");
    expect(missed).toContain("- CPU within 2 times: No reason is written down yet");
    expect(missed).toContain("This was a quick run");
    expect(missed).toContain("zot against nginx: ops/s × 0.500, CPU/op × 2.00");
    const met = benchmarksPage({ ...run, quick: false }, [comparisonWith({})]);
    expect(met).toContain("1 of 1 are met.");
  });

  test("names failures and comparisons that were left out", () => {
    const failed = { ...run, comparisons: [{ name: "s", cases: [], failure: "it broke" }] };
    const others = [comparisonWith({}), { ...comparisonWith({}), name: "other" }];
    const page = benchmarksPage(failed, others);
    expect(page).toContain("**Failed:** it broke");
    expect(page).toContain("Not part of this run: other.");
  });

  test("the terminal has the same figures", () => {
    const text = comparisonText(comparisonWith({}), { name: "s", cases, failure: "it broke" });
    for (const part of ["CPU within 2 times", "≤ 2 ×", "2.00 ×", "met", "FAILED: it broke"]) {
      expect(text).toContain(part);
    }
  });
});

test("every comparison has a name of its own, and its targets name its cases and peers", () => {
  for (const comparisons of [comparisonsOf(fullScale), comparisonsOf(quickScale)]) {
    const names = comparisons.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { targets, cases: rows } of comparisons) {
      for (const { of, against } of targets) {
        for (const cell of against === undefined ? [of] : [of, against]) {
          expect(rows.find(({ name }) => name === cell.case)?.peers).toContain(cell.peer);
        }
      }
    }
  }
});
