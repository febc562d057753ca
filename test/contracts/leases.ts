// What leases must do, whatever grants them (`src/lib/lease.ts`).

import { expect, test } from "bun:test";
import type { Lease, Leases } from "../../src/lib/lease.ts";

/** Leases of one place, as two servers have them. */
export interface OpenLeases extends AsyncDisposable {
  readonly one: Leases;
  readonly other: Leases;
  /** Until a server asks again for what another one had. */
  readonly later: () => Promise<void>;
}

export async function taken(leases: Leases, name = "jobs"): Promise<Lease> {
  const lease = await leases.take(name);
  if (lease === null) throw new Error(`lease ${name} is another one's`);
  return lease;
}

export function leasesContract(open: () => Promise<OpenLeases>): void {
  test("one holder at a time, whoever asks; the next one after it was given back", async () => {
    await using opened = await open();
    const servers = [opened.one, opened.other];
    for (const holder of [...servers, ...servers]) {
      const lease = await taken(holder);
      for (const server of servers) expect(await server.take("jobs")).toBeNull();
      expect(lease.lost.aborted).toBe(false);
      await lease.release();
      await opened.later();
    }
  });

  test("of many that ask at once one has it", async () => {
    await using opened = await open();
    const found = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? opened.one : opened.other).take("jobs"),
      ),
    );
    const held = found.filter((lease) => lease !== null);
    expect(held).toHaveLength(1);
    await held[0]!.release();
  });

  test("each name is a lease of its own", async () => {
    await using opened = await open();
    const [jobs, audit] = [await taken(opened.one), await taken(opened.other, "audit")];
    expect(await opened.other.take("jobs")).toBeNull();
    await audit.release();
    expect(await opened.one.take("jobs")).toBeNull();
    await jobs.release();
  });

  test("the fence grows with every holder", async () => {
    await using opened = await open();
    let before = 0;
    for (const holder of [opened.one, opened.other, opened.other, opened.one]) {
      const lease = await taken(holder);
      expect(lease.fence).toBeGreaterThan(before);
      before = lease.fence;
      await lease.release();
      await opened.later();
    }
  });
}
