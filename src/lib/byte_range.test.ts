// Range and Content-Range: tables of RFC 9110 §14 and of the conformance suite, and a naive model.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseContentRange, parseRange, type InclusiveRange } from "./byte_range.ts";

const options = { partsMax: 8 };

/** The answer in short: the ranges as text, or the name of the case. */
function shown(header: string, sizeBytes: number): string {
  const answer = parseRange(header, sizeBytes, options);
  if (answer.kind !== "ranges") return answer.kind;
  return answer.ranges.map(({ first, last }) => `${first}-${last}`).join(" ");
}

describe("parseRange", () => {
  test.each([
    // One range of the conformance suite's table (blob of 2048 bytes).
    ["bytes=500-1499", "500-1499"],
    ["bytes=500-", "500-2047"],
    ["bytes=-500", "1548-2047"],
    ["bytes=2000-5000", "2000-2047"],
    ["bytes=500-0", "unsatisfiable"],
    ["bytes=5000-10000", "unsatisfiable"],
    // Edges.
    ["bytes=0-0", "0-0"],
    ["bytes=0-", "0-2047"],
    ["bytes=2047-2047", "2047-2047"],
    ["bytes=2047-2048", "2047-2047"],
    ["bytes=2048-2048", "unsatisfiable"],
    ["bytes=2048-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=-1", "2047-2047"],
    ["bytes=-2048", "0-2047"],
    ["bytes=-2049", "0-2047"],
    ["bytes=007-009", "7-9"],
    ["BYTES=1-2", "1-2"],
    // Numbers that a double cannot hold.
    ["bytes=0-9007199254740993", "0-2047"],
    [`bytes=0-${"9".repeat(400)}`, "0-2047"],
    [`bytes=${"9".repeat(400)}-`, "unsatisfiable"],
    [`bytes=-${"9".repeat(400)}`, "0-2047"],
    [`bytes=${"0".repeat(400)}1-2`, "1-2"],
    // Several: in the order of the request, not merged.
    ["bytes=0-1,5-6", "0-1 5-6"],
    ["bytes=5-6, 0-1", "5-6 0-1"],
    ["bytes=0-9,5-14", "0-9 5-14"],
    ["bytes=0-0,-1", "0-0 2047-2047"],
    ["bytes=\t0-0 ,\t 2-2\t", "0-0 2-2"],
    ["bytes=,0-1,,2-3,", "0-1 2-3"],
    ["bytes=0-1,9999-", "0-1"],
    ["bytes=9-8,0-1", "0-1"],
    ["bytes=-0,3000-,9-8", "unsatisfiable"],
    // Overlapping abuse: 2 x 2048 bytes in all are fine, one more is not.
    ["bytes=0-,0-", "0-2047 0-2047"],
    ["bytes=0-,0-,0-0", "too-many"],
    ["bytes=0-,0-,9999-", "0-2047 0-2047"],
    // Too many parts, also when most of them hold nothing.
    ["bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7", "0-0 1-1 2-2 3-3 4-4 5-5 6-6 7-7"],
    ["bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8", "too-many"],
    [`bytes=${"9999-,".repeat(9)}`, "too-many"],
    [`bytes=${",".repeat(99)}0-0`, "0-0"],
    // Not ours, or malformed: as if there were no header.
    ["", "ignore"],
    ["bytes", "ignore"],
    ["bytes=", "ignore"],
    ["bytes=,", "ignore"],
    ["bytes=-", "ignore"],
    ["bytes=--1", "ignore"],
    ["bytes=1--2", "ignore"],
    ["bytes=1-2-3", "ignore"],
    ["bytes=a-b", "ignore"],
    ["bytes=1", "ignore"],
    ["bytes=+1-2", "ignore"],
    ["bytes=1.0-2", "ignore"],
    ["bytes=0x1-2", "ignore"],
    ["bytes=1e1-", "ignore"],
    ["bytes= 1 - 2", "ignore"],
    ["bytes =1-2", "ignore"],
    [" bytes=1-2", "ignore"],
    ["bytes 1-2", "ignore"],
    ["bytes=1-2;3-4", "ignore"],
    ["bytes=0-1,x", "ignore"],
    ["bytes=0-1\n", "ignore"],
    ["bytes=٣-٤", "ignore"],
    ["items=0-1", "ignore"],
    ["none", "ignore"],
  ])("%p of 2048 bytes gives %p", (header, expected) => {
    expect(shown(header, 2048)).toBe(expected);
  });

  test.each(["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-1", "bytes=0-,-5"])(
    "%p of an empty blob is unsatisfiable",
    (header) => {
      expect(shown(header, 0)).toBe("unsatisfiable");
    },
  );

  test("a malformed range of an empty blob is ignored all the same", () => {
    expect(shown("bytes=x", 0)).toBe("ignore");
  });

  test("sizes near 2^53 keep every digit", () => {
    const sizeBytes = Number.MAX_SAFE_INTEGER;
    expect(shown("bytes=-1", sizeBytes)).toBe("9007199254740990-9007199254740990");
    expect(shown("bytes=9007199254740990-", sizeBytes)).toBe("9007199254740990-9007199254740990");
    expect(shown("bytes=9007199254740991-", sizeBytes)).toBe("unsatisfiable");
  });

  test("sends the bytes that a naive reading of the specification sends", () => {
    const number = fc.option(fc.nat({ max: 30 }), { nil: null });
    const part = fc.tuple(number, number).filter(([a, b]) => a !== null || b !== null);
    const header = fc.array(part, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(header, fc.nat({ max: 24 }), (parts, sizeBytes) => {
        const text = parts.map(([a, b]) => `${a ?? ""}-${b ?? ""}`).join(", ");
        const answer = parseRange(`bytes=${text}`, sizeBytes, options);
        const wanted = parts
          .map((entry) => naiveBytes(entry, sizeBytes))
          .filter((b) => b.length > 0);
        if (wanted.length === 0) expect(answer.kind).toBe("unsatisfiable");
        else if (wanted.length > 1 && wanted.flat().length > 2 * sizeBytes) {
          expect(answer.kind).toBe("too-many");
        } else {
          expect(answer.kind === "ranges" ? answer.ranges.map(toBytes) : answer.kind).toEqual(
            wanted,
          );
        }
      }),
    );
  });

  test("any text gives an answer, and every range lies inside of the content", () => {
    const text = fc.string({ unit: fc.constantFrom(..."bytes=0123456789-, ax\t".split("")) });
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          text.map((rest) => `bytes=${rest}`),
        ),
        fc.nat({ max: 99 }),
        (header, size) => {
          const answer = parseRange(header, size, options);
          for (const { first, last } of answer.kind === "ranges" ? answer.ranges : []) {
            expect(0 <= first && first <= last && last < size).toBe(true);
          }
        },
      ),
    );
  });
});

