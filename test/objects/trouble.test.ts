// A whole server over a store that is slow, fails for a moment or inside of a 200, takes other keys from now on, or has
// another clock: what is acknowledged is there, and what clients are told is true.

import { expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { sample } from "../contracts/store_samples.ts";
import { startZot, tempDirectory } from "../harness.ts";
import { eventually } from "../processes.ts";
import { reasonOf } from "../reason_of.ts";
import { type Asked, FakeS3, type Fault } from "./fake_s3.ts";
import { driverOf, pushed, sha256, startObjectRegistry } from "./object_registry.ts";

const path = (of: Uint8Array): string => `/v2/team/app/blobs/${sha256(of)}`;
/** Two parts. */
const large = sample(17_000_000);
const small = sample(300_000, 2);

/** A fault in the first so many requests of an operation from now on. */
function next(fake: FakeS3, operation: Asked["operation"], count: number, fault: Fault): void {
  const before = fake.count(operation);
  fake.fault = (asked) =>
    asked.operation === operation && asked.count <= before + count ? fault : null;
}

test("a slow store: bodies come whole, and keep nobody else waiting", async () => {
  await using registry = await startObjectRegistry();
  const { world, fake } = registry;
  const slow = sample(300_001, 3);
  for (const bytes of [slow, small]) await pushed(world, "team/app", bytes);
  const [key] = [...fake.objects].find(([, { bytes }]) => bytes.length === slow.length) ?? [];
  // The tail of it at 10 kB/s.
  fake.fault = (asked) => {
    if (asked.key === key && asked.operation === "get") return { slow: 10_000 };
    return asked.operation === "put" ? { late: 1_000 } : null;
  };
  const headers = { Range: "bytes=280000-" };
  const late = fetch(`${world.url}${path(slow)}`, { headers }).then(async (answer) => ({
    status: answer.status,
    bytes: await answer.bytes(),
    endedMs: performance.now(),
  }));
  const other = await world.send("GET", path(small));
  expect(new Uint8Array(other.body)).toEqual(small);
  const otherMs = performance.now();
  expect((await pushed(world, "team/app", sample(1_000, 9))).answer.status).toBe(201);
  const { status, bytes, endedMs } = await late;
  expect([status, bytes]).toEqual([206, slow.slice(280_000)]);
  expect(endedMs).toBeGreaterThan(otherMs);
});

test("503 for a moment is waited out: the push and the pull that met it succeed", async () => {
  await using registry = await startObjectRegistry();
  const { world, fake } = registry;
  for (const [operation, work] of [
    ["put", async () => (await pushed(world, "team/app", small)).answer.status],
    ["get", async () => (await world.send("GET", path(small))).status],
  ] as const) {
    const before = fake.count(operation);
    next(fake, operation, 2, { status: 503, code: "SlowDown" });
    expect(await work()).toBe(operation === "put" ? 201 : 200);
    expect(fake.count(operation) - before).toBe(3);
  }
});

test("an error inside of a 200 at the end of the parts is one: it is tried again, or nothing is acknowledged", async () => {
  await using registry = await startObjectRegistry();
  const { world, fake } = registry;
  next(fake, "complete", 9, { status: 200, code: "InternalError" });
  const { location, answer } = await pushed(world, "team/app", large);
  expect([answer.status, Number(answer.headers.get("retry-after")) > 0]).toEqual([503, true]);
  expect((await world.send("HEAD", path(large))).status).toBe(404);
  next(fake, "complete", 1, { status: 200, code: "InternalError" });
  const again = await world.send("PUT", `${location}?digest=${sha256(large)}`, { body: large });
  expect(again.status).toBe(201);
  const pulled = await fetch(`${world.url}${path(large)}`);
  expect([pulled.status, sha256(await pulled.bytes())]).toEqual([200, sha256(large)]);
});

for (const minutes of [10, -10, 20, -20]) {
  test(`a store whose clock is ${minutes} minutes off: pushed, pulled, and by signed addresses`, async () => {
    await using registry = await startObjectRegistry({ redirectBlobURL: true });
    const { world, fake } = registry;
    fake.aheadMs = minutes * 60_000;
    expect((await pushed(world, "team/app", small)).answer.status).toBe(201);
    const answer = await fetch(`${world.url}${path(small)}`, { redirect: "manual" });
    expect(answer.status).toBe(307);
    const direct = await fetch(answer.headers.get("location") ?? "");
    expect([direct.status, await direct.bytes()]).toEqual([200, small]);
    const told = () =>
      world.lines.filter(({ msg }) => String(msg).includes("the clock here is")).length;
    await eventually("it is told, once", () => told() > 0);
    expect(told()).toBe(1);
  });
}

test("keys that end are fetched anew before they do, and no push notices", async () => {
  await using fake = await FakeS3.start();
  fake.accessKeys = new Set(["first", "later"]);
  let asked = 0;
  using endpoint = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => {
      asked += 1;
      // Others are fetched five minutes before the end.
      const lastsMs = asked === 1 ? 301_000 : 3_600_000;
      return Response.json({
        AccessKeyId: asked === 1 ? "first" : "later",
        SecretAccessKey: "secret",
        Token: "token",
        Expiration: new Date(Date.now() + lastsMs).toISOString(),
      });
    },
  });
  const storageDriver = driverOf(fake, { accesskey: "", secretkey: "" });
  await using zot = await startZot({
    config: { storage: { storageDriver }, http: { workers: 1 } },
    env: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${endpoint.port}/`,
      AWS_EC2_METADATA_DISABLED: "true",
    },
  });
  const push = async (serial: number): Promise<number> => {
    const bytes = sample(1_000, serial);
    const target = `${zot.url}/v2/team/app/blobs/uploads/?digest=${sha256(bytes)}`;
    return (await fetch(target, { method: "POST", body: Buffer.from(bytes) })).status;
  };
  let serial = 0;
  const keysOfPuts = (): unknown[] =>
    fake.asked
      .filter(({ operation, key }) => operation === "put" && key.startsWith("objects/"))
      .map(({ headers }) => /Credential=(\w+)/.exec(String(headers.authorization))?.[1]);
  await eventually("a push is signed with the later ones", async () => {
    serial += 1;
    expect(await push(serial)).toBe(201);
    return keysOfPuts().at(-1) === "later";
  });
  fake.accessKeys = new Set(["later"]);
  expect(await push(serial + 1)).toBe(201);
});

test("a second registry on a bucket is refused while the first one serves, and harms nothing", async () => {
  await using registry = await startObjectRegistry();
  const { world, fake } = registry;
  await pushed(world, "team/app", small);
  await using directory = await tempDirectory("zot-second");
  const rootDirectory = join(directory.path, "root");
  await mkdir(rootDirectory);
  const before = [...fake.objects.keys()].toSorted();
  const reason = await reasonOf(
    startZot({ rootDirectory, config: { storage: { storageDriver: driverOf(fake) } } }).then(
      (zot) => zot[Symbol.asyncDispose](),
    ),
  );
  expect(String(reason)).toContain(
    "storage.storageDriver: expected the metadata of the registry in the bucket",
  );
  expect([...fake.objects.keys()].toSorted()).toEqual(before);
  expect(new Uint8Array((await world.send("GET", path(small))).body)).toEqual(small);
});
