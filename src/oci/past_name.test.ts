// Names of the past: which are some, what they mean, and that each is a repository name that clients take.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isPastName, parsePastName, pastNameAt, pastNameFor, realNameOf } from "./past_name.ts";
import { isRepositoryName } from "./reference.ts";

const noon = Date.UTC(2026, 10, 30, 12) * 1000;
const moment = (at: number) => ({ kind: "moment", moment: at });

describe("a name of the past", () => {
  test.each([
    ["at.2026-11-30/app", "app", moment(noon + 12 * 3_600_000_000 - 1)],
    ["at.2026-11-30t12.00.00z/team/app", "team/app", moment(noon)],
    ["at.2026-11-30t12.00.00.000001z/team/app", "team/app", moment(noon + 1)],
    ["at.7d/team/app", "team/app", { kind: "ago", ms: 604_800_000 }],
    ["at.90m/a/b/c", "a/b/c", { kind: "ago", ms: 5_400_000 }],
    ["at.n48213/team/app", "team/app", { kind: "event", sequence: 48_213 }],
    ["at.2026-02-30/app", "app", null],
    ["at.2026-11-30t25.00.00z/app", "app", null],
    ["at.7d/at.8d/app", "at.8d/app", { kind: "ago", ms: 604_800_000 }],
  ] as const)("%s", (text, name, when) => {
    expect(isRepositoryName(text)).toBe(true);
    expect(parsePastName(text)).toEqual({ name, when } as ReturnType<typeof parsePastName>);
    expect(realNameOf(text)).toBe(name);
  });

  test.each([
    "at/app",
    "at.app",
    "at.7d",
    "at.x/app",
    "at.7y/app",
    "at.n/app",
    "at.7-d/app",
    "at.2026-11-30t12.00z/app",
    "at.2026-11/app",
    "cat.7d/app",
    "team/at.7d/app",
  ])("%s is an ordinary one", (text) => {
    expect(parsePastName(text)).toBeNull();
    expect(realNameOf(text)).toBe(text);
  });
});

test("every moment has a name that clients take", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 7e15 }), (at) => {
      const name = pastNameAt("team/app", at);
      expect(isRepositoryName(name)).toBe(true);
      expect(parsePastName(name)).toEqual({
        name: "team/app",
        when: { kind: "moment", moment: at },
      });
    }),
  );
});

test.each([
  ["2026-11-30T12:00:00Z", "at.2026-11-30t12.00.00.000000z/app"],
  ["2026-11-30T14:00:00+02:00", "at.2026-11-30t12.00.00.000000z/app"],
  ["2026-11-30", "at.2026-11-30/app"],
  ["7d", "at.7d/app"],
  ["n5", "at.n5/app"],
  ["N5 ", "at.n5/app"],
  ["noon", null],
  ["2026-02-30", null],
  ["7d/../x", null],
  ["7d/secret", null],
  ["", null],
])("the time %j", (text, name) => {
  expect(pastNameFor("app", text)).toBe(name);
  if (name !== null) expect(isPastName(name)).toBe(true);
});
