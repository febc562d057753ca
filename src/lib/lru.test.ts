// The cache never exceeds its bounds and lets go of what was used longest ago.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { Lru } from "./lru.ts";

describe("Lru", () => {
  test("an absent key is null, also where it is a name of Object.prototype", () => {
    const cache = new Lru<string, number>({ entriesMax: 2 });
    expect(cache.get("constructor")).toBeNull();
    cache.set("__proto__", 1);
    expect(cache.get("__proto__")).toBe(1);
  });

  test("use keeps an entry, disuse loses it", () => {
    const cache = new Lru<string, number>({ entriesMax: 2 });
    cache.set("a", 1);
    cache.set("b", 2);
    cache.get("a");
    cache.set("c", 3);
    expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([1, null, 3]);
    cache.set("a", 4); // Setting is use as well.
    cache.set("d", 5);
    expect([cache.get("a"), cache.get("c"), cache.get("d")]).toEqual([4, null, 5]);
  });

  test("of a large one, nothing that was used among the last seven eighths is lost", () => {
    const entriesMax = 80;
    const cache = new Lru<number, number>({ entriesMax });
    for (let key = 0; key < entriesMax; key += 1) cache.set(key, key);
    for (let added = 0; added < 10 * entriesMax; added += 1) {
      // Asked for once in so many additions, it stays; it would be gone after 80 without being moved.
      if (added % 60 === 0) expect(cache.get(7)).toBe(7);
      cache.set(1_000 + added, added);
      expect(cache.size).toBe(entriesMax);
    }
  });

  test("weight bounds the sum, and a value beyond the bound replaces the old one by nothing", () => {
    const cache = new Lru<string, string>({ entriesMax: 10, weightMax: 5, weigh: (v) => v.length });
    cache.set("a", "aa");
    cache.set("b", "bb");
    cache.set("c", "cc");
    expect([cache.size, cache.weight, cache.get("a")]).toEqual([2, 4, null]);
    cache.set("b", "too heavy");
    expect([cache.size, cache.weight, cache.get("b")]).toEqual([1, 2, null]);
  });

  test("delete and clear give the weight back", () => {
    const cache = new Lru<string, string>({ entriesMax: 10, weightMax: 9, weigh: (v) => v.length });
    cache.set("a", "aa");
    expect([cache.delete("a"), cache.delete("a"), cache.weight]).toEqual([true, false, 0]);
    cache.set("b", "bb");
    cache.clear();
    expect([cache.size, cache.weight, cache.get("b")]).toEqual([0, 0, null]);
  });

  test("behaves as a plain list of entries does (model)", () => {
    const operation = fc.record({
      name: fc.constantFrom("get", "set", "delete"),
      key: fc.integer({ min: 0, max: 6 }),
      value: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const options = { entriesMax: 4, weightMax: 9, weigh: (value: number) => value };
        const cache = new Lru<number, number>(options);
        let model: [number, number][] = []; // Oldest use first.
        for (const { name, key, value } of operations) {
          const held = model.find(([heldKey]) => heldKey === key);
          const others = model.filter(([heldKey]) => heldKey !== key);
          if (name === "get") {
            expect(cache.get(key)).toBe(held?.[1] ?? null);
            model = held === undefined ? others : [...others, held];
          } else if (name === "set") {
            cache.set(key, value);
            model = [...others, [key, value]];
          } else {
            expect(cache.delete(key)).toBe(held !== undefined);
            model = others;
          }
          while (model.length > 4 || weightOf(model) > 9) model.shift();
          expect([cache.size, cache.weight]).toEqual([model.length, weightOf(model)]);
        }
      }),
    );
  });
});

function weightOf(model: [number, number][]): number {
  return model.reduce((sum, [, value]) => sum + value, 0);
}
