// The parts of a bench run that need no registry: arithmetic, text and page.

import { describe, expect, test } from "bun:test";
import type { RequestBody } from "../client/transport.ts";
import { bestOf, type BenchResult, type Measured } from "./bench.ts";
import { ContentMaker, partOf, streamOf } from "./content.ts";
import { percentiles, runLoad } from "./load.ts";
import { benchPage } from "./page.ts";
import { ratios, reportText } from "./report.ts";
import { scenarios } from "./scenarios.ts";
import { serverCost } from "./process_tree.ts";

function measured(target: string, changes: Partial<Measured> = {}): Measured {
  return {
    target,
    completed: 100,
    failed: 0,
    errors: [],
    elapsedMs: 1000,
    bytes: 5_000_000,
    latencyMs: { min: 1, p50: 2, p75: 3, p90: 4, p99: 5, max: 6 },
    firstByteMs: null,
    generatorBusy: 0.2,
    serverCpuSeconds: 0.001,
    medianCpuSeconds: 0.001,
    serverPeakBytes: 1024 * 1024,
    problem: null,
    ...changes,
  };
}

function bytesOf(body: RequestBody): Buffer {
  return Buffer.concat([...(body.open() as Iterable<Uint8Array>)]);
}

function resultOf(results: Measured[]): BenchResult {
  return {
    startedAt: "2026-01-01T00:00:00.000Z",
    requests: 100,
    concurrency: 4,
    rounds: 1,
    targets: results.map(({ target }) => ({ label: target, url: `http://${target}` })),
    ceiling: 12_345,
    scenarios: [{ name: "catalog", title: "Get the catalog", concurrency: 4, results }],
  };
}

describe("percentiles()", () => {
  test("takes the nearest rank", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentiles(values)).toEqual({ min: 1, p50: 50, p75: 75, p90: 90, p99: 99, max: 100 });
  });

  test("of one value is that value, of none is null", () => {
    expect(percentiles([7])).toEqual({ min: 7, p50: 7, p75: 7, p90: 7, p99: 7, max: 7 });
    expect(percentiles([])).toBeNull();
  });
});

describe("runLoad()", () => {
  test("runs each operation once, at most so many at a time, and counts errors by kind", async () => {
    const seen: number[] = [];
    let now = 0;
    let most = 0;
    const result = await runLoad({
      count: 50,
      concurrency: 4,
      onProgress: () => {},
      operation: async (index) => {
        most = Math.max(most, ++now);
        seen.push(index);
        await Promise.resolve();
        now -= 1;
        if (index % 10 === 0) throw new TypeError("on purpose");
        return { bytes: 2, firstByteMs: 1 };
      },
    });
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(most).toBe(4);
    expect(result).toMatchObject({ completed: 45, failed: 5, bytes: 90 });
    expect(result.errors).toEqual([{ kind: "TypeError", count: 5, example: "on purpose" }]);
  });
});

describe("content", () => {
  const maker = new ContentMaker();
  const sizes = [1, 32, 33, 1_000, 1_048_576 + 32, 1_048_577, 3_000_000];

  test("has its size and digest, and no two are the same", () => {
    for (const size of sizes) {
      const [first, second] = [maker.make(size), maker.make(size)];
      const bytes = bytesOf(first.body);
      expect(bytes.length).toBe(size);
      const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
      expect(first.digest as string).toBe(`sha256:${hash}`);
      if (size >= 32) expect(second.digest).not.toBe(first.digest);
    }
  });

  test("in parts and as a stream is the same bytes", () => {
    for (const size of sizes) {
      const content = maker.make(size);
      const whole = bytesOf(content.body);
      expect(bytesOf(streamOf(content, 1000)).equals(whole)).toBe(true);
      const parts: Uint8Array[] = [];
      for (let at = 0; at < size; at += 700_001) {
        parts.push(partOf(content, at, Math.min(at + 700_001, size) - 1));
      }
      expect(Buffer.concat(parts).equals(whole)).toBe(true);
    }
  });
});

