// How well names fit texts: the order that people of zot's interface know.

import { expect, test } from "bun:test";
import { rankOf } from "./rank.ts";

test.each<[text: string, name: string, rank: number | null]>([
  ["app", "app", 0],
  ["team/app", "team/app", 0],
  ["app", "team/app", 1],
  ["pp", "team/app", 2],
  ["team", "team/app", 10],
  ["eam", "team/app", 20],
  ["eam/a", "team/app", 200],
  ["team/a", "team/app", 1],
  ["team/pp", "team/app", 2],
  ["team/sub/a", "team/sub/app", 1],
  ["team/sub", "team/sub/app", 10],
  ["a/b/c", "a/b", null],
  ["alp", "library/alpine", 1],
  ["library/alp", "library/alpine", 1],
  ["ine", "library/alpine", 4],
  ["lib", "library/alpine", 10],
  ["sub", "team/sub/app", 600],
  ["zzz", "team/app", null],
  ["app/team", "team/app", null],
  ["m", "team/m/app", 40],
])("%p in %p ranks %p", (text, name, rank) => {
  expect(rankOf(name, text)).toBe(rank);
});
