// Publishing: staged bytes become content, whatever stood under the key, and never change again.

import { expect, test } from "bun:test";
import type { OpenEmptyDriver } from "./driver_samples.ts";
import { bytesSource, held, sample, staged, unlimited } from "./driver_samples.ts";
import { StagePublished, type ByteSource } from "../../src/storage/driver.ts";
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

  const standing = {
    "damaged content of the same size": sample(bytes.length, 2),
    "shorter content": bytes.slice(0, 10),
    "longer content": sample(bytes.length + 1),
    "an empty file": new Uint8Array(),
    "the same content": bytes,
  };
  for (const [says, stood] of Object.entries(standing)) {
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

  for (const length of [0, 1000, 300_000, 1_000_001]) {
    test(`a stage of ${length} bytes tells equal content from any other`, async () => {
      await using opened = await open();
      const { driver } = opened;
      const whole = sample(length);
      const changed = sample(length);
      const last = length - 1;
      changed[last] = (changed[last] ?? 0) ^ 1;
      await staged(driver, "one", whole);
      await driver.replace("longer", new Uint8Array(Buffer.concat([whole, sample(1)])));
      await driver.replace("equal", whole);
      if (length > 0) {
        await driver.replace("shorter", whole.slice(0, -1));
        await driver.replace("changed", changed);
      }
      for (const opening of [driver, opened.another()]) {
        await using stage = await held(opening, "one");
        const found = async (at: string) => [at, await stage.compare(at)];
        expect(await found("equal")).toEqual(["equal", "equal"]);
        expect(await found("absent")).toEqual(["absent", "absent"]);
        expect(await found("longer")).toEqual(["longer", "different"]);
        for (const at of length > 0 ? ["shorter", "changed"] : []) {
          expect(await found(at)).toEqual([at, "different"]);
        }
      }
      await using stage = await held(driver, "one");
      await stage.discard();
    });
  }

  const request = (body: Uint8Array<ArrayBuffer>, lengthBytes: number | null) => ({
    body: new Request("http://x/", { method: "PUT", body }),
    lengthBytes,
  });
  const tail = bytes.slice(-700);
  const repeats = {
    "all of its bytes again": { source: () => bytesSource(bytes), bytes: bytes.length },
    "its last bytes again": { source: () => bytesSource(tail), bytes: tail.length },
    "a request with all of them": {
      source: () => request(bytes, bytes.length),
      bytes: bytes.length,
    },
    "a request with the last ones": { source: () => request(tail, tail.length), bytes: 700 },
    "a request with all of them and no length": {
      source: () => request(bytes, null),
      bytes: bytes.length,
    },
  };
  for (const [says, repeat] of Object.entries(repeats)) {
    test(`published content takes note of ${says}, and stays what it is`, async () => {
      await using opened = await open();
      const { driver } = opened;
      await staged(driver, "one", bytes);
      await using stage = await held(driver, "one");
      await stage.publish(key);
      expect(stage.published).toBe(true);
      for (let round = 0; round < 2; round += 1) {
        const appended = await stage.append(repeat.source(), unlimited);
        expect(appended).toEqual({ appendedBytes: repeat.bytes, brokenOff: false });
        expect(stage.sizeBytes).toBe(bytes.length);
      }
      await stage.discard();
      expect(await driver.read(key, bytes.length)).toEqual(bytes);
    });
  }

  const others: Readonly<Record<string, () => ByteSource>> = {
    "bytes that it does not end with": () => bytesSource(sample(700, 3)),
    "more bytes than it has": () => bytesSource(sample(bytes.length + 1)),
    "a request with other bytes": () => request(sample(700, 3), 700),
    "a request of no length that ends early": () => request(bytes.slice(0, 500), null),
    "a request of no length with its last bytes": () => request(tail, null),
  };
  for (const [says, source] of Object.entries(others)) {
    test(`published content refuses ${says}`, async () => {
      await using opened = await open();
      const { driver } = opened;
      await staged(driver, "one", bytes);
      await using stage = await held(driver, "one");
      await stage.publish(key);
      expect(await reasonOf(stage.append(source(), unlimited))).toBeInstanceOf(StagePublished);
      expect(await driver.read(key, bytes.length)).toEqual(bytes);
      await stage.discard();
    });
  }

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
