/**
 * Leases of replicas, as rows: who has the right to a piece of work, and until when by the clock of the database.
 *
 * A row is never removed: its fence grows with every holder, so that one that was stopped and comes back is known.
 */
import type { RecordStore } from "./records.ts";

export interface LeaseRow {
  /** Null when it was given back. */
  readonly holder: string | null;
  readonly fence: number;
}

export type LeaseChange =
  /** Nothing while another one holds it: who asked looks. */
  | {
      readonly kind: "take";
      readonly name: string;
      readonly holder: string;
      readonly lastsMs: number;
    }
  /** Nothing where it is another one's by now: who asked looks. */
  | {
      readonly kind: "renew";
      readonly name: string;
      readonly holder: string;
      readonly lastsMs: number;
    }
  | { readonly kind: "give-back"; readonly name: string; readonly holder: string };

export interface LeaseReads {
  /** Null where nobody took it yet. */
  lease(name: string): Promise<LeaseRow | null>;
}

export const leases: RecordStore<LeaseChange, LeaseReads> = { name: "leases" };
