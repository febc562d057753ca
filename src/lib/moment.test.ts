// Moments as text: what is read, what is not, and that what is shown is read again.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { endOfDay, formatMoment, parseMoment } from "./moment.ts";

const noon = Date.UTC(2026, 10, 30, 12) * 1000;

describe("a moment", () => {
  test.each([
    ["2026-11-30T12:00:00Z", noon, true],
    ["2026-11-30t12:00:00z", noon, true],
    ["2026-11-30T12:00:00.5Z", noon + 500_000, true],
    ["2026-11-30T12:00:00.000001Z", noon + 1, true],
    ["2026-11-30T12:00:00.0000010Z", noon + 1, true],
    ["2026-11-30T12:00:00.0000019Z", noon + 1, false],
    ["2026-11-30T14:30:00+02:30", noon, true],
    ["2026-11-30T07:00:00-05:00", noon, true],
  ])("%s", (text, moment, isExact) => {
    expect(parseMoment(text)).toEqual({ moment, isExact });
  });

  test.each([
    "",
    "2026-11-30",
    "2026-11-30T12:00Z",
    "2026-11-30T12:00:00",
    "2026-02-30T12:00:00Z",
    "2026-13-01T12:00:00Z",
    "2026-11-30T25:00:00Z",
    "2026-11-30T12:00:00.Z",
    "2026-11-30T12:00:00+2:00",
    " 2026-11-30T12:00:00Z",
    "1764504000",
  ])("%j is none", (text) => expect(parseMoment(text)).toBeNull());

  test("is read as it is shown", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9e15 - 1 }), (moment) => {
        expect(parseMoment(formatMoment(moment))).toEqual({ moment, isExact: true });
      }),
    );
  });
});

test("a day ends before the next one begins", () => {
  const end = endOfDay("2026-11-30");
  expect(end === null ? null : formatMoment(end)).toBe("2026-11-30T23:59:59.999999Z");
  for (const text of ["2026-02-30", "2026-11-3", "20261130", ""]) expect(endOfDay(text)).toBeNull();
});
