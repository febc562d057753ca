// Whose keys the driver of S3 takes, and that it has others in hand before they end, and when they end before their time.

import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { manualClock, systemClock } from "../../src/lib/clock.ts";
import {
  ObjectStoreRefused,
  ObjectStoreUnavailable,
} from "../../src/storage/objects/object_store.ts";
import { sample } from "../contracts/store_samples.ts";
import { reasonOf } from "../reason_of.ts";
import { tempDirectory } from "../temp.ts";
import { FakeS3 } from "./fake_s3.ts";
import { openS3Store } from "./open_store.ts";

const none = { accesskey: "", secretkey: "" };
const nowhere = { HOME: "/nowhere", AWS_EC2_METADATA_DISABLED: "true" };

/** A container's endpoint for keys; what it gives is the test's choice. */
function startEndpoint() {
  const state = { keys: "one", endsAt: 0, isBroken: false, asked: 0 };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch() {
      state.asked += 1;
      if (state.isBroken) return new Response("", { status: 500 });
      return Response.json({
        AccessKeyId: state.keys,
        SecretAccessKey: "secret",
        Token: `token of ${state.keys}`,
        Expiration: new Date(state.endsAt).toISOString(),
      });
    },
  });
  return Object.assign(state, {
    url: `http://127.0.0.1:${server.port}/`,
    [Symbol.asyncDispose]: () => server.stop(true),
  });
}

const usedBy = (fake: FakeS3) =>
  fake.asked.map(({ headers }) => /Credential=(\w+)/.exec(String(headers.authorization))?.[1]);

test("keys that end are fetched again before they do, and once more when they are refused", async () => {
  await using fake = await FakeS3.start();
  await using endpoint = startEndpoint();
  const clock = manualClock(Date.now());
  fake.accessKeys = new Set(["one", "two", "three"]);
  endpoint.endsAt = clock.now() + 60 * 60_000;
  const env = { ...nowhere, AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint.url };
  const { store } = openS3Store({ regionendpoint: fake.url, ...none }, { clock, env });
  await Promise.all([store.size("a"), store.size("b")]);
  expect(endpoint.asked).toBe(1);
  expect(fake.asked[0]?.headers["x-amz-security-token"]).toBe("token of one");
  // The store of the test follows the real clock: the driver follows it, too.
  await clock.advance(56 * 60_000);
  endpoint.keys = "two";
  endpoint.endsAt = clock.now() + 60 * 60_000;
  await store.size("a");
  // Ended before their time: refused once, and then others.
  await clock.advance(60_000);
  fake.accessKeys = new Set(["three"]);
  endpoint.keys = "three";
  await store.put("c", sample(1));
  await store.put("d", sample(1));
  expect(usedBy(fake).filter((each, index, all) => each !== all[index - 1])).toEqual([
    "one",
    "two",
    "three",
  ]);
  expect(endpoint.asked).toBe(3);
});

test("where none can be fetched, the old ones are used to their end, and then it is said", async () => {
  await using fake = await FakeS3.start();
  await using endpoint = startEndpoint();
  const clock = manualClock(Date.now());
  fake.accessKeys = new Set(["one"]);
  endpoint.endsAt = clock.now() + 10 * 60_000;
  const env = { ...nowhere, AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint.url };
  const { store } = openS3Store({ regionendpoint: fake.url, ...none }, { clock, env });
  await store.size("a");
  endpoint.isBroken = true;
  await clock.advance(6 * 60_000);
  await store.size("a");
  await clock.advance(5 * 60_000);
  const error = await reasonOf(store.size("a"));
  expect(error).toBeInstanceOf(ObjectStoreUnavailable);
  expect(String(error)).toContain("needs a login: 127.0.0.1:");
  expect(String(error)).not.toContain("secret");
});

test("keys of the environment, and of a shared file", async () => {
  await using fake = await FakeS3.start();
  await using directory = await tempDirectory();
  fake.accessKeys = new Set(["ENV", "FILE"]);
  const path = join(directory.path, "credentials");
  await writeFile(path, "[default]\naws_access_key_id = FILE\naws_secret_access_key = x\n");
  for (const env of [
    { AWS_ACCESS_KEY_ID: "ENV", AWS_SECRET_ACCESS_KEY: "x" },
    { AWS_SHARED_CREDENTIALS_FILE: path },
  ]) {
    const { store } = openS3Store(
      { regionendpoint: fake.url, ...none },
      { clock: systemClock, env: { ...nowhere, ...env } },
    );
    await store.list("", null);
  }
  expect(usedBy(fake)).toEqual(["ENV", "FILE"]);
});

test("no keys anywhere is said in one line", async () => {
  const { store } = openS3Store({ regionendpoint: "127.0.0.1:9", ...none }, { env: nowhere });
  const error = await reasonOf(store.size("a"));
  expect(error).toBeInstanceOf(ObjectStoreRefused);
  expect(String(error)).toContain("needs a login: AWS: no keys found: expected AWS_ACCESS_KEY_ID");
});
