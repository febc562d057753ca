// Times ago: what is read, and what is not.

import { expect, test } from "bun:test";
import { parseSpan } from "./span.ts";

test.each([
  ["90m", 5_400_000],
  ["7d", 604_800_000],
  ["1w", 604_800_000],
  ["0s", 0],
  ["24h", 86_400_000],
])("%s", (text, ms) => expect(parseSpan(text)).toBe(ms));

test.each(["", "m", "7", "7 d", "1.5h", "-1d", "1h30m", "7D", "1y", "1234567s"])(
  "%j is none",
  (text) => expect(parseSpan(text)).toBeNull(),
);
