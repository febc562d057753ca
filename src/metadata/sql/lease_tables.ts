/** Leases of replicas (`../leases.ts`) as a table. */
import { leases, type LeaseChange, type LeaseReads, type LeaseRow } from "../leases.ts";
import type { RecordTables } from "./record_tables.ts";
import { tell } from "./statements.ts";

const sql = { lease: "SELECT holder, fence FROM leases WHERE name = ?1" } as const;

const writes = {
  take:
    "INSERT INTO leases (name, holder, fence, until) VALUES (?1, ?2, 1, ?4) " +
    "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, until = excluded.until " +
    "WHERE leases.holder IS NULL OR leases.until <= ?3",
  renew: "UPDATE leases SET until = ?3 WHERE name = ?1 AND holder = ?2",
  giveBack: "UPDATE leases SET holder = NULL WHERE name = ?1 AND holder = ?2",
} as const;

export const leaseTables: RecordTables<LeaseChange, LeaseReads> = {
  store: leases,
  steps: [
    {
      version: 1,
      summary: "leases of replicas",
      sql: `
        CREATE TABLE leases (
          name   TEXT NOT NULL PRIMARY KEY,
          holder TEXT,                     -- null when it was given back
          fence  INTEGER NOT NULL,         -- grows with every holder
          until  INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql,
  frees: () => false,
  *apply(work, change) {
    const { name, holder } = change;
    switch (change.kind) {
      case "take":
        yield* tell(work, writes.take, name, holder, work.now, work.now + change.lastsMs);
        return;
      case "renew":
        yield* tell(work, writes.renew, name, holder, work.now + change.lastsMs);
        return;
      case "give-back":
        yield* tell(work, writes.giveBack, name, holder);
        return;
    }
  },
  reads: ({ get: one }) => ({ lease: async (name) => one<LeaseRow>(sql.lease, name) }),
};
