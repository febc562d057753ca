// The driver of S3 passes the contract of stores of objects, against our fake and against versitygw.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/lib/clock.ts";
import { ObjectStoreRefused } from "../../src/storage/objects/object_store.ts";
import { objectStoreContract } from "../contracts/object_store.ts";
import { sample } from "../contracts/store_samples.ts";
import { reasonOf } from "../reason_of.ts";
import { FakeS3 } from "./fake_s3.ts";
import { openS3Store } from "./open_store.ts";
import { type Gateway, hasVersitygw, startVersitygw } from "./versitygw.ts";

objectStoreContract("s3, our fake", async () => {
  const fake = await FakeS3.start();
  const { store } = openS3Store({ regionendpoint: fake.url });
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      await fake[Symbol.asyncDispose]();
    },
  };
});

describe.skipIf(!hasVersitygw())("versitygw", () => {
  let gateway: Gateway;
  let serial = 0;
  beforeAll(async () => {
    gateway = await startVersitygw();
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  const valuesOf = (given = {}) => ({
    regionendpoint: gateway.url,
    bucket: gateway.bucket,
    accesskey: gateway.accessKey,
    secretkey: gateway.secretKey,
    rootdirectory: `/zot-tests/${serial}/`,
    ...given,
  });

  objectStoreContract("s3", async () => {
    serial += 1;
    const { store } = openS3Store(valuesOf());
    return { store, [Symbol.asyncDispose]: () => store.close() };
  });

  for (const minutes of [20, -20]) {
    test(`a clock that is ${minutes} minutes off`, async () => {
      const clock = { ...systemClock, now: () => Date.now() + minutes * 60_000 };
      const { store, reported } = openS3Store(valuesOf(), { clock });
      await store.put("skewed", sample(100));
      expect(reported.length).toBe(1);
      const url = await store.sign("skewed", { seconds: 60, contentType: "text/plain" });
      expect((await fetch(url ?? "")).status).toBe(200);
    });
  }

  test("wrong keys, and a bucket that is not there, are said in one line", async () => {
    for (const [given, says] of [
      [
        { accesskey: "nobody" },
        "403 (InvalidAccessKeyId): expected an access key that the store knows",
      ],
      [
        { secretkey: "wrong" },
        "403 (SignatureDoesNotMatch): expected the secret key of this access key",
      ],
      [{ bucket: "none" }, "404 (NoSuchBucket): expected a bucket that is there"],
    ] as const) {
      const error = await reasonOf(openS3Store(valuesOf(given)).store.probe());
      expect(error).toBeInstanceOf(ObjectStoreRefused);
      expect(String(error)).toContain(says);
    }
  });

  test("a body that was damaged on its way is refused by its hash", async () => {
    const bytes = sample(1000);
    const { store } = openS3Store(valuesOf());
    const put = store.put("damaged", bytes);
    // It is hashed at once, and sent later.
    bytes.fill(0);
    expect(await reasonOf(put)).toBeInstanceOf(ObjectStoreRefused);
    expect(await store.size("damaged")).toBeNull();
  });
});
