/** What a commit is checked and applied with, in the open transaction. */
import type { BytesUnderLock } from "./bytes_under_lock.ts";
import type { Engine } from "./statements.ts";

/** Who answers, and when it is, for the rows that are written. */
export interface CommitContext {
  readonly engine: Engine;
  readonly bytes: BytesUnderLock;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What this transaction has found out, for all of its commits; without it each asks for itself. */
  readonly found?: FoundOut;
}

export interface FoundOut {
  /** Whether anything is held for an undo; null while nobody has asked. */
  holds: boolean | null;
}

export interface Asked extends CommitContext {
  readonly repository: string;
}
