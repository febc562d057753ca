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
  ["count", types.count(1), 1, 1],
  ["listOf", list, [], []],
  ["listOf", list, ["other"], ["other"]],
  ["commaList", types.commaList, "", []],
  ["commaList", types.commaList, " a, ,b ", ["a", "b"]],
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
  ["listenAddress", types.listenAddress, "0.0.0.0", "0.0.0.0"],
  ["listenAddress", types.listenAddress, "fe80::1%eth0", "fe80::1%eth0"],
  ["listenAddress", types.listenAddress, "registry.example.com", "registry.example.com"],
  ["urlOrNone", types.urlOrNone, "", null],
  ["urlOrNone", types.urlOrNone, "https://example.com:5000/", "https://example.com:5000"],
  ["urlOrNone", types.urlOrNone, "http://example.com/oci/", "http://example.com/oci"],
];

const duration = `a duration with its unit, such as "30s", "24h" or "1h30m"`;
const above = `a duration above zero with its unit, such as "30s", "24h" or "1h30m"`;
const orOff = `a duration with its unit, such as "60s", or "0" for no limit`;
const size = `a number of bytes of at least 1, or a size such as "4MiB"`;
const port = `a port from 0 to 65535 ("0" lets the kernel choose)`;
const address = `a host name or an IP address, such as "127.0.0.1", or "0.0.0.0" for all`;
const url = `an absolute URL, such as "https://registry.example.com"`;

const refused: [string, z.ZodType, unknown, string][] = [
  ["flag", types.flag, "true", "true or false"],
  ["flag", types.flag, 1, "true or false"],
  ["text", types.text, 1, "text"],
  ["pathOrNone", types.pathOrNone, null, "a path"],
  ["count", types.count(1), 0, "a whole number of at least 1"],
  ["count", types.count(1), 1.5, "a whole number of at least 1"],
  ["count", types.count(1), "2", "a whole number of at least 1"],
  ["listOf", list, "other", "a list with any of docker2s2, other"],
  ["listOf", list, ["x"], "one of docker2s2, other"],
  ["commaList", types.commaList, ["a"], "text with commas between the parts"],
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
  ["bytes", limit, "4mib", size],
  ["bytes", limit, "999999999TiB", size],
  ["bytes", limit, true, size],
  ["port", types.port, "65536", port],
  ["port", types.port, 65_536, port],
  ["port", types.port, -1, port],
  ["port", types.port, "http", port],
  ["port", types.port, 80.5, port],
  ["listenAddress", types.listenAddress, "", address],
  ["listenAddress", types.listenAddress, "127.0.0.1/8", address],
  ["urlOrNone", types.urlOrNone, "registry.example.com", url],
  ["urlOrNone", types.urlOrNone, "ftp://example.com", url],
  ["urlOrNone", types.urlOrNone, "https://", url],
  ["urlOrNone", types.urlOrNone, "https://exa mple.com", url],
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
