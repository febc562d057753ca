// What each type takes from a file, what it makes of it, and how it words its expectation.

import { describe, expect, test } from "bun:test";
import type * as z from "zod";
import { GiB, KiB, MiB } from "./bytes.ts";
import * as types from "./option_types.ts";

const list = types.listOf(["docker2s2", "other"]);
const limit = types.bytes(1);
const period = types.duration(1);

const accepted: [string, z.ZodType, unknown, unknown][] = [
  ["flag", types.flag, true, true],
  ["text", types.text, "", ""],
  ["textOrNone", types.textOrNone, "", null],
  ["textOrNone", types.textOrNone, "a", "a"],
  ["pathOrNone", types.pathOrNone, "", null],
  ["pathOrNone", types.pathOrNone, "/data", "/data"],
  ["pathOrNone", types.pathOrNone, "a b/\u00fc", "a b/\u00fc"],
  ["headerText", types.headerText, "a b", "a b"],
  ["count", types.count(1), 1, 1],
  ["count", types.count(1, 3), 3, 3],
  ["listOf", list, [], []],
  ["listOf", list, ["other"], ["other"]],
  ["duration", period, "1h30m", 5_400_000],
  ["durationOrOff", types.durationOrOff, "0", 0],
  ["durationOrOff", types.durationOrOff, "-5s", 0],
  ["durationOrOff", types.durationOrOff, "60s", 60_000],
  ["bytes", limit, 5, 5],
  ["bytes", limit, "5", 5],
  ["bytes", limit, "5B", 5],
  ["bytes", limit, "5KiB", 5 * KiB],
  ["bytes", limit, "4 MiB", 4 * MiB],
  ["bytes", limit, "10GiB", 10 * GiB],
  ["bytes", types.bytes(0), 0, 0],
  ["port", types.port, "", 0],
  ["port", types.port, "0", 0],
  ["port", types.port, 65_535, 65_535],
  ["port", types.port, "08080", 8080],
];

const duration = `a duration with its unit, such as "30s", "24h" or "1h30m"`;
const above = `a duration above zero with its unit, such as "30s", "24h" or "1h30m"`;
const orOff = `a duration with its unit, such as "60s", or "0" for no limit`;
const size = `a number of bytes of at least 1, or a size such as "4MiB"`;
const port = `a port from 0 to 65535 ("0" lets the kernel choose)`;

const refused: [string, z.ZodType, unknown, string][] = [
  ["flag", types.flag, "true", "true or false"],
  ["flag", types.flag, 1, "true or false"],
  ["text", types.text, 1, "text"],
  ["pathOrNone", types.pathOrNone, null, "a path"],
  ["pathOrNone", types.pathOrNone, " ", "a path without blanks around it"],
  ["pathOrNone", types.pathOrNone, "/data ", "a path without blanks around it"],
  ["pathOrNone", types.pathOrNone, "/a\0", "a path without blanks around it"],
  ["pathOrNone", types.pathOrNone, "/a\nb", "a path without blanks around it"],
  ["headerText", types.headerText, "a\nb", "one line of printable ASCII text"],
  ["headerText", types.headerText, "\u00fc", "one line of printable ASCII text"],
  ["count", types.count(1, 3), 4, "a whole number from 1 to 3"],
  ["count", types.count(1), 0, "a whole number of at least 1"],
  ["count", types.count(1), 1.5, "a whole number of at least 1"],
  ["count", types.count(1), "2", "a whole number of at least 1"],
  ["listOf", list, "other", "a list with any of docker2s2, other"],
  ["listOf", list, ["x"], "one of docker2s2, other"],
  ["duration", types.duration(0), "-1s", duration],
  ["duration", types.duration(0), "1d", duration],
  ["duration", types.duration(0), 60, duration],
  ["duration", period, "0s", above],
  ["durationOrOff", types.durationOrOff, "never", orOff],
  ["durationOrOff", types.durationOrOff, 60, orOff],
  ["bytes", limit, 0, size],
  ["bytes", limit, "0", size],
  ["bytes", limit, -1, size],
  ["bytes", limit, 1.5, size],
  ["bytes", limit, "4MB", size],
  [
    "bytes",
    types.bytes(1, KiB),
    1025,
    'a number of bytes of at least 1 and at most 1 KiB, or a size such as "4MiB"',
  ],
  ["bytes", limit, "4mib", size],
  ["bytes", limit, "999999999TiB", size],
  ["bytes", limit, true, size],
  ["port", types.port, "65536", port],
  ["port", types.port, 65_536, port],
  ["port", types.port, -1, port],
  ["port", types.port, "http", port],
  ["port", types.port, 80.5, port],
];

describe("option types", () => {
  for (const [name, type, value, expected] of accepted) {
    test(`${name} takes ${JSON.stringify(value)}`, () => {
      expect(type.parse(value)).toEqual(expected);
    });
  }

  for (const [name, type, value, expected] of refused) {
    test(`${name} refuses ${JSON.stringify(value)}`, () => {
      const parsed = type.safeParse(value);
      expect(parsed.error?.issues.map((issue) => issue.message)).toEqual([expected]);
    });
  }

  test("every type has a title for the reference page", () => {
    const all = [...accepted, ...refused].map(([name, type]) => [name, type.meta()?.title]);
    expect(all.filter(([, title]) => title === undefined)).toEqual([]);
  });
});
