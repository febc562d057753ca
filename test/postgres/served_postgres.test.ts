// Servers whose metadata lie in PostgreSQL and whose content lies in a store of objects: a new process, and another
// server with a directory of its own, serve what was pushed.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startZot, type Zot } from "../harness.ts";
import { driverOf, manifestHeaders, manifestOf, sha256 } from "../objects/object_registry.ts";
import { FakeS3 } from "../objects/fake_s3.ts";
import { requirePostgres, startPostgres, type Postgres } from "../postgres.ts";
import { sample } from "../contracts/store_samples.ts";

const config = sample(1_000);
const layer = sample(300_001);
const manifest = manifestOf(config, [layer]);

async function push(zot: Zot, tag: string): Promise<void> {
  for (const bytes of [layer, config]) {
    const url = `${zot.url}/v2/team/app/blobs/uploads/?digest=${sha256(bytes)}`;
    expect((await fetch(url, { method: "POST", body: bytes })).status).toBe(201);
  }
  const put = await fetch(`${zot.url}/v2/team/app/manifests/${tag}`, {
    method: "PUT",
    headers: manifestHeaders,
    body: manifest,
  });
  expect(put.status).toBe(201);
}

async function pull(zot: Zot, tag: string): Promise<void> {
  const found = await fetch(`${zot.url}/v2/team/app/manifests/${tag}`);
  expect([found.status, await found.bytes()]).toEqual([200, manifest]);
  for (const bytes of [layer, config]) {
    const answer = await fetch(`${zot.url}/v2/team/app/blobs/${sha256(bytes)}`);
    expect([answer.status, sha256(await answer.bytes())]).toEqual([200, sha256(bytes)]);
  }
}

describe.skipIf(!requirePostgres())("a server over PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test("what is pushed is pulled through each server of the database, and after a restart", async () => {
    await using fake = await FakeS3.start();
    const metadata = await server.place();
    const storage = { storageDriver: driverOf(fake), metadata, commit: false };
    {
      await using one = await startZot({ config: { storage } });
      await using other = await startZot({ config: { storage } });
      await push(one, "1");
      await pull(other, "1");
      await push(other, "2");
      await pull(one, "2");
      expect([one.stderr(), other.stderr()]).toEqual([[], []]);
    }
    await using again = await startZot({ config: { storage } });
    await pull(again, "1");
    await pull(again, "2");
  });

  test("servers that start at once on an empty database and bucket agree on whose the bucket is", async () => {
    await using fake = await FakeS3.start();
    const storage = {
      storageDriver: driverOf(fake),
      metadata: await server.place(),
      commit: false,
    };
    const started = await Promise.all([1, 2, 3].map(() => startZot({ config: { storage } })));
    const [first] = started;
    if (first !== undefined) await push(first, "1");
    for (const each of started) await pull(each, "1");
    for (const each of started) await each[Symbol.asyncDispose]();
    await using again = await startZot({ config: { storage } });
    await pull(again, "1");
  });
});
