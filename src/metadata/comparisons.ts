/**
 * Comparisons of the files of two images: what is wanted, what came of it, and the listings of layers that they are made
 * from. All of it is derived from content and can be made again: the oldest goes where a bound is reached.
 */
import type { RecordStore } from "./records.ts";

/** Bytes of all listings that are kept, compressed. */
export const listingsBytesMax = 128 * 1024 * 1024;
/** Of one listing, compressed; larger ones are made anew each time. */
export const listingBytesMax = 8 * 1024 * 1024;
/** Comparisons that are kept, those that wait included. */
export const comparisonsMax = 500;
/** Comparisons that wait, of all callers and of one; more are refused. */
export const waitingComparisonsMax = 50;
export const callerComparisonsMax = 4;

export type ComparisonChange =
  /** Unless it is known, or too many wait. `request` is JSON text, `by` is whom limits count. */
  | {
      readonly kind: "want";
      readonly key: string;
      readonly request: string;
      readonly by: string;
    }
  /** `result` is JSON text. */
  | { readonly kind: "done"; readonly key: string; readonly result: string }
  /** What came of it may be another thing the next time. */
  | { readonly kind: "forget"; readonly key: string }
  | { readonly kind: "keep-listing"; readonly digest: string; readonly listing: Uint8Array };

export interface KnownComparison {
  /** Null while it waits. */
  readonly result: string | null;
}

export interface ComparisonReads {
  comparison(key: string): Promise<KnownComparison | null>;
  /** The one that waits longest; null where none does. */
  waiting(): Promise<{ readonly key: string; readonly request: string } | null>;
  listing(digest: string): Promise<Uint8Array | null>;
}

export const comparisons: RecordStore<ComparisonChange, ComparisonReads> = { name: "comparisons" };
