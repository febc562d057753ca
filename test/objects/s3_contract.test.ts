// The driver of S3 passes the contract of stores of objects, against our fake and against versitygw.

import { afterAll, beforeAll, describe } from "bun:test";
import { objectStoreContract } from "../contracts/object_store.ts";
import { FakeS3 } from "./fake_s3.ts";
import { openS3Store } from "./open_s3_store.ts";
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

  objectStoreContract("s3", async () => {
    serial += 1;
    const { store } = openS3Store({
      regionendpoint: gateway.url,
      bucket: gateway.bucket,
      accesskey: gateway.accessKey,
      secretkey: gateway.secretKey,
      rootdirectory: `/zot tests/${serial}/`.replace(" ", "-"),
    });
    return { store, [Symbol.asyncDispose]: () => store.close() };
  });
});
