// Counting in shared memory: what one process counts the others see, and what it counted stays when it is gone.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDirectory } from "../../../test/temp.ts";
import { openSharedPage } from "../shared_page.ts";
import { MetricPage, pageBytes, type PageShape } from "./metric_page.ts";

const shape: PageShape = { regions: 3, slots: 20, namesMax: 3, slotsPerName: 2 };

function emptyPage(changes: Partial<PageShape> = {}): MetricPage {
  const changed = { ...shape, ...changes };
  return new MetricPage(new Uint8Array(pageBytes(changed)), changed);
}

const holder = (region: number, process = 100 + region) => ({
  region,
  process,
  startedAt: 5,
  role: region,
});

describe("regions", () => {
  test("are added up, number by number", () => {
    const page = emptyPage();
    const [first, second] = [page.hold(holder(0)), page.hold(holder(2))];
    first.add(0);
    first.add(0);
    second.add(0, 40);
    second.set(19, 7);
    const sums = page.sums();
    expect([sums.length, sums[0], sums[1], sums[19]]).toEqual([20, 42, 0, 7]);
  });

  test("keep what a process counted, and go on counting for the next", () => {
    const page = emptyPage();
    page.hold(holder(1)).add(3, 5);
    page.release(1);
    expect(page.holders()).toEqual([]);
    expect(page.sums()[3]).toBe(5);
    page.hold(holder(1, 999)).add(3, 5);
    expect(page.sums()[3]).toBe(10);
    expect(page.holders()).toEqual([{ region: 1, process: 999, startedAt: 5, role: 1 }]);
  });

  test("do not reach into each other, nor into the names", () => {
    const page = emptyPage();
    for (let region = 0; region < 3; region += 1) {
      const counted = page.hold(holder(region));
      for (let slot = 0; slot < 20; slot += 1) counted.add(slot);
      for (let name = 0; name < 3; name += 1) {
        for (let slot = 0; slot < 2; slot += 1) counted.addNamed(name, slot);
      }
      for (let slot = 0; slot < 2; slot += 1) counted.addNamed(null, slot);
    }
    expect([...page.sums()]).toEqual(Array.from({ length: 20 }, () => 3));
    expect([...page.namedSums()].map(([name, sums]) => [name, [...sums]])).toEqual([
      [null, [3, 3]],
    ]);
    const region = page.region(0);
    expect(["a", "b", "c"].map((name) => region.nameOf(name, true))).toEqual([0, 1, 2]);
    expect([...page.namedSums().values()].every((sums) => sums[0] === 3)).toBe(true);
    expect(page.holders()).toHaveLength(3);
  });

  test("outside of the page are a mistake", () => {
    expect(() => emptyPage().region(3)).toThrow("a region lies in its page");
  });
});

describe("histograms", () => {
  test("count a value in the first bucket that holds it, and its sum", () => {
    const page = emptyPage();
    const region = page.hold(holder(0));
    const buckets = [0.1, 1, 10];
    for (const value of [0, 0.1, 0.2, 1, 5, 10, 10.5, 1e9]) region.observe(4, buckets, value);
    const counts = page.sums().slice(4, 8);
    expect([...counts]).toEqual([2, 2, 2, 2]);
    expect(page.sums()[8]).toBeCloseTo(1e9 + 26.8, 3);
  });
});

describe("names", () => {
  test("get a place once, by whoever comes first, and are found by all", () => {
    const page = emptyPage();
    const [one, two] = [page.hold(holder(0)), page.hold(holder(1))];
    expect(two.nameOf("team/app", false)).toBeNull();
    expect(one.nameOf("team/app", true)).toBe(0);
    expect(two.nameOf("team/app", false)).toBe(0);
    expect(two.nameOf("other", true)).toBe(1);
    expect(one.nameOf("other", true)).toBe(1);
    expect(one.nameOf("a".repeat(256), true)).toBe(2);
  });

  test("are few: the rest is counted together", () => {
    const page = emptyPage();
    const [one, two] = [page.hold(holder(0)), page.hold(holder(1))];
    for (const name of ["a", "b", "c"]) one.addNamed(one.nameOf(name, true), 0);
    for (const name of ["d", "e", "a"]) two.addNamed(two.nameOf(name, true), 0);
    expect([...page.namedSums()].map(([name, sums]) => [name, sums[0]])).toEqual([
      ["a", 2],
      ["b", 1],
      ["c", 1],
      [null, 2],
    ]);
    expect(one.nameOf("x".repeat(257), true)).toBeNull();
  });

  test("of any text come back as they went in", () => {
    const page = emptyPage();
    const region = page.hold(holder(0));
    for (const name of ['quote"\\', "zeichen-äöü", ""]) region.nameOf(name, true);
    expect([0, 1, 2].map((at) => page.nameAt(at))).toEqual(['quote"\\', "zeichen-äöü", ""]);
  });

  test("none: everything is counted together", () => {
    const page = emptyPage({ namesMax: 0 });
    const region = page.hold(holder(0));
    region.addNamed(region.nameOf("a", true), 1, 3);
    expect([...page.namedSums()].map(([name, sums]) => [name, [...sums]])).toEqual([
      [null, [0, 3]],
    ]);
  });
});

test("processes count side by side: nothing is lost, also by one that is killed", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "page");
  const fresh = new Int32Array(pageBytes(shape) / 4);
  const numbers = openSharedPage(path, fresh);
  const bytes = new Uint8Array(numbers.buffer as ArrayBuffer, numbers.byteOffset, fresh.byteLength);
  const page = new MetricPage(bytes, shape);
  const script = join(import.meta.dir, "../../../test/contracts/metric_process.ts");
  const children = [0, 1, 2].map((region) =>
    Bun.spawn([process.execPath, script, path, JSON.stringify(shape), String(region)], {
      stdin: "ignore",
      stdout: "pipe",
    }),
  );
  try {
    // Each says so when it has counted, and waits to be killed.
    for (const child of children) await child.stdout.getReader().read();
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map((child) => child.exited));
  }
  expect(page.sums()[0]).toBe(3 * 100_000);
  const named = page.namedSums();
  expect(named.get("shared")?.[0]).toBe(3 * 1_000);
  expect([...named.values()].reduce((total, sums) => total + (sums[0] ?? 0), 0)).toBe(3 * 2_000);
});
