// Sizes are shown with at most one decimal, in the largest unit that keeps them at 1 or more.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { formatBytes, GiB, KiB, MiB, TiB } from "./bytes.ts";

test.each([
  [0, "0 B"],
  [1, "1 B"],
  [1023, "1023 B"],
  [KiB, "1 KiB"],
  [1.5 * KiB, "1.5 KiB"],
  [MiB - 1, "1 MiB"],
  [1.5 * MiB, "1.5 MiB"],
  [100 * MiB, "100 MiB"],
  [GiB - 1, "1 GiB"],
  [GiB, "1 GiB"],
  [TiB - 1, "1 TiB"],
  [2.25 * TiB, "2.3 TiB"],
  [5000 * TiB, "5000 TiB"],
  [-1.5 * MiB, "-1.5 MiB"],
  [-(MiB - 1), "-1 MiB"],
])("%p bytes are shown as %p", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test("the shown size is within a twentieth of a unit, and below 1024 but for TiB", () => {
  const unitBytes = new Map([
    ["B", 1],
    ["KiB", KiB],
    ["MiB", MiB],
    ["GiB", GiB],
    ["TiB", TiB],
  ]);
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      const [amount = "", unit = ""] = formatBytes(bytes).split(" ");
      const unitSize = unitBytes.get(unit)!;
      expect(Math.abs(Number(amount) * unitSize - bytes)).toBeLessThanOrEqual(unitSize * 0.0501);
      if (unit !== "TiB") expect(Number(amount)).toBeLessThan(1024);
    }),
  );
});
