// Sealed numbers come back to those who were given them, and to nobody else.

import { expect, test } from "bun:test";
import { openNumber, sealNumber } from "./sealed_number.ts";

const key = Buffer.alloc(32, 7);

test.each([0, 1, 48_213, Number.MAX_SAFE_INTEGER])("%p comes back", (number) => {
  const text = sealNumber(key, "ann", number);
  expect(text).toMatch(/^[0-9a-f]{32}$/);
  expect(sealNumber(key, "ann", number)).toBe(text);
  expect(openNumber(key, "ann", text)).toBe(number);
});

test("nobody else can open it, and nothing else opens", () => {
  const text = sealNumber(key, "ann", 9);
  expect(openNumber(key, "bob", text)).toBeNull();
  expect(openNumber(Buffer.alloc(32, 8), "ann", text)).toBeNull();
  for (const other of ["", "9", text.slice(1), `${text}0`, "f".repeat(32), text.toUpperCase()]) {
    expect([other, openNumber(key, "ann", other)]).toEqual([other, null]);
  }
  expect(sealNumber(key, "bob", 9)).not.toBe(text);
  expect(sealNumber(key, "ann", 10).slice(0, 8)).not.toBe(text.slice(0, 8));
});
