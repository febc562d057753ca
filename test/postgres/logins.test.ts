// Logins through servers that share a database: a token of one is good at the other, and a key that was revoked at one
// is refused by the other with the next request.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { basic, usersFile } from "../auth/world.ts";
import { startZot, tempDirectory, type Zot } from "../harness.ts";
import { driverOf } from "../objects/object_registry.ts";
import { FakeS3 } from "../objects/fake_s3.ts";
import { requirePostgres, startPostgres, type Postgres } from "../postgres.ts";

describe.skipIf(!requirePostgres())("logins", () => {
  let server: Postgres;
  let fake: FakeS3;
  let directory: Awaited<ReturnType<typeof tempDirectory>>;
  const started: Zot[] = [];
  beforeAll(async () => {
    server = await startPostgres();
    fake = await FakeS3.start();
    directory = await tempDirectory("logins");
    const path = join(directory.path, "users");
    await writeFile(path, await usersFile(["admin", "writerA"]));
    const config = {
      storage: { storageDriver: driverOf(fake), metadata: await server.place(), commit: false },
      http: {
        externalUrl: "https://registry.example.com",
        auth: { htpasswd: { path }, apikey: true },
        // The next request may come to any of them.
        workers: 2,
      },
    };
    // At once: they have to agree on a key.
    started.push(...(await Promise.all([startZot({ config }), startZot({ config })])));
  });
  afterAll(async () => {
    for (const each of started) await each[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });
  const at = (place: number): string => started[place]?.url ?? "";
  const statusOf = async (place: number, authorization: string): Promise<number> =>
    (await fetch(`${at(place)}/v2/`, { headers: { authorization } })).status;

  test("a token is good at every server, before and after a restart", async () => {
    for (const [from, to] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const headers = { authorization: basic("writerA") };
      const answer = await fetch(`${at(from)}/zot/auth/token`, { headers });
      expect(answer.status).toBe(200);
      const { token } = (await answer.json()) as { token: string };
      expect(await statusOf(from, `Bearer ${token}`)).toBe(200);
      expect(await statusOf(to, `Bearer ${token}`)).toBe(200);
    }
  });

  test("a key that was made at one is good at the other, until it is revoked there", async () => {
    for (let round = 0; round < 10; round += 1) {
      const [here, there] = [round % 2, (round + 1) % 2];
      const made = await fetch(`${at(here)}/zot/auth/apikey`, {
        method: "POST",
        headers: { authorization: basic("writerA") },
        body: JSON.stringify({ label: `ci-${round}` }),
      });
      expect(made.status).toBe(201);
      const { apiKey, uuid } = (await made.json()) as { apiKey: string; uuid: string };
      const authorization = basic("writerA", apiKey);
      for (const place of [here, there, here, there]) {
        expect(await statusOf(place, authorization)).toBe(200);
      }
      const revoked = await fetch(`${at(there)}/zot/auth/apikey?id=${uuid}`, {
        method: "DELETE",
        headers: { authorization: basic("writerA") },
      });
      expect(revoked.status).toBe(200);
      for (let asked = 0; asked < 6; asked += 1) {
        expect(await statusOf(asked % 2, authorization)).toBe(401);
      }
    }
  });
});
