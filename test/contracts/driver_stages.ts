// Stages: who holds one, across openings and processes, what becomes of its bytes, and a model of random use.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { digestOf, type Algorithm } from "../../src/oci/digest.ts";
import { StageTooLarge, type Stage } from "../../src/storage/driver.ts";
import type { OpenDriver, OpenEmptyDriver } from "./driver_samples.ts";
import { bytesSource, held, sample, staged, unlimited } from "./driver_samples.ts";
import { reasonOf } from "../reason_of.ts";

export function testStages(open: OpenEmptyDriver): void {
  test("a stage that was never made, or was discarded, is absent", async () => {
    await using opened = await open();
    const { driver } = opened;
    expect(await driver.openStage("one")).toBeNull();
    expect(await driver.statStage("one")).toBeNull();
    await staged(driver, "one", sample(10));
    const stage = await held(driver, "one");
    await stage.discard();
    await stage.close();
    expect(await driver.openStage("one")).toBeNull();
    expect(await driver.statStage("one")).toBeNull();
    expect(await Array.fromAsync(driver.stages())).toEqual([]);
  });

  test("an id is given once", async () => {
    await using opened = await open();
    await staged(opened.driver, "one", sample(10));
    expect(await reasonOf(opened.driver.createStage("one"))).toBeInstanceOf(Error);
    expect((await opened.driver.statStage("one"))?.sizeBytes).toBe(10);
    await discard(opened, "one");
  });

  test("what is held is told, by every opening", async () => {
    await using opened = await open();
    const before = Date.now();
    await staged(opened.driver, "one", sample(10));
    await opened.driver.createStage("two");
    for (const driver of [opened.driver, opened.another()]) {
      const info = await driver.statStage("one");
      expect(info).toMatchObject({ id: "one", sizeBytes: 10 });
      // File systems keep time in ticks of a few milliseconds.
      expect(info!.changedAt).toBeGreaterThanOrEqual(before - 50);
      expect(info!.changedAt).toBeLessThanOrEqual(Date.now() + 50);
      const listed = await Array.fromAsync(driver.stages());
      expect(listed.map(({ id, sizeBytes }) => `${id} ${sizeBytes}`).toSorted()).toEqual([
        "one 10",
        "two 0",
      ]);
    }
    for (const id of ["one", "two"]) await discard(opened, id);
  });

  test("one holder at a time, whichever opening asks; a new one after it closes", async () => {
    await using opened = await open();
    const drivers = [opened.driver, opened.another()];
    await staged(opened.driver, "one", sample(10));
    for (const holder of drivers) {
      const stage = await held(holder, "one");
      for (const driver of drivers) expect(await driver.openStage("one")).toBe("busy");
      expect((await opened.driver.statStage("one"))?.sizeBytes).toBe(10);
      await stage.close();
    }
    await discard(opened, "one");
  });

  test("one holder at a time across processes; one that is killed lets go", async () => {
    await using opened = await open();
    await staged(opened.driver, "one", sample(10));
    const first = await opened.holdElsewhere("one");
    expect(await opened.driver.openStage("one")).toBe("busy");
    await first.release();
    const second = await opened.holdElsewhere("one");
    expect(await opened.driver.openStage("one")).toBe("busy");
    await second.kill();
    await discard(opened, "one");
  });

  test("of many who open at once, one holds; after a discard nobody does", async () => {
    await using opened = await open();
    const drivers = [opened.driver, opened.another()];
    await staged(opened.driver, "one", sample(10));
    const openings = await Promise.all(
      Array.from({ length: 20 }, (_, index) => drivers[index % 2]!.openStage("one")),
    );
    const holders = openings.filter((stage): stage is Stage => stage !== null && stage !== "busy");
    expect(holders).toHaveLength(1);
    const racing = Promise.all(Array.from({ length: 20 }, () => opened.driver.openStage("one")));
    await holders[0]!.discard();
    await holders[0]!.close();
    for (const stage of await racing) expect(stage === null || stage === "busy").toBe(true);
    expect(await opened.driver.openStage("one")).toBeNull();
  });

  const limits = [
    { held: 0, adds: 10, max: 10, fits: true },
    { held: 0, adds: 11, max: 10, fits: false },
    { held: 6, adds: 4, max: 10, fits: true },
    { held: 6, adds: 5, max: 10, fits: false },
    { held: 10, adds: 0, max: 10, fits: true },
    { held: 0, adds: 0, max: 0, fits: true },
    { held: 0, adds: 1, max: 0, fits: false },
  ];
  for (const { held: first, adds, max, fits } of limits) {
    test(`a stage of ${first} bytes that may have ${max} ${fits ? "takes" : "refuses"} ${adds} more`, async () => {
      await using opened = await open();
      await staged(opened.driver, "one", sample(first));
      const stage = await held(opened.driver, "one");
      const append = stage.append(bytesSource(sample(adds)), { ...unlimited, stageBytesMax: max });
      if (fits) expect(await append).toEqual({ appendedBytes: adds, brokenOff: false });
      else expect(await reasonOf(append)).toBeInstanceOf(StageTooLarge);
      expect(stage.sizeBytes).toBe(fits ? first + adds : first);
      await stage.discard();
      await stage.close();
    });
  }

  const algorithms: readonly Algorithm[] = ["sha256", "sha512"];
  for (const algorithm of algorithms) {
    test(`${algorithm} of an empty stage, after several appends, and again, here and elsewhere`, async () => {
      await using opened = await open();
      const { driver } = opened;
      await driver.createStage("one");
      let all = new Uint8Array();
      for (const length of [0, 1, 70_000, 3]) {
        const stage = await held(driver, "one");
        const part = sample(length, length);
        await stage.append(bytesSource(part), unlimited);
        all = new Uint8Array(Buffer.concat([all, part]));
        expect(await stage.digest(algorithm)).toBe(digestOf(algorithm, all));
        expect(await stage.digest(algorithm)).toBe(digestOf(algorithm, all));
        await stage.close();
      }
      const elsewhere = await held(opened.another(), "one");
      expect(await elsewhere.digest(algorithm)).toBe(digestOf(algorithm, all));
      await elsewhere.close();
      expect(await opened.digestElsewhere("one", algorithm)).toBe(digestOf(algorithm, all));
      await discard(opened, "one");
    });
  }

  test("random appends, truncations, digests and hand-overs: the stage is what a model of it is", async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ append: fc.integer({ min: 0, max: 40_000 }) }) },
      { weight: 1, arbitrary: fc.constant({ append: 400_000 }) },
      { weight: 2, arbitrary: fc.constant({ undo: true }) },
      {
        weight: 2,
        arbitrary: fc.record({ digest: fc.constantFrom<Algorithm>("sha256", "sha512") }),
      },
      { weight: 2, arbitrary: fc.record({ reopen: fc.integer({ min: 0, max: 1 }) }) },
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      await using opened = await open();
      const drivers = [opened.driver, opened.another()];
      await opened.driver.createStage("one");
      let stage = await held(opened.driver, "one");
      let model = Buffer.alloc(0);
      let undo = 0; // The size before the last append: what may be gone back to.
      for (const [index, step] of steps.entries()) {
        if ("append" in step) {
          undo = model.length;
          const bytes = sample(step.append, index + 1);
          const asRequest = index % 2 === 0;
          const body = asRequest ? new Request("http://x/", { method: "PUT", body: bytes }) : bytes;
          const appended = await stage.append({ body, lengthBytes: bytes.length }, unlimited);
          expect(appended).toEqual({ appendedBytes: bytes.length, brokenOff: false });
          model = Buffer.concat([model, bytes]);
        } else if ("undo" in step) {
          await stage.truncate(undo);
          model = model.subarray(0, undo);
        } else if ("digest" in step) {
          expect(await stage.digest(step.digest)).toBe(digestOf(step.digest, model));
        } else {
          await stage.close();
          stage = await held(drivers[step.reopen]!, "one");
          undo = model.length;
        }
        expect(stage.sizeBytes).toBe(model.length);
      }
      expect(await stage.digest("sha256")).toBe(digestOf("sha256", model));
      await stage.publish("content");
      expect(await opened.driver.read("content", 10_000_000)).toEqual(new Uint8Array(model));
      await stage.discard();
      await stage.close();
    });
    await fc.assert(property, { numRuns: 20 });
  });
}

async function discard(opened: OpenDriver, id: string): Promise<void> {
  await using stage = await held(opened.driver, id);
  await stage.discard();
}
