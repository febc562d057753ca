// Durations read as Go reads them; what is shown reads back as the same duration.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";

describe("parseDuration", () => {
  test.each([
    ["0", 0],
    ["-0", 0],
    ["+0", 0],
    ["0s", 0],
    ["5s", 5000],
    ["1h30m", 5_400_000],
    ["300ms", 300],
    ["-1s", -1000],
    ["+1s", 1000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1000],
    ["1h2m3s4ms", 3_723_004],
    ["1m1h", 3_660_000],
    ["1s1s", 2000],
    ["10us", 0.01],
    ["10µs", 0.01],
    ["10μs", 0.01],
    ["24h", 86_400_000],
    ["2562047h47m16.854775s", 9_223_372_036_854.775],
  ])("%p is %p ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test("nanoseconds are fractions of a millisecond", () => {
    expect(parseDuration("250ns")).toBeCloseTo(0.00025, 12);
  });

  test.each([
    "",
    "-",
    "+",
    "1",
    "3.5",
    "s",
    ".",
    ".s",
    "-.s",
    "1d",
    "1 h",
    " 1h",
    "1h ",
    "1h30",
    "1H",
    "1e3s",
    "--1s",
    "+-1s",
    "1s-1s",
    "0x1s",
    "1..5s",
    "2562048h",
    "9".repeat(400) + "h",
    "1h\n",
    "NaNs",
    "Infinitys",
  ])("%p is no duration", (text) => {
    expect(parseDuration(text)).toBeNull();
  });
});

describe("formatDuration", () => {
  test.each([
    [0, "0s"],
    [0.001, "1µs"],
    [0.25, "250µs"],
    [300, "300ms"],
    [1.5, "1.5ms"],
    [1000, "1s"],
    [1500, "1.5s"],
    [60_000, "1m"],
    [90_000, "1m30s"],
    [5_400_000, "1h30m"],
    [3_600_001, "1h0.001s"],
    [86_400_000, "24h"],
    [-1500, "-1.5s"],
  ])("%p ms are shown as %p", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test("what is shown reads back as the same duration", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 42), max: 2 ** 42 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 3);
      }),
    );
  });

  test("fractions that round up to a whole unit still read back", () => {
    for (const ms of [59_999.9999, 999.9999, 0.9999999, 3_599_999.9999]) {
      expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 2);
    }
  });
});
