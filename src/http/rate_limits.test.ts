// Rates with a clock that is moved by hand: how many of a burst are admitted, and how many a second after it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { array, asyncProperty, integer, record } from "fast-check";
import { join } from "node:path";
import { run } from "../../test/processes.ts";
import { holds } from "../../test/property.ts";
import { tempDirectory, type TempDirectory } from "../../test/temp.ts";
import { manualClock } from "../lib/clock.ts";
import type { RateLimitValues } from "./limit_options.ts";
import { limitsRates, RateLimits } from "./rate_limits.ts";

let directory: TempDirectory;
let pages = 0;
beforeAll(async () => {
  directory = await tempDirectory("zot-rates");
});
afterAll(() => directory[Symbol.asyncDispose]());

const none: RateLimitValues = { rate: 0, methods: [], perCaller: 0 };
const startMs = Date.parse("2026-11-22T08:00:00Z");

function open(
  values: Partial<RateLimitValues>,
  path = join(directory.path, `page${(pages += 1)}`),
) {
  const clock = manualClock(startMs);
  const limits = new RateLimits({ ...none, ...values }, path, clock);
  /** How many of so many requests at once are admitted. */
  const admitted = (count: number, method = "GET", address: string | null = "192.0.2.1"): number =>
    Array.from({ length: count }, () => limits.check(method, address)).filter(
      (reason) => reason === null,
    ).length;
  return { clock, limits, admitted, path };
}

describe("a rate", () => {
  test.each([1, 2, 3, 6, 7, 10, 50, 99, 1000])(
    "of %d admits so many at once, and a second",
    async (rate) => {
      const { clock, admitted } = open({ rate });
      expect(admitted(3 * rate)).toBe(rate);
      await clock.advance(500);
      expect(admitted(3 * rate)).toBe(Math.floor(rate / 2));
      await clock.advance(1000);
      // A half request may be left over from before.
      expect(admitted(3 * rate)).toBeGreaterThanOrEqual(rate);
      await clock.advance(60_000);
      expect(admitted(3 * rate)).toBe(rate);
    },
  );

  test("is never passed, however requests come", () => {
    const requests = array(
      record({
        afterMs: integer({ min: 0, max: 900 }),
        count: integer({ min: 1, max: 30 }),
      }),
      { maxLength: 40 },
    );
    return holds(
      "a rate",
      asyncProperty(integer({ min: 1, max: 40 }), requests, async (rate, steps) => {
        const { clock, admitted } = open({ rate }, join(directory.path, "property"));
        await clock.advance(pages++ * 3_600_000); // The page is an old one each time.
        const started = clock.monotonicMs();
        let total = 0;
        for (const { afterMs, count } of steps) {
          await clock.advance(afterMs);
          total += admitted(count);
        }
        const elapsedMs = clock.monotonicMs() - started;
        // A bucket, and what came in since; a request costs a whole number of microseconds.
        expect(total).toBeLessThanOrEqual(
          rate + Math.ceil(((rate * elapsedMs) / 1000) * 1.0001) + 1,
        );
      }),
      60,
    );
  });

  test("refuses with a status, a code and the time to wait", () => {
    const { limits } = open({ rate: 1 });
    expect(limits.check("GET", null)).toBeNull();
    expect(limits.check("GET", null)).toMatchObject({
      reason: "TOO_MANY_REQUESTS",
      code: "TOOMANYREQUESTS",
      status: 429,
      headers: { "retry-after": "1" },
      message:
        "Too many requests; expected up to 1 a second (http.ratelimit.rate), try again in 1 s",
    });
  });

  test("of a method leaves the others alone", async () => {
    const { clock, admitted } = open({
      methods: [
        { method: "GET", rate: 2 },
        { method: "PUT", rate: 1 },
      ],
    });
    expect(admitted(9, "GET")).toBe(2);
    expect(admitted(9, "PUT")).toBe(1);
    expect(admitted(9, "HEAD")).toBe(9);
    expect(admitted(9, "BREW")).toBe(9);
    await clock.advance(1000);
    expect(admitted(9, "GET")).toBe(2);
  });

  test("of all holds beside those of methods", () => {
    const { admitted } = open({ rate: 5, methods: [{ method: "GET", rate: 3 }] });
    expect(admitted(9, "GET")).toBe(3);
    expect(admitted(9, "HEAD")).toBe(2);
  });

  test("of a caller holds for each, and what it refuses costs the others nothing", () => {
    const { admitted } = open({ rate: 5, perCaller: 3 });
    expect(admitted(100, "GET", "192.0.2.1")).toBe(3);
    expect(admitted(100, "GET", "192.0.2.2")).toBe(2);
    expect(admitted(100, "GET", "192.0.2.3")).toBe(0);
  });

  test("of a caller is that of an IPv6 network of 64 bits", () => {
    const { admitted } = open({ perCaller: 1 });
    expect(admitted(1, "GET", "2001:db8::1")).toBe(1);
    expect(admitted(1, "GET", "2001:db8:0:0:ffff::2")).toBe(0);
    expect(admitted(1, "GET", "2001:db8:0:1::1")).toBe(1);
    expect(admitted(2, "GET", null)).toBe(1);
  });

  test("that is not set is none", () => {
    expect(limitsRates(none)).toBe(false);
    expect(limitsRates({ ...none, perCaller: 1 })).toBe(true);
    expect(open({}).admitted(1000)).toBe(1000);
  });
});

