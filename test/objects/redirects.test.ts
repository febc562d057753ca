// Pulls of large blobs lead to the store of objects: which requests do, which never do, and that nothing but the store
// is asked for the bytes.

import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { sample } from "../contracts/store_samples.ts";
import { startWorld, type World } from "../http/world.ts";
import { FakeS3 } from "./fake_s3.ts";

const large = sample(300_000);
const small = sample(60_000);
const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const path = (bytes: Uint8Array): string => `/v2/team/app/blobs/${digestOf(bytes)}`;

async function openWorld(
  more: object = {},
): Promise<{ fake: FakeS3; world: World } & AsyncDisposable> {
  const fake = await FakeS3.start();
  const storageDriver = {
    name: "s3",
    bucket: "bucket",
    regionendpoint: fake.url,
    secure: false,
    accesskey: "fake",
    secretkey: "x",
  };
  const world = await startWorld({ storage: { storageDriver, ...more } });
  for (const bytes of [large, small]) {
    const pushed = await world.send(
      "POST",
      `/v2/team/app/blobs/uploads/?digest=${digestOf(bytes)}`,
      { body: bytes },
    );
    expect(pushed.status).toBe(201);
  }
  fake.asked.length = 0;
  return {
    fake,
    world,
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await fake[Symbol.asyncDispose]();
    },
  };
}

test("GET of a large blob is 307 to an address that needs no login, and asks nothing of the store", async () => {
  await using opened = await openWorld({ redirectBlobURL: true });
  const { world, fake } = opened;
  const answer = await world.send("GET", path(large));
  expect(answer.status).toBe(307);
  expect(answer.headers.get("docker-content-digest")).toBe(digestOf(large));
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(fake.count("get") + fake.count("head")).toBe(0);
  const location = answer.headers.get("location") ?? "";
  expect(new URL(location).searchParams.get("X-Amz-Expires")).toBe("1200");
  const range = { Range: "bytes=100-199" };
  const ranged = await world.send("GET", path(large), { headers: range });
  expect(ranged.status).toBe(307);
  const part = await fetch(ranged.headers.get("location") ?? "", { headers: range });
  expect(part.status).toBe(206);
  expect(new Uint8Array(await part.arrayBuffer())).toEqual(large.slice(100, 200));
  const whole = await fetch(location);
  expect(new Uint8Array(await whole.arrayBuffer())).toEqual(large);
});

test("several ranges, and requests that say what they have, are answered as before", async () => {
  await using opened = await openWorld({ redirectBlobURL: true });
  const { world } = opened;
  const several = await world.send("GET", path(large), { headers: { Range: "bytes=0-1,5-6" } });
  expect(several.status).toBe(307);
  const known = { "If-None-Match": `"${digestOf(large)}"` };
  expect((await world.send("GET", path(large), { headers: known })).status).toBe(304);
  const beyond = { Range: `bytes=${large.length}-` };
  expect((await world.send("GET", path(large), { headers: beyond })).status).toBe(416);
  expect((await world.send("GET", path(sample(3)))).status).toBe(404);
});

const answeredHere: Readonly<Record<string, readonly [string, string, object?]>> = {
  "HEAD of a large blob": ["HEAD", path(large)],
  "GET of a small one": ["GET", path(small)],
  "GET that asks for the bytes": ["GET", `${path(large)}?redirect=0`],
  "a client that is excepted, in any case": [
    "GET",
    path(large),
    { headers: { "User-Agent": "RegCtl/0.9 (linux)" } },
  ],
};

for (const [says, [method, target, options = {}]] of Object.entries(answeredHere)) {
  test(`answered here: ${says}`, async () => {
    await using opened = await openWorld({ redirectBlobURL: true, redirectExcept: ["regctl/"] });
    expect((await opened.world.send(method, target, options)).status).toBe(200);
  });
}

test("nobody is sent elsewhere unless the configuration says so", async () => {
  await using opened = await openWorld();
  const answer = await opened.world.send("GET", path(large));
  expect(answer.status).toBe(200);
  expect(new Uint8Array(answer.body)).toEqual(large);
});
