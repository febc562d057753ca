// Leases by rows pass the contract of leases (test/contracts/leases.ts) over SQLite and PostgreSQL; and what becomes of
// them when a holder, or the database, says nothing for a while.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { leasesContract, taken } from "../../test/contracts/leases.ts";
import { noBytes } from "../../test/contracts/no_bytes.ts";
import { openPostgresRows } from "../../test/postgres_rows.ts";
import { requirePostgres, startPostgres, type Postgres } from "../../test/postgres.ts";
import { eventually } from "../../test/processes.ts";
import { manualClock } from "../lib/clock.ts";
import type { LeaseReads } from "../metadata/leases.ts";
import { MemoryMetadata } from "../metadata/memory/memory_metadata.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { RecordLeases } from "./record_leases.ts";

type Rows = Pick<Metadata, "commit" | "records">;
type ManualClock = ReturnType<typeof manualClock>;

interface Opened extends AsyncDisposable {
  readonly rows: Rows;
  /** Of the database. */
  readonly clock: ManualClock;
}

async function inMemory(): Promise<Opened> {
  const clock = manualClock(1_000_000);
  const memory = new MemoryMetadata({ clock, bytes: noBytes });
  return {
    rows: memory.open({ committer: memory }),
    clock,
    [Symbol.asyncDispose]: async () => memory.close(),
  };
}

function testLeases(open: () => Promise<Opened>): void {
  leasesContract(async () => {
    const opened = await open();
    const clock = manualClock();
    return {
      one: new RecordLeases(() => opened.rows, clock),
      other: new RecordLeases(() => opened.rows, clock),
      later: () => clock.advance(5_000),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  });

  const asked = new Set<Promise<unknown>>();

  /** A server with a clock of its own, whose way to the database can be cut. */
  function server(opened: Opened, clock: ManualClock) {
    const network: { answers: "all" | "none" | "errors" } = { answers: "all" };
    const pass = <T>(work: () => Promise<T>): Promise<T> => {
      if (network.answers === "none") return new Promise(() => undefined);
      if (network.answers === "errors") return Promise.reject(new Error("no database"));
      const answer = (async () => work())();
      const done: Promise<unknown> = answer.catch(() => undefined);
      asked.add(done);
      void done.finally(() => asked.delete(done));
      return answer;
    };
    const rows: Rows = {
      commit: (commit) => pass(() => opened.rows.commit(commit)),
      records: (store) => {
        const reads = opened.rows.records(store);
        if (!("lease" in (reads as object))) return reads;
        const leases = reads as LeaseReads;
        return { lease: (name: string) => pass(() => leases.lease(name)) } as typeof reads;
      },
    };
    return { leases: new RecordLeases(() => rows, clock), network };
  }

  /** Both clocks, second by second; what is asked meanwhile is answered. */
  async function pass(seconds: number, ...clocks: ManualClock[]): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      for (const clock of clocks) await clock.advance(1_000);
      while (asked.size > 0) await Promise.all(asked);
      for (const clock of clocks) await clock.advance(0);
    }
  }

  test("it is kept for as long as its holder lives", async () => {
    await using opened = await open();
    const clock = manualClock();
    const [one, other] = [server(opened, clock), server(opened, clock)];
    const lease = await taken(one.leases);
    for (let round = 0; round < 8; round += 1) {
      await pass(11, clock, opened.clock);
      expect(await other.leases.take("jobs")).toBeNull();
    }
    expect(lease.lost.aborted).toBe(false);
    await lease.release();
  });

  for (const answers of ["none", "errors"] as const) {
    test(`a holder that the database gives ${answers} has lost it when another one may have it`, async () => {
      await using opened = await open();
      const clock = manualClock();
      const [one, other] = [server(opened, clock), server(opened, clock)];
      const lease = await taken(one.leases);
      one.network.answers = answers;
      await pass(28, clock, opened.clock);
      expect(await other.leases.take("jobs")).toBeNull();
      expect(lease.lost.aborted).toBe(false);
      await pass(6, clock, opened.clock);
      await eventually("it is lost", () => Promise.resolve(lease.lost.aborted));
      const next = await taken(other.leases);
      expect(next.fence).toBeGreaterThan(lease.fence);
      await next.release();
    });
  }

  test("a database that was away for less than a lease lasts takes it from nobody", async () => {
    await using opened = await open();
    const clock = manualClock();
    const one = server(opened, clock);
    const lease = await taken(one.leases);
    one.network.answers = "errors";
    await pass(25, clock, opened.clock);
    one.network.answers = "all";
    await pass(40, clock, opened.clock);
    expect(lease.lost.aborted).toBe(false);
    await lease.release();
  });

  test("a holder that was stopped, and comes back, finds that it is another one's", async () => {
    await using opened = await open();
    const [stopped, clock] = [manualClock(), manualClock()];
    const [one, other] = [server(opened, stopped), server(opened, clock)];
    const lease = await taken(one.leases);
    // Its own clock stands still, as that of a machine that is asleep does.
    await pass(31, clock, opened.clock);
    const next = await taken(other.leases);
    await stopped.advance(10_000);
    await eventually("it is lost", () => Promise.resolve(lease.lost.aborted));
    // What it gives back is not what the other one has.
    await lease.release();
    await pass(5, clock);
    expect(await one.leases.take("jobs")).toBeNull();
    expect(next.lost.aborted).toBe(false);
    await next.release();
  });

  test("the clock of a server decides nothing", async () => {
    await using opened = await open();
    const clock = manualClock(5_000_000_000);
    const [one, other] = [server(opened, clock), server(opened, manualClock(7))];
    const lease = await taken(one.leases);
    clock.jump(600_000);
    expect(await other.leases.take("jobs")).toBeNull();
    await lease.release();
  });
}

describe("leases by rows of SQLite", () => testLeases(inMemory));

describe.skipIf(!requirePostgres())("leases by rows of PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  testLeases(async () => {
    const clock = manualClock(1_000_000);
    const opened = await openPostgresRows(await server.place(), clock);
    return { ...opened, rows: opened.metadata, clock };
  });
});