describe("callers", () => {
  test("50000 are told apart as long as they are busy; memory does not grow", async () => {
    const { clock, limits, path } = open({ perCaller: 1 });
    const size = Bun.file(path).size;
    const addresses = Array.from(
      { length: 50_000 },
      (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
    );
    // Not at once: each second some thousands.
    let wrong = 0;
    for (const [index, address] of addresses.entries()) {
      if (index % 2000 === 0) await clock.advance(1000);
      if (limits.check("GET", address) !== null) wrong += 1;
      if (limits.check("GET", address) === null) wrong += 1;
    }
    // Keys have 32 bits: of 50,000 with 2,000 others beside each, two share one in a run of fifty.
    expect(wrong).toBeLessThan(6);
    expect(Bun.file(path).size).toBe(size);
  });

  test("of more than the table holds at once, the least busy is given up, and nobody is refused for another", () => {
    const { limits } = open({ perCaller: 2 });
    const addresses = Array.from(
      { length: 60_000 },
      (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
    );
    expect(addresses.filter((address) => limits.check("GET", address) !== null)).toEqual([]);
  });
});

describe("the page", () => {
  test("of a clock that was set back by an hour admits as an empty one", () => {
    const { admitted, path } = open({ rate: 3, perCaller: 3 });
    expect(admitted(9)).toBe(3);
    const later = new RateLimits(
      { ...none, rate: 3, perCaller: 3 },
      path,
      manualClock(startMs - 3_600_000),
    );
    expect(
      Array.from({ length: 9 }, () => later.check("GET", "192.0.2.1")).filter((it) => it === null),
    ).toHaveLength(3);
  });

  test("with any content keeps the rate", async () => {
    const path = join(directory.path, "noise");
    const { limits } = open({ rate: 1 }, path);
    const size = Bun.file(path).size;
    for (let round = 0; round < 50; round += 1) {
      const page = new Int32Array(Bun.mmap(path, { shared: true }).buffer);
      crypto.getRandomValues(new Uint8Array(page.buffer, 0, Math.min(size, 65_536)));
      const admitted = [1, 2, 3].filter(() => limits.check("GET", "192.0.2.1") === null).length;
      expect(admitted).toBeLessThanOrEqual(1);
    }
  });

  test("is shared: processes together have one rate", async () => {
    const path = join(directory.path, "shared");
    const script = `
      const { RateLimits } = await import(${JSON.stringify(join(import.meta.dir, "rate_limits.ts"))});
      const clock = { now: () => ${startMs}, monotonicMs: () => 0, sleep: async () => {} };
      const limits = new RateLimits({ rate: 10_000, methods: [], perCaller: 0 }, ${JSON.stringify(path)}, clock);
      let admitted = 0;
      for (let count = 0; count < 20_000; count += 1) if (limits.check("GET", null) === null) admitted += 1;
      console.log(admitted);`;
    const outputs = await Promise.all(
      Array.from({ length: 3 }, () => run(process.execPath, ["-e", script])),
    );
    expect(outputs.map(({ stdout }) => Number(stdout)).reduce((a, b) => a + b)).toBe(10_000);
  });
});
