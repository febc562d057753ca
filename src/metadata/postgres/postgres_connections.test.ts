// What the client and the server do when something is wrong, on a real server: the traps that are known of both.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { requirePostgres, startPostgres, type Postgres } from "../../../test/postgres.ts";
import { eventually } from "../../../test/processes.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { manualClock } from "../../lib/clock.ts";
import { PostgresConnections, PostgresError } from "./postgres_connections.ts";

const own = (text: string) => ({ text, values: [], isOwn: true as const });

async function fateOf(work: Promise<unknown>): Promise<string> {
  const reason = await reasonOf(work);
  return reason instanceof PostgresError ? reason.fate : String(reason);
}

describe.skipIf(!requirePostgres())("connections to PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function open(clock = manualClock()) {
    const connections = new PostgresConnections({ ...(await server.place()), clock });
    return { connections, clock, [Symbol.asyncDispose]: () => connections.close() };
  }

  test("rows go to those who asked, whatever is asked at once", async () => {
    await using opened = await open();
    const { connections } = opened;
    const ask = async (number: number) => {
      // A text that is known, and one that nobody has asked before.
      const text = number % 2 === 0 ? "SELECT ?1 AS n" : `SELECT ?1 AS n, ${number} AS other`;
      const { rows } = await connections.ask({ text, values: [number] });
      return rows[0]?.["n"] === number;
    };
    const right = await Promise.all(Array.from({ length: 2_000 }, (_, number) => ask(number)));
    expect(right.filter((each) => !each)).toEqual([]);
  });

  test("numbers are numbers, conditions 0 and 1, bytes bytes, and nothing is null", async () => {
    await using opened = await open();
    const { rows } = await opened.connections.ask({
      text: "SELECT ?1 AS size, count(*) AS n, 1 = 1 AS isso, 1 = 2 AS isnot, ?2 AS bytes, ?3 AS nothing",
      values: [2 ** 40, new Uint8Array([1, 2]), null],
    });
    const [{ bytes = null, ...row } = {}] = rows;
    expect(row).toEqual({ size: 2 ** 40, n: 1, isso: 1, isnot: 0, nothing: null });
    expect(new Uint8Array(bytes as unknown as Uint8Array)).toEqual(new Uint8Array([1, 2]));
  });

  test("a NUL, which no text may have, is taken and orders as it does", async () => {
    await using opened = await open();
    const { rows } = await opened.connections.ask({
      text:
        "SELECT CAST(?1 AS text) AS text, CASE WHEN CAST(?1 AS text) > 'a' COLLATE \"C\" THEN 1 ELSE 0 END AS behind, " +
        "CASE WHEN CAST(?1 AS text) < 'ab' COLLATE \"C\" THEN 1 ELSE 0 END AS before, " +
        "(SELECT string_agg(json_each.value, '|') FROM json_each(?2)) AS list",
      values: ["a\0b", JSON.stringify(["c\0d", "\\u0000", "\\\0"])],
    });
    expect(rows).toEqual([
      { text: "a\u0001b", behind: 1, before: 1, list: "c\u0001d|\\u0000|\\\u0001" },
    ]);
  });

  test("a value that is missing, or a fraction, is a mistake and no null or round number", async () => {
    await using opened = await open();
    const { connections } = opened;
    for (const value of [undefined, 1.5]) {
      const asked = connections.ask({ text: "SELECT ?1 AS n", values: [value as number] });
      expect(String(await reasonOf(asked))).toMatch(/missing|integer/);
    }
  });

  test("a statement that is refused says so, and the next one is answered", async () => {
    await using opened = await open();
    const { connections } = opened;
    expect(await fateOf(connections.ask(own("SELECT nothing")))).toBe("refused");
    expect((await connections.ask(own("SELECT 1 AS n"))).rows).toEqual([{ n: 1 }]);
  });

  test("what was not committed is rolled back, and its connection goes on", async () => {
    await using opened = await open();
    const { connections } = opened;
    await connections.ask(own("CREATE TABLE facts (n bigint)"));
    const failed = connections.hold(async (ask) => {
      await ask(own("BEGIN"));
      await ask(own("INSERT INTO facts VALUES (1)"));
      throw new Error("out of order");
    });
    expect(String(await reasonOf(failed))).toContain("out of order");
    expect((await connections.ask(own("SELECT n FROM facts"))).rows).toEqual([]);
  });

  test("a commit after a statement that failed is none", async () => {
    await using opened = await open();
    const committed = opened.connections.hold(async (ask) => {
      await ask(own("BEGIN"));
      await ask(own("SELECT nothing")).catch(() => {});
      await ask(own("COMMIT"));
    });
    expect(String(await reasonOf(committed))).toContain("nothing was committed");
  });

  test("a server that is silent is given up after ten seconds, and asked anew by other connections", async () => {
    await using opened = await open();
    const { connections, clock } = opened;
    const pids = await connections.hold(async (ask) => {
      const { rows } = await ask(own("SELECT pg_backend_pid() AS pid"));
      return [Number(rows[0]?.["pid"])];
    });
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    try {
      const asked = Promise.allSettled(
        Array.from({ length: 20 }, () => connections.ask(own("SELECT 1"))),
      );
      for (let passedMs = 0; passedMs <= 11_000; passedMs += 500) await clock.advance(500);
      await clock.advance(1_000);
      const given = (await asked).filter(({ status }) => status === "rejected");
      expect(given.length).toBeGreaterThan(0);
      const again = connections.ask(own("SELECT 2 AS n"));
      await clock.advance(1_000);
      expect((await again).rows).toEqual([{ n: 2 }]);
    } finally {
      for (const pid of pids) process.kill(pid, "SIGCONT");
    }
  });

  test("nobody waits longer than that for a connection", async () => {
    await using opened = await open();
    const { connections, clock } = opened;
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const begun: Promise<void>[] = [];
    const held = Array.from({ length: 8 }, () => {
      const { promise, resolve: isBegun } = Promise.withResolvers<void>();
      begun.push(promise);
      return connections.hold(async (ask) => {
        await ask(own("SELECT 1"));
        isBegun();
        await end;
      });
    });
    await Promise.all(begun);
    const ninth = fateOf(connections.hold(async (ask) => await ask(own("SELECT 1"))));
    for (let passedMs = 0; passedMs <= 11_000; passedMs += 500) await clock.advance(500);
    expect(await ninth).toBe("lost");
    resolve();
    await Promise.allSettled(held);
  });

  test("a server elsewhere is used with certificates to verify it alone", () => {
    const url = "postgres://zot@database.example/zot";
    expect(() => new PostgresConnections({ url })).toThrow(
      "storage.metadata.url: expected sslmode=verify-full for a database on another machine",
    );
  });

  test("a server that was started again is asked by new connections", async () => {
    await using other = await startPostgres();
    await using connections = {
      of: new PostgresConnections(await other.place()),
      [Symbol.asyncDispose]: () => connections.of.close(),
    };
    const one = own("SELECT 1 AS n");
    expect((await connections.of.ask(one)).rows).toEqual([{ n: 1 }]);
    await other.kill();
    expect(await fateOf(connections.of.ask(one))).toBe("lost");
    await other.start();
    const answered = await eventually("it answers again", () =>
      connections.of.ask(one).catch(() => null),
    );
    expect(answered.rows).toEqual([{ n: 1 }]);
  });
});
