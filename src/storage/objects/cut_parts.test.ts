// Uploads of any length, in requests of any length, have few enough parts, each as long as stores want it.

import { expect, test } from "bun:test";
import { GiB, MiB } from "../../lib/bytes.ts";
import { cutParts, wholeBytesMax } from "./cut_parts.ts";
import type { ObjectLimits } from "./object_store.ts";

const limits: ObjectLimits = {
  putBytesMax: 5 * GiB,
  partBytesMin: 5 * MiB,
  partBytesMax: 5 * GiB,
  partsMax: 10_000,
};

/** Sends chunks of one length; how many parts there are at the end, and the shortest that is not the last. */
function sent(totalBytes: number, chunkBytes: number) {
  const parts: number[] = [];
  let tailBytes = 0;
  const add = (bytes: number, isLast: boolean): void => {
    const cut = cutParts(bytes, { storedParts: parts.length, isLast }, limits);
    for (let left = bytes - cut.tailBytes, part = 0; part < cut.parts; part += 1) {
      parts.push(Math.min(cut.partBytes, left));
      left -= cut.partBytes;
    }
    tailBytes = cut.tailBytes;
  };
  let longestTail = 0;
  for (let left = totalBytes; left > 0; left -= chunkBytes) {
    add(tailBytes + Math.min(chunkBytes, left), false);
    longestTail = Math.max(longestTail, tailBytes);
  }
  add(tailBytes, true);
  return { parts, bytes: parts.reduce((sum, each) => sum + each, 0), longestTail };
}

for (const chunkBytes of [MiB, 5 * MiB, 5 * MiB + 1, 16 * MiB, 17 * MiB + 3, GiB, 100 * GiB]) {
  for (const totalBytes of [40 * MiB, 10 * GiB, 100 * GiB]) {
    test(`${totalBytes / MiB} MiB in chunks of ${chunkBytes} bytes`, () => {
      const { parts, bytes } = sent(totalBytes, chunkBytes);
      expect(bytes).toBe(totalBytes);
      expect(parts.length).toBeLessThanOrEqual(limits.partsMax);
      for (const part of parts.slice(0, -1)) expect(part).toBeGreaterThanOrEqual(5 * MiB);
      for (const part of parts) expect(part).toBeLessThanOrEqual(limits.partBytesMax);
      expect(parts.at(-1)).toBeGreaterThan(0);
    });
  }
}

test("chunks of five mebibytes and more leave nothing behind, once they are more than one part", () => {
  expect(sent(30 * MiB, 6 * MiB).longestTail).toBeLessThanOrEqual(wholeBytesMax(limits));
  const cut = cutParts(6 * MiB, { storedParts: 2, isLast: false }, limits);
  expect(cut).toEqual({ parts: 1, partBytes: 6 * MiB, tailBytes: 0 });
});

test("parts of one request are equal but for the last one, which is no longer", () => {
  const cut = cutParts(33 * MiB + 1, { storedParts: 0, isLast: false }, limits);
  expect(cut).toEqual({ parts: 2, partBytes: Math.ceil((33 * MiB + 1) / 2), tailBytes: 0 });
});
