/**
 * Small stores beside the metadata: records of a feature that belong to no repository, such as API keys.
 *
 * A feature names its store, with the changes that it accepts and the questions that it answers. Changes travel as
 * commits do: from a worker to the primary, in the same transactions and flushes, acknowledged when durable. Reads see
 * every change that was acknowledged before they began. `sqlite/record_tables.ts` says how a store keeps its records.
 */

/** One record to write: of the closed set of its store. */
export interface RecordChange {
  readonly kind: string;
  readonly [member: string]: unknown;
}

/** A store by its name; its types say what may be written and asked. */
export interface RecordStore<Change extends RecordChange, Reads> {
  /** Stands in the database, and never changes. */
  readonly name: string;
  /** Nothing has these: they carry the types. */
  readonly types?: { readonly change: Change; readonly reads: Reads };
}

/** Changes to one store, and to others with it, which happen together or not at all. */
export interface RecordCommit {
  readonly records: string;
  readonly changes: readonly RecordChange[];
  /** Changes to other stores, which happen after these; they have no `also` of their own. */
  readonly also?: readonly RecordCommit[];
}

/** Each store of a commit by itself, in order. */
export function storesIn(commit: RecordCommit): readonly RecordCommit[] {
  return [commit, ...(commit.also ?? [])];
}

/** What to commit for these changes. */
export function recordCommit<Change extends RecordChange>(
  store: RecordStore<Change, unknown>,
  ...changes: readonly Change[]
): RecordCommit {
  return { records: store.name, changes };
}
