// Ranges over HTTP against a model that is too simple to be wrong: the runtime has a reading of Range of its own.

import { afterAll, beforeAll, expect, test } from "bun:test";
import * as fc from "fast-check";
import { holds } from "../property.ts";
import { type Content, empty, letters, pattern } from "./content.ts";
import { startWorld, type World } from "./world.ts";

/** Answered from memory, and just beyond that from a file. */
const blobs: readonly Content[] = [empty, letters, pattern(70_000)];

let world: World;
beforeAll(async () => {
  world = await startWorld();
  for (const blob of blobs) {
    const target = `/v2/ranges/blobs/uploads/?digest=${blob.digest}`;
    expect((await world.send("POST", target, { body: blob.bytes })).status).toBe(201);
  }
});
afterAll(() => world[Symbol.asyncDispose]());

type Expected =
  | { readonly status: 200 | 400 | 416 }
  | { readonly status: 206; readonly ranges: readonly (readonly [number, number])[] };

/** RFC 9110 §14.1.2 and §14.2, with the limits of the registry. */
function model(header: string, size: number): Expected {
  const value = header.trim();
  if (!/^bytes=/i.test(value)) return { status: 200 };
  const specs = value
    .slice("bytes=".length)
    .split(",")
    .map((text) => text.replaceAll(/^[ \t]+|[ \t]+$/g, ""))
    .filter((text) => text !== "");
  if (specs.length === 0 || specs.some((text) => !/^(\d+-\d*|-\d+)$/.test(text)))
    return { status: 200 };
  if (specs.length > 64) return { status: 400 };
  const positions = Array.from({ length: size }, (_, at) => BigInt(at));
  const chosen = specs.map((text) => {
    const [first = "", last = ""] = text.split("-");
    const inside = (at: bigint): boolean =>
      first === ""
        ? at >= BigInt(size) - BigInt(last)
        : at >= BigInt(first) && (last === "" || at <= BigInt(last));
    const from = positions.findIndex(inside);
    return from === -1 ? null : ([from, positions.findLastIndex(inside)] as const);
  });
  const ranges = chosen.filter((range) => range !== null);
  if (ranges.length === 0) return { status: 416 };
  const total = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return ranges.length > 1 && total > 2 * size ? { status: 400 } : { status: 206, ranges };
}

const number = fc.oneof(
  fc.nat(30).map(String),
  fc.constantFrom("0", "25", "26", "27", "69999", "70000", "99999999999999999999", "007", ""),
);
const spec = fc.tuple(number, number).map(([first, last]) => `${first}-${last}`);
const blank = fc.constantFrom("", " ", "\t", "  ");
const element = fc.tuple(
  blank,
  fc.oneof(
    { weight: 9, arbitrary: spec },
    { weight: 1, arbitrary: fc.constantFrom("x", "1 - 3", "-", "1--2", "") },
  ),
  blank,
);
const unit = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom("bytes=", "Bytes=", "BYTES=") },
  { weight: 1, arbitrary: fc.constantFrom("items=", "bytes", "bytes =", "", "xbytes=") },
);
const header = fc
  .tuple(unit, fc.array(element, { minLength: 1, maxLength: 5 }))
  .map(([unit, elements]) => unit + elements.map((parts) => parts.join("")).join(","));

test("every Range gets what the model says, from memory and from files", async () => {
  await holds(
    "ranges over HTTP",
    fc.asyncProperty(header, fc.constantFrom(...blobs), async (range, blob) => {
      const expected = model(range, blob.bytes.length);
      const answer = await world.send("GET", `/v2/ranges/blobs/${blob.digest}`, {
        headers: { range },
      });
      expect(answer.status).toBe(expected.status);
      if (expected.status === 200) {
        expect(Buffer.from(answer.body).equals(Buffer.from(blob.bytes))).toBe(true);
      }
      if (expected.status !== 206) return;
      const total = blob.bytes.length;
      const [only, ...others] = expected.ranges;
      const bytesOf = ([first, last]: readonly [number, number]): Buffer =>
        Buffer.from(blob.bytes.subarray(first, last + 1));
      if (only !== undefined && others.length === 0) {
        expect(answer.headers.get("content-range")).toBe(`bytes ${only[0]}-${only[1]}/${total}`);
        expect(Buffer.from(answer.body).equals(bytesOf(only))).toBe(true);
        return;
      }
      const boundary = answer.headers.get("content-type")?.split("boundary=")[1] ?? "";
      const parts = expected.ranges.flatMap((range) => [
        Buffer.from(
          `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\n` +
            `Content-Range: bytes ${range[0]}-${range[1]}/${total}\r\n\r\n`,
        ),
        bytesOf(range),
      ]);
      const whole = Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]);
      expect(Buffer.from(answer.body).equals(whole)).toBe(true);
    }),
    400,
  );
});
