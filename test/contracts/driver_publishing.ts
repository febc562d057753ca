// Publishing: staged bytes become content, whatever stood under the key, and never change again.

import { expect, test } from "bun:test";
import type { OpenEmptyDriver } from "./driver_samples.ts";
import { bytesSource, held, sample, staged, unlimited } from "./driver_samples.ts";
import { StagePublished } from "../../src/storage/driver.ts";
import { reasonOf } from "../reason_of.ts";

const key = "team/app/blobs/sha256/one";
const bytes = sample(100_000);

export function testPublishing(open: OpenEmptyDriver): void {
  test("staged bytes are content only once they are published", async () => {
    await using opened = await open();
    const { driver } = opened;
    await staged(driver, "one", bytes);
    expect(await driver.stat(key)).toBeNull();
    await using stage = await held(driver, "one");
    await stage.publish(key);
    expect(await driver.read(key, bytes.length)).toEqual(bytes);
    expect(stage.sizeBytes).toBe(bytes.length);
    await stage.discard();
    expect(await driver.read(key, bytes.length)).toEqual(bytes);
  });

  test("publishing again, under the same key and under another, is the same", async () => {
    await using opened = await open();
    const { driver } = opened;
    await staged(driver, "one", bytes);
    await using stage = await held(driver, "one");
    await stage.publish(key);
    await stage.publish(key);
    await driver.remove(key);
    await stage.publish(key);
    await stage.publish(`${key}-other`);
    for (const at of [key, `${key}-other`]) {
      expect(await driver.read(at, bytes.length)).toEqual(bytes);
    }
    await stage.discard();
  });

  const others = {
    "damaged content of the same size": sample(bytes.length, 2),
    "shorter content": bytes.slice(0, 10),
    "longer content": sample(bytes.length + 1),
    "an empty file": new Uint8Array(),
    "the same content": bytes,
  };
  for (const [says, stood] of Object.entries(others)) {
    test(`takes the place of ${says}, which nobody finds absent in between`, async () => {
      await using opened = await open();
      const { driver } = opened;
      await driver.replace(key, stood);
      await staged(driver, "one", bytes);
      await using stage = await held(driver, "one");
      const progress = { publishing: true };
      const published = stage.publish(key).then(() => {
        progress.publishing = false;
      });
      while (progress.publishing) {
        expect(driver.sizeNow(key)).not.toBeNull();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await published;
      expect(await driver.read(key, bytes.length)).toEqual(bytes);
      await stage.discard();
    });
  }

  test("many stages with the same bytes, published at once under one key", async () => {
    await using opened = await open();
    const drivers = [opened.driver, opened.another()];
    const ids = Array.from({ length: 12 }, (_, index) => `stage-${index}`);
    await Promise.all(
      ids.map(async (id, index) => {
        const driver = drivers[index % 2]!;
        await staged(driver, id, bytes);
        await using stage = await held(driver, id);
        await stage.publish(key);
        expect(await driver.read(key, bytes.length)).toEqual(bytes);
        await stage.discard();
      }),
    );
    expect(await opened.driver.read(key, bytes.length)).toEqual(bytes);
    expect(await Array.fromAsync(opened.driver.stages())).toEqual([]);
  });

  test("an empty stage is empty content", async () => {
    await using opened = await open();
    await opened.driver.createStage("one");
    await using stage = await held(opened.driver, "one");
    await stage.publish(key);
    expect(await opened.driver.stat(key)).toMatchObject({ sizeBytes: 0 });
    await stage.discard();
  });

  test("published content cannot be changed through its stage, not even after a hand-over", async () => {
    await using opened = await open();
    const { driver } = opened;
    await staged(driver, "one", bytes);
    const more = () => bytesSource(sample(10));
    const first = await held(driver, "one");
    await first.publish(key);
    expect(await reasonOf(first.append(more(), unlimited))).toBeInstanceOf(StagePublished);
    await first.close();
    // The process ended here, say: the stage was neither discarded nor known to be published.
    for (const opening of [driver, opened.another()]) {
      await using stage = await held(opening, "one");
      expect(await reasonOf(stage.append(more(), unlimited))).toBeInstanceOf(StagePublished);
      expect(stage.sizeBytes).toBe(bytes.length);
      expect(await driver.read(key, bytes.length)).toEqual(bytes);
      // Nothing more to take is no change, and lets the upload be finished.
      const none = await stage.append(bytesSource(new Uint8Array()), unlimited);
      expect(none).toEqual({ appendedBytes: 0, brokenOff: false });
      await stage.publish(key);
    }
    await using stage = await held(driver, "one");
    await stage.discard();
    expect(await driver.read(key, bytes.length)).toEqual(bytes);
  });
}
