// A store that is down, says 503, refuses the keys, loses an object or cuts a body: one clear answer, nothing lost, and
// all goes on when it is there again.

import { describe, expect, test } from "bun:test";
import { sample } from "../contracts/store_samples.ts";
import { eventually } from "../processes.ts";
import type { Fault } from "./fake_s3.ts";
import { pushed, sha256, startObjectRegistry } from "./object_registry.ts";

const bytes = sample(300_000);
const other = sample(290_000, 2);
const path = (of: Uint8Array): string => `/v2/team/app/blobs/${sha256(of)}`;

const outages: Readonly<Record<string, Fault>> = {
  "says 503": { status: 503, code: "SlowDown" },
  "fails with 500": { status: 500, code: "InternalError" },
  "closes connections": { reset: true },
  "refuses the keys": { status: 403, code: "AccessDenied" },
  "has lost its bucket": { status: 404, code: "NoSuchBucket" },
  "is full": { status: 507, code: "InsufficientStorage" },
};

describe("while the store", () => {
  for (const [says, fault] of Object.entries(outages)) {
    test.concurrent(`${says}: 503 with Retry-After and no word of the store; then all goes on, the upload included`, async () => {
      await using registry = await startObjectRegistry();
      const { world, fake } = registry;
      expect((await pushed(world, "team/app", bytes)).answer.status).toBe(201);
      fake.fault = () => fault;
      const { location, answer } = await pushed(world, "team/app", other);
      const pull = await world.send("GET", path(bytes));
      for (const refused of [answer, pull]) {
        expect(refused.status).toBe(503);
        expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
        const text = Buffer.from(refused.body).toString();
        expect(text).toContain("UNAVAILABLE");
        expect(text).not.toContain("127.0.0.1");
        expect(text).not.toContain("bucket");
      }
      // The log tells the operator which store, and what it said.
      const logged = JSON.stringify(world.records.filter(({ status }) => status === 503));
      expect(logged).toContain("bucket");
      // What is known needs no store.
      expect((await world.send("HEAD", path(bytes))).status).toBe(200);
      await eventually("it is not ready", () =>
        world.lines.some(({ msg }) => String(msg).endsWith("not ready")),
      );
      fake.fault = () => null;
      await eventually("it is ready again", () =>
        world.lines.some(({ msg }) => String(msg).endsWith("written again")),
      );
      const again = await world.send("PUT", `${location}?digest=${sha256(other)}`, {
        body: other,
      });
      expect(again.status).toBe(201);
      for (const each of [bytes, other]) {
        expect(new Uint8Array((await world.send("GET", path(each))).body)).toEqual(each);
      }
    });
  }
});

test.each([
  ["large", bytes],
  ["small", bytes.slice(0, 1_000)],
])("an object that is gone (%s) is 500 and told; a push of it repairs it", async (_name, bytes) => {
  await using registry = await startObjectRegistry();
  const { world, fake } = registry;
  await pushed(world, "team/app", bytes);
  for (const key of fake.objects.keys()) {
    if (key !== "registry.json") fake.objects.delete(key);
  }
  const answer = await world.send("GET", path(bytes));
  expect(answer.status).toBe(500);
  expect(Buffer.from(answer.body).toString()).toContain("a push of it repairs it");
  // So that clients, which ask before they push, send it.
  expect((await world.send("HEAD", path(bytes))).status).toBe(404);
  expect(world.lines.find(({ msg }) => String(msg).startsWith("content is damaged"))).toMatchObject(
    { digest: sha256(bytes) },
  );
  expect((await pushed(world, "team/app", bytes)).answer.status).toBe(201);
  expect(new Uint8Array((await world.send("GET", path(bytes))).body)).toEqual(bytes);
  expect((await world.send("HEAD", path(bytes))).status).toBe(200);
});

test("a body that the store cuts reaches the client whole, or breaks off: it is never short and good", async () => {
  await using registry = await startObjectRegistry();
  const { world, fake } = registry;
  await pushed(world, "team/app", bytes);
  let cuts = 0;
  fake.fault = ({ operation }) => {
    if (operation !== "get") return null;
    cuts += 1;
    return cuts === 1 ? { cut: 100_000 } : null;
  };
  expect(new Uint8Array((await world.send("GET", path(bytes))).body)).toEqual(bytes);
  fake.fault = ({ operation }) => (operation === "get" ? { cut: 0 } : null);
  const broken = await world.send("GET", path(bytes)).then(
    ({ status, body }) => ({ status, length: body.length }),
    () => "broken off",
  );
  if (broken !== "broken off") expect(broken).toMatchObject({ status: 503 });
  const told = world.lines.find(({ msg }) => msg === "content broke off while it was sent");
  expect(told).toMatchObject({ digest: sha256(bytes), level: 50 });
  expect(told?.["problem"]).toContain("broke off after 0 of 300000 bytes");
});
