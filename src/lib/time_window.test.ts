// The window of collection: which texts are one, and when it is open.

import { describe, expect, test } from "bun:test";
import { opensInMs, parseTimeWindow } from "./time_window.ts";

const at = (text: string): number => Date.parse(`2026-11-30T${text}Z`);
const minutes = 60_000;

describe("what is a window", () => {
  for (const text of ["00:00-06:00", "22:00-06:00", "23:59-00:00"]) {
    test(text, () => expect(parseTimeWindow(text)).not.toBeNull());
  }
  for (const text of ["", "6:00-7:00", "24:00-01:00", "00:60-01:00", "01:00", "01:00-01:00"]) {
    test(`not ${text}`, () => expect(parseTimeWindow(text)).toBeNull());
  }
});

describe("when it is open", () => {
  const rows: readonly (readonly [string, string, number])[] = [
    ["00:00-06:00", "00:00:00", 0],
    ["00:00-06:00", "05:59:59.999", 0],
    ["00:00-06:00", "06:00:00", 18 * 60],
    ["22:00-06:00", "21:59:30", 0.5],
    ["22:00-06:00", "22:00:00", 0],
    ["22:00-06:00", "23:59:59", 0],
    ["22:00-06:00", "00:00:00", 0],
    ["22:00-06:00", "05:59:00", 0],
    ["22:00-06:00", "06:00:00", 16 * 60],
  ];
  for (const [window, time, wait] of rows) {
    test(`${window} at ${time}: in ${wait} minutes`, () => {
      expect(opensInMs(parseTimeWindow(window), at(time))).toBe(wait * minutes);
    });
  }

  test("without a window, always", () => {
    expect(opensInMs(null, at("12:00:00"))).toBe(0);
  });
});
