// Figures from measurements, and how they are judged.

import { describe, expect, test } from "bun:test";
import { GiB } from "../src/lib/bytes.ts";
import { figuresOf, judge } from "./figures.ts";
import { benchmarksPage } from "./page.ts";
import { formatSeconds, scenarioText } from "./report.ts";
import type { Measured, Round, RunResult, Scenario, Target } from "./scenario.ts";
import { fullScale, scenarios } from "./scenarios.ts";

function round(cpuSeconds: number, seconds: number, ...peaks: number[]): Round {
  return {
    operations: 1000,
    bytes: GiB,
    seconds,
    cpuSeconds,
    generatorCpuSeconds: 0.5,
    peaks: peaks.map((bytes) => ({ name: "p", bytes })),
  };
}

const ours: Measured = {
  server: "zot",
  case: "get",
  rounds: [round(2, 1, 5, 9), round(1, 2, 7, 8), round(4, 4)],
};
const peer: Measured = { server: "nginx", case: "get", rounds: [round(0.5, 0.5)] };

describe("figuresOf", () => {
  test("takes the cheapest round, the fastest round and the highest peaks", () => {
    expect(figuresOf(ours, "request")).toEqual({
      cpu: 0.001,
      cpuMedian: 0.002,
      rate: 1000,
      peaks: [7, 9],
      generatorBusy: 0.5,
    });
  });

  test("counts GiB where that is the unit", () => {
    expect(figuresOf(ours, "GiB")).toMatchObject({ cpu: 1, rate: 1 });
  });

  test("has nothing to say without rounds", () => {
    expect(figuresOf({ ...ours, rounds: [] }, "request")).toBeNull();
  });
});

const target: Target = {
  id: "t",
  says: "CPU within 2 times",
  quantity: "cpu",
  of: { server: "zot", case: "get" },
  against: { server: "nginx", case: "get" },
  atMost: 2,
};

function scenarioWith(change: Partial<Target>): Scenario {
  return {
    name: "s",
    title: "Something",
    load: "some",
    unit: "request",
    writes: false,
    cases: [{ name: "get", title: "", servers: ["zot", "nginx"] }],
    prepare: async () => async () => ({ kind: "copy", directory: "", bytes: 0, count: 0 }),
    targets: [{ ...target, ...change }],
  };
}

describe("judge", () => {
  const cases: [string, Partial<Target>, number | null, boolean | null][] = [
    ["a ratio at its limit", {}, 2, true],
    ["a ratio over its limit", { atMost: 1.9 }, 2, false],
    ["a rate that must be higher", { quantity: "rate", atLeast: 3, atMost: Infinity }, 0.5, false],
    ["a peer that was not measured", { against: { server: "zot", case: "x" } }, null, null],
  ];
  for (const [name, change, value, met] of cases) {
    test(name, () => {
      const [verdict] = judge(scenarioWith(change), [ours, peer]);
      expect(verdict).toMatchObject({ value, met });
    });
  }

  test("a figure of its own is held against its limit", () => {
    const { against: _, ...alone } = target;
    const scenario = { ...scenarioWith({}), targets: [{ ...alone, quantity: "peak", atMost: 8 }] };
    const [verdict] = judge(scenario as Scenario, [ours]);
    expect(verdict).toMatchObject({ value: 9, met: false });
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
    scenarios: [{ name: "s", measured: [ours, peer], failure: null }],
  };

  test("says what was met and, for what was not, that a reason is wanted", () => {
    const missed = benchmarksPage(run, [scenarioWith({ atMost: 1 })]);
    expect(missed).toContain("0 of 1 are met.");
    expect(missed).toContain("- CPU within 2 times: No reason is written down yet");
    expect(missed).toContain("This was a quick run");
    expect(benchmarksPage({ ...run, quick: false }, [scenarioWith({})])).toContain(
      "1 of 1 are met.",
    );
  });

  test("names failures and scenarios that were left out", () => {
    const failed = { ...run, scenarios: [{ name: "s", measured: [], failure: "it broke" }] };
    const page = benchmarksPage(failed, [scenarioWith({}), { ...scenarioWith({}), name: "other" }]);
    expect(page).toContain("**Failed:** it broke");
    expect(page).toContain("Not part of this run: other.");
  });

  test("the terminal's text marks a rate that the generator may have limited", () => {
    const busy = { ...ours, rounds: [{ ...round(1, 0.5, 5), generatorCpuSeconds: 0.49 }] };
    const text = scenarioText(scenarioWith({}), { name: "s", measured: [busy], failure: null });
    expect(text).toContain("2,000 *");
    expect(text).toContain("not measured");
  });
});

test("formatSeconds keeps three digits in the unit that fits", () => {
  expect([12.34e-6, 3.4567e-3, 1.2345].map(formatSeconds)).toEqual([
    "12.3 µs",
    "3.46 ms",
    "1.23 s",
  ]);
});

test("every scenario has a name of its own, and its targets name its cases and servers", () => {
  const names = scenarios.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const scenario of scenarios) {
    for (const { of, against } of scenario.targets) {
      for (const cell of against === undefined ? [of] : [of, against]) {
        const servers = scenario.cases.find(({ name }) => name === cell.case)?.servers;
        expect(servers).toContain(cell.server);
      }
    }
  }
});
