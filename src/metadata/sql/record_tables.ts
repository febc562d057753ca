/**
 * How small stores beside the metadata keep their records in SQLite: tables with steps that lead to them, what changes
 * write, and what reads ask. The steps of a store are numbered on their own, so that features do not wait for each
 * other.
 */
import type { Epochs } from "../epochs.ts";
import type { RecordChange, RecordStore } from "../records.ts";
import type { Engine, Rule } from "./statements.ts";
import type { Source } from "./source.ts";

/** Where a change is written, and when. */
export interface RecordWork {
  readonly engine: Engine;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface RecordStep {
  /** From 1 on, without gaps. */
  readonly version: number;
  readonly summary: string;
  readonly sql: string;
}

/** One store. Names of its tables begin with its own name. */
export interface RecordTables<Change extends RecordChange, Reads> {
  readonly store: RecordStore<Change, Reads>;
  readonly steps: readonly RecordStep[];
  /** Every statement, for the test that each finds its rows by an index. */
  readonly sql: Readonly<Record<string, string>>;
  /** Whether less is kept after a change: it is then taken on a full disk, too. */
  frees(change: Change): boolean;
  /** Writes one change inside an open transaction. What is there already, or gone, is no mistake. */
  apply(work: RecordWork, change: Change): Rule<unknown>;
  /** The reads, over a connection that may do nothing else. With `epochs` they may remember what they found. */
  reads(source: Source, epochs: Epochs | null): Reads;
}

export type Stores = ReadonlyMap<string, RecordTables<RecordChange, unknown>>;

export function storesOf(tables: readonly RecordTables<RecordChange, unknown>[]): Stores {
  return new Map(tables.map((each) => [each.store.name, each]));
}

/** @throws when there is no such store: a mistake of ours. */
export function tablesOf(stores: Stores, name: string): RecordTables<RecordChange, unknown> {
  const tables = stores.get(name);
  if (tables === undefined) throw new Error(`metadata: no store of records is named ${name}`);
  return tables;
}