describe("bestOf()", () => {
  const dear = measured("a", { serverCpuSeconds: 3, serverPeakBytes: 30 });
  const cheap = measured("a", { serverCpuSeconds: 1, serverPeakBytes: 10, completed: 90 });
  const middle = measured("a", { serverCpuSeconds: 2, serverPeakBytes: 20 });

  test("is the cheapest round, with the median beside it and the highest peak", () => {
    expect(bestOf([dear, cheap, middle])).toEqual({
      ...cheap,
      medianCpuSeconds: 2,
      serverPeakBytes: 30,
    });
  });

  test("without the server's cost is the fastest round", () => {
    const unknown = { serverCpuSeconds: null, serverPeakBytes: null };
    const [slow, quick] = [900, 300].map((elapsedMs) => measured("a", { ...unknown, elapsedMs }));
    expect(bestOf([slow!, quick!])).toEqual({ ...quick!, medianCpuSeconds: null });
  });

  test("hides no failure", () => {
    const failed = measured("a", { serverCpuSeconds: 9, failed: 1 });
    const broken = measured("a", { serverCpuSeconds: null, problem: "no" });
    expect(bestOf([cheap, failed]).failed).toBe(1);
    expect(bestOf([cheap, failed, broken]).problem).toBe("no");
  });
});

describe("reports", () => {
  test("compare the first registry to each other one", () => {
    const [a, b] = [measured("a"), measured("b", { completed: 50, serverCpuSeconds: 0.004 })];
    const unknown = measured("c", { serverCpuSeconds: null });
    expect(ratios(a, b)).toEqual({ rate: 2, cpu: 0.25 });
    const text = reportText(resultOf([a, b, unknown]));
    expect(text).toContain("a against b: ops/s × 2.00, CPU/op × 0.250");
    expect(text).toContain("a against c: ops/s × 1.00\n");
    expect(text).not.toContain("rounds");
    expect(reportText({ ...resultOf([a]), rounds: 3 })).toContain("the best of 3 rounds");
  });

  test("mark a busy generator, and name what could not be set up and what failed", () => {
    const text = reportText(
      resultOf([
        measured("a", { generatorBusy: 0.99 }),
        measured("b", { problem: "PUT of a blob: 500" }),
        measured("c", { failed: 3, errors: [{ kind: "closed", count: 3, example: "gone" }] }),
      ]),
    );
    expect(text).toContain("100* ");
    expect(text).toContain("could not be set up: PUT of a blob: 500");
    expect(text).toContain("catalog on c: 3 × closed: gone");
    expect(text).toContain("generator was busy");
  });

  test("the page loads nothing and escapes what came from outside", () => {
    const page = benchPage(resultOf([measured('<script>alert("x")</script>')]));
    expect(page).not.toContain("<script");
    expect(page).toContain("&lt;script&gt;");
    expect(page).not.toMatch(/\b(?:src|href)=/);
  });
});

describe("the table of scenarios", () => {
  test("has unique names, and all workloads of the original's benchmark", () => {
    const names = scenarios.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const originals = [
      "catalog",
      ...["1mb", "10mb", "100mb"].flatMap((size) => [
        `push-monolith-${size}`,
        `push-chunk-${size}`,
        `pull-${size}`,
        `pull-75-push-25-${size}`,
      ]),
      "pull-mixed",
      "push-monolith-mixed",
      "push-chunk-mixed",
    ];
    expect(names).toEqual(expect.arrayContaining(originals));
  });
});

describe("serverCost()", () => {
  test("knows this process, and not one that is not there", () => {
    const usage = serverCost(process.pid);
    expect(usage?.peakBytes).toBeGreaterThan(1024 * 1024);
    expect(serverCost(2 ** 30)).toBeNull();
  });
});
