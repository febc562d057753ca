/** What a commit is checked and applied with, in the open transaction. */
import type { Database } from "bun:sqlite";
import type { BytesUnderLock } from "../metadata.ts";

/** Prepared statements by text, and who and when for the rows that they write. */
export interface CommitContext {
  readonly database: Database;
  readonly bytes: BytesUnderLock;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Asked extends CommitContext {
  readonly repository: string;
}
