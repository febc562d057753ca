// A database that is down, silent, read-only or cut in mid-commit, under servers that work: 503 with Retry-After, not
// ready, and all goes on within two seconds of its return. Nothing that was acknowledged is lost.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually, startZot, type Zot } from "../harness.ts";
import { sample } from "../contracts/store_samples.ts";
import { driverOf, manifestHeaders, manifestOf, sha256 } from "../objects/object_registry.ts";
import { FakeS3 } from "../objects/fake_s3.ts";
import { requirePostgres, startPostgres, type Postgres } from "../postgres.ts";

const config = sample(1_000);
const layer = sample(50_001);
/** On a disk in memory, which a killed server leaves as it is. */
const durable = { fsync: "on", full_page_writes: "on", synchronous_commit: "on" };
const manifest = manifestOf(config, [layer]);

describe.skipIf(!requirePostgres())("while the database", () => {
  let database: Postgres;
  let fake: FakeS3;
  let zot: Zot;
  beforeAll(async () => {
    database = await startPostgres(durable);
    fake = await FakeS3.start();
    const metadata = await database.place();
    zot = await startZot({
      config: {
        storage: { storageDriver: driverOf(fake), metadata },
        http: { workers: 2 },
      },
    });
    for (const bytes of [layer, config]) expect((await pushBlob(bytes)).status).toBe(201);
    expect((await pushTag("first")).status).toBe(201);
  });
  afterAll(async () => {
    await zot[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  const at = (path: string): string => `${zot.url}${path}`;
  const pushBlob = (bytes: Uint8Array) =>
    fetch(at(`/v2/team/app/blobs/uploads/?digest=${sha256(bytes)}`), {
      method: "POST",
      body: bytes,
    });
  const pushTag = (tag: string) =>
    fetch(at(`/v2/team/app/manifests/${tag}`), {
      method: "PUT",
      headers: manifestHeaders,
      body: manifest,
    });
  const pull = (tag: string) => fetch(at(`/v2/team/app/manifests/${tag}`));
  const readiness = async () => (await fetch(at("/readyz"))).status;

  /** What must hold while it is away, and once it is back. */
  async function outage(given: {
    readonly begin: () => Promise<void>;
    readonly end: () => Promise<void>;
    /** Connections that are open read on. */
    readonly mayRead?: boolean;
  }): Promise<void> {
    await given.begin();
    try {
      const [pushed, pulled] = await Promise.all([pushTag("while"), pull("first")]);
      const refused = pulled.status === 200 && given.mayRead === true ? [pushed] : [pushed, pulled];
      for (const answer of refused) {
        expect(answer.status).toBe(503);
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
        const text = await answer.text();
        expect(text).toContain("UNAVAILABLE");
        expect(text).not.toMatch(/postgres|database|zot-/i);
      }
      await eventually("it is not ready", async () => (await readiness()) === 503);
    } finally {
      await given.end();
    }
    const backMs = performance.now();
    await eventually("it takes pushes again", async () => (await pushTag("after")).status === 201);
    await eventually("it is pulled again", async () => (await pull("after")).status === 200);
    expect(performance.now() - backMs).toBeLessThan(2_000 + load());
    await eventually("it is ready again", async () => (await readiness()) === 200);
    expect((await pull("first")).status).toBe(200);
  }

  test("is down", async () => {
    await outage({ begin: () => database.kill(), end: () => database.start() });
  });

  test("is silent", async () => {
    await outage({
      begin: async () => database.signal("SIGSTOP"),
      end: async () => database.signal("SIGCONT"),
    });
  });

  test("takes no writes", async () => {
    const set = async (value: string): Promise<void> => {
      await database.sql(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
      await database.sql("SELECT pg_reload_conf()");
    };
    await outage({ begin: () => set("on"), end: () => set("off"), mayRead: true });
  });

  test("is killed again and again in mid-commit: what was acknowledged is there, and nothing else moved back", async () => {
    const acknowledged: string[] = [];
    const over = new AbortController();
    const clients = Array.from({ length: 6 }, async (_, client) => {
      for (let count = 0; !over.signal.aborted; count += 1) {
        const tag = `c${client}-${count}`;
        const answer = await pushTag(tag).catch(() => null);
        if (answer?.status === 201) acknowledged.push(tag);
        else expect(answer?.status ?? 503).toBe(503);
        await answer?.arrayBuffer();
      }
    });
    for (let kill = 0; kill < 3; kill += 1) {
      const before = acknowledged.length;
      await eventually("some are acknowledged", () => acknowledged.length > before + 20);
      await database.kill();
      await database.start();
    }
    const before = acknowledged.length;
    await eventually("more are acknowledged", () => acknowledged.length > before + 20);
    over.abort();
    await Promise.all(clients);
    const lost: string[] = [];
    for (const tag of acknowledged) if ((await pull(tag)).status !== 200) lost.push(tag);
    expect(lost).toEqual([]);
  });
});

/** Others use this machine: what they take is not ours. */
function load(): number {
  return 3_000;
}
