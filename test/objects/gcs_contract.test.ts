// The driver of Google Cloud Storage passes the contract of stores of objects, against fake-gcs-server.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ObjectStoreRefused } from "../../src/storage/objects/object_store.ts";
import { objectStoreContract } from "../contracts/object_store.ts";
import { sample } from "../contracts/store_samples.ts";
import { reasonOf } from "../reason_of.ts";
import { type GcsServer, hasGcsServer, startGcsServer } from "./gcs_server.ts";
import { openStore } from "./open_store.ts";

describe.skipIf(!hasGcsServer())("fake-gcs-server", () => {
  let server: GcsServer;
  let serial = 0;
  beforeAll(async () => {
    server = await startGcsServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const open = (given = {}) => {
    serial += 1;
    return openStore({
      name: "gcs",
      bucket: server.bucket,
      endpoint: server.url,
      secure: false,
      credentialsFile: server.keyFile,
      rootdirectory: `/zot-tests/${serial}`,
      ...given,
    });
  };

  objectStoreContract("gcs", async () => {
    const { store } = open();
    return { store, [Symbol.asyncDispose]: () => store.close() };
  });

  test("more parts than one call joins become one object, and no part is left", async () => {
    const { store } = open();
    const parts = await store.startParts("many");
    const bytes = Array.from({ length: 70 }, (_, index) => sample(11, index));
    const stored = [];
    for (const [index, part] of bytes.entries()) {
      stored.push(await store.putPart("many", parts, index + 1, part));
    }
    await store.completeParts("many", parts, stored.toReversed());
    const read = await Array.fromAsync((await store.get("many", null)) ?? []);
    expect(Buffer.concat(read)).toEqual(Buffer.concat(bytes));
    const { objects } = await store.list("", null);
    expect(objects.map(({ key }) => key)).toEqual(["many"]);
  });

  test("a bucket that is not there is said in one line", async () => {
    const error = await reasonOf(open({ bucket: "none-at-all" }).store.probe());
    expect(error).toBeInstanceOf(ObjectStoreRefused);
    expect(String(error)).toContain("expected a bucket that is there");
  });
});
