// The layout of the map of what takes room.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { squarify } from "../../src/ui/core/squarify.ts";
import { holds } from "../property.ts";

const near = (value: number): number => Math.round(value * 1e6) / 1e6;

test("areas are in proportion to the values, and fill the box", () => {
  const areas = squarify([6, 6, 4, 3, 2, 2, 1], 6, 4);
  const shares = areas.map(({ width, height }) => near(width * height * 24));
  expect(shares).toEqual([6, 6, 4, 3, 2, 2, 1]);
});

test("the example of the paper has its shape", () => {
  const [first, second, third] = squarify([6, 6, 4, 3, 2, 2, 1], 6, 4);
  expect([first, second].map((area) => [near(area!.width * 6), near(area!.height * 4)])).toEqual([
    [3, 2],
    [3, 2],
  ]);
  expect(near(third!.x * 6)).toBe(3);
});

test("no two areas overlap, and none leaves the box", async () => {
  await holds(
    "areas of a map",
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1_000_000_000 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 2_000 }),
      (given, width) => {
        const areas = squarify(
          given.toSorted((a, b) => b - a),
          width,
          700,
        );
        const slack = 1e-6;
        for (const [index, a] of areas.entries()) {
          expect(a.x >= -slack && a.y >= -slack).toBe(true);
          expect(a.x + a.width <= 1 + slack && a.y + a.height <= 1 + slack).toBe(true);
          for (const b of areas.slice(index + 1)) {
            const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
            const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
            expect(across <= slack || down <= slack).toBe(true);
          }
        }
      },
    ),
    300,
  );
});
