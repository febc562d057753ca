// The table of cases as a whole, and the ladder of statuses.
import { describe, expect, test } from "bun:test";
import { AssertionError } from "../lib/assert.ts";
import { allScenarios } from "./cases/cases.ts";
import { select } from "./compliance.ts";
import { clauses, clauseUrl } from "./specification/clauses.ts";
import {
  appliesTo,
  checkSuite,
  groups,
  negative,
  positive,
  readingScenario,
  rollUp,
  scenario,
  type Status,
} from "./suite.ts";

const scenarios = allScenarios("test");
const cases = scenarios.flatMap((one) => one.cases);
const nothing = (): Promise<void> => Promise.resolve();

describe("the suite", () => {
  test("covers more than the official suite and our additions to it", () => {
    // protocol: 793 checks of the official suite in its development mode, and 176 additions.
    expect(cases.length).toBeGreaterThanOrEqual(793 + 176);
    expect(
      select(scenarios, { versions: ["1.1"] }).flatMap((one) => one.cases).length,
    ).toBeGreaterThanOrEqual(695 + 176);
  });

  test("has every group, in order", () => {
    const found = [...new Set(scenarios.map(({ group }) => group))];
    expect(found.map(String)).toEqual(Object.keys(groups));
  });

  test("cites every clause of the table, and each has a source and a sentence", () => {
    const cited = new Set(cases.map(({ clause }) => clause));
    expect(Object.keys(clauses).filter((name) => !([...cited] as string[]).includes(name))).toEqual(
      [],
    );
    for (const clause of Object.values(clauses)) {
      expect(clause.sentence).toMatch(/\S/);
      expect(clauseUrl(clause) === null).toBe(clause.source === "practice");
    }
  });

  test("practice only recommends", () => {
    const hard = scenarios.flatMap((one) =>
      one.cases
        .filter(({ clause, level }) => clauses[clause].source === "practice" && level === "must")
        .map(({ id, clause }) => [`${one.id}/${id}`, clause] as const),
    );
    // But content that is lost or mixed up is wrong whatever the specification says.
    const about = new Set(hard.map(([, clause]) => clause));
    const grave = [
      "sessionSafety",
      "concurrentPush",
      "deleteIsLocal",
      "deleteThenPush",
      "integrity",
      "atomicTag",
      "uploadLengthMismatch",
      "noReflection",
    ];
    expect([...about].filter((clause) => !grave.includes(clause))).toEqual([]);
  });

  test("titles are sentences of one line", () => {
    for (const { title } of cases) {
      expect(title).toMatch(/^\S.*\S$/);
      expect(title).not.toMatch(/\.$|\n/);
    }
  });

  test("reading scenarios and positive cases exist in every run", () => {
    expect(scenarios.filter(({ access }) => access === "read").map(({ id }) => id)).toEqual([
      "ping",
      "empty",
      "existing",
    ]);
    const counts = { positive: 0, negative: 0 };
    for (const { polarity } of cases) counts[polarity] += 1;
    expect(counts.positive).toBeGreaterThan(counts.negative);
  });
});

describe("select", () => {
  test("by version: older versions have fewer cases", () => {
    const count = (version: "1.0" | "1.1" | "dev"): number =>
      select(scenarios, { versions: [version] }).flatMap((one) => one.cases).length;
    expect(count("1.0")).toBeLessThan(count("1.1"));
    expect(count("1.1")).toBeLessThan(count("dev"));
    expect(select(scenarios, { versions: ["1.0", "dev"] }).flatMap((one) => one.cases).length).toBe(
      count("dev"),
    );
  });

  test("by group and by the beginning of a scenario", () => {
    const ids = (only: string[]): string[] =>
      select(scenarios, { versions: ["dev"], only }).map(({ id }) => id);
    expect(ids(["tags"])).toEqual(["tags"]);
    expect(ids(["push.sha256.post-put", "ping"])).toEqual(["ping", "push.sha256.post-put"]);
    expect(ids(["no-such-group"])).toEqual([]);
  });
});

describe("rollUp", () => {
  const rows: [Status[], Status][] = [
    [["passed", "failed", "error"], "error"],
    [["passed", "failed", "unsupported"], "failed"],
    [["passed", "skipped", "unsupported"], "passed"],
    [["skipped", "unsupported"], "unsupported"],
    [["skipped"], "skipped"],
    [[], "skipped"],
  ];
  test.each(rows)("%j is %s", (list, expected) => {
    expect(rollUp(list)).toBe(expected);
  });
});

test("appliesTo: a rule holds from its version on", () => {
  expect(appliesTo("1.0", "1.0")).toBe(true);
  expect(appliesTo("1.1", "1.0")).toBe(false);
  expect(appliesTo("1.1", "dev")).toBe(true);
  expect(appliesTo("dev", "1.1")).toBe(false);
});

describe("checkSuite", () => {
  const row = positive("a", "A", "ping", nothing);
  test("refuses two cases of one name", () => {
    expect(() => checkSuite([scenario("ping", "s", "S", [row, row])])).toThrow(AssertionError);
  });
  test("refuses a case that builds on one that is not before it", () => {
    const later = negative("b", "B", "ping", nothing, { after: ["a"] });
    expect(() => checkSuite([scenario("ping", "s", "S", [later, row])])).toThrow(AssertionError);
    expect(() => checkSuite([readingScenario("ping", "s", "S", [row, later])])).not.toThrow();
  });
});