/** The offsets that a part names, found by asking of each byte whether it is meant. */
function naiveBytes([first, last]: [number | null, number | null], sizeBytes: number): number[] {
  const offsets = Array.from({ length: sizeBytes }, (_, offset) => offset);
  if (first === null) return offsets.filter((offset) => offset >= sizeBytes - (last ?? 0));
  return offsets.filter((offset) => offset >= first && offset <= (last ?? Infinity));
}

function toBytes({ first, last }: InclusiveRange): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

describe("parseContentRange", () => {
  test.each([
    ["0-0", { first: 0, last: 0 }],
    ["0-511", { first: 0, last: 511 }],
    ["1024-2047", { first: 1024, last: 2047 }],
    ["bytes 0-511/2048", { first: 0, last: 511 }],
    ["bytes 0-511/512", { first: 0, last: 511 }],
    ["bytes 0-511/*", { first: 0, last: 511 }],
    ["bytes 0-511", { first: 0, last: 511 }],
    ["bytes=0-511", { first: 0, last: 511 }],
    ["0-99999999999999999999", { first: 0, last: Number.MAX_SAFE_INTEGER }],
  ])("%p is read as %p", (header, range) => {
    expect(parseContentRange(header)).toEqual(range);
  });

  test.each([
    "",
    "-",
    "0",
    "0-",
    "-5",
    "5-4",
    "a-b",
    "0-5-9",
    "0 - 5",
    " 0-5",
    "0-5 ",
    "0-5,6-7",
    "bytes",
    "bytes=",
    "bytes */5",
    "bytes 0-512/512",
    "bytes 0-5/",
    "items 0-5/6",
    "+0-5",
    "-1-5",
    "0--1",
    "0x0-5",
    "0-5\n",
    "1e2-200",
  ])("%p is refused", (header) => {
    expect(parseContentRange(header)).toBeNull();
  });

  test("reads back what an uploader writes", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        const range = { first: Math.min(a, b), last: Math.max(a, b) };
        expect(parseContentRange(`${range.first}-${range.last}`)).toEqual(range);
      }),
    );
  });
});
