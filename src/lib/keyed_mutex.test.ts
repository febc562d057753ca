// Work of one key never overlaps and keeps its order; different keys do not wait; memory is freed.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { KeyedMutex } from "./keyed_mutex.ts";

describe("KeyedMutex", () => {
  test("work of one key runs one after the other, in the order of the calls", async () => {
    const mutex = new KeyedMutex();
    const log: string[] = [];
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const work = (name: string, gate: Promise<void>) => async (): Promise<string> => {
      log.push(`${name} begins`);
      await gate;
      log.push(`${name} ends`);
      return name;
    };
    const both = Promise.all([
      mutex.run("k", work("one", gates[0]!.promise)),
      mutex.run("k", work("two", gates[1]!.promise)),
    ]);
    gates[1]!.resolve(); // The second could end first, were it let in.
    gates[0]!.resolve();
    expect(await both).toEqual(["one", "two"]);
    expect(log).toEqual(["one begins", "one ends", "two begins", "two ends"]);
  });

  test("another key does not wait", async () => {
    const mutex = new KeyedMutex();
    const gate = Promise.withResolvers<void>();
    const held = mutex.run("a", () => gate.promise);
    expect(await mutex.run("b", async () => "free")).toBe("free");
    gate.resolve();
    await held;
  });

  test("work that throws lets the next one in, and throws to its caller only", async () => {
    const mutex = new KeyedMutex();
    const failing = mutex.run("k", () => Promise.reject(new Error("broken")));
    const throwing = mutex.run("k", () => {
      throw new Error("at once");
    });
    const fine = mutex.run("k", async () => 7);
    const outcomes = await Promise.allSettled([failing, throwing, fine]);
    expect(outcomes).toEqual([
      { status: "rejected", reason: new Error("broken") },
      { status: "rejected", reason: new Error("at once") },
      { status: "fulfilled", value: 7 },
    ]);
    expect(mutex.size).toBe(0);
  });

  test("never overlaps within a key and forgets every key (random interleavings)", async () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("a", "b", "__proto__"), fc.nat({ max: 3 })), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (calls) => {
        const mutex = new KeyedMutex();
        const inside = new Map<string, number>();
        const done: string[] = [];
        await Promise.all(
          calls.map(([key, ticks], index) =>
            mutex.run(key, async () => {
              expect(inside.get(key) ?? 0).toBe(0);
              inside.set(key, 1);
              for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
              inside.set(key, 0);
              done.push(`${key}${String(index).padStart(2, "0")}`);
            }),
          ),
        );
        expect(mutex.size).toBe(0);
        for (const key of ["a", "b", "__proto__"]) {
          const order = done.filter((entry) => entry.startsWith(key));
          expect(order).toEqual([...order].sort());
        }
      }),
    );
  });
});
