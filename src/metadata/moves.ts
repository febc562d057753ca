/**
 * Whether this registry is being filled with the content of another one (`zot migrate`), and which: until that has come to
 * its end it knows less than it has, and is not served.
 */
import type { RecordStore } from "./records.ts";

export type MoveChange =
  /** `from` is what people call the other one. */
  { readonly kind: "begin"; readonly from: string } | { readonly kind: "end" };

export interface MoveReads {
  /** Null where nothing is under way. */
  from(): Promise<string | null>;
}

export const moves: RecordStore<MoveChange, MoveReads> = { name: "moves" };
