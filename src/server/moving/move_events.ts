/** What is told while a registry moves, and what came of it. */
import type { TableSums } from "../../metadata/rows/copy_rows.ts";
import type { Digest } from "../../oci/digest.ts";

/** How content came to the target. */
export type Arrival =
  /** Its bytes were read, proven and written. */
  | "sent"
  /** Another repository there has it. */
  | "shared"
  /** It was there. */
  | "there"
  /** The source does not have it, or has other bytes under its digest. */
  | "lost";

export interface Amount {
  readonly contents: number;
  readonly bytes: number;
}

/** Content that could not be moved. */
export interface LostContent {
  readonly repository: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Those that lead to it, some of them where there are many. */
  readonly tags: readonly string[];
}

export type MoveEvent =
  | {
      readonly kind: "begun";
      readonly from: string;
      readonly to: string;
      /** About how much there is; null where the source has not counted it. */
      readonly estimate: { readonly bytes: number; readonly digests: number } | null;
    }
  | {
      readonly kind: "arrived";
      readonly how: Arrival;
      readonly sizeBytes: number;
      /** Whether its digest came before, for another repository. */
      readonly isRepeated: boolean;
    }
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "lost"; readonly content: LostContent }
  | { readonly kind: "table"; readonly table: string; readonly rows: number };

export interface MoveReport {
  readonly from: string;
  readonly to: string;
  /** Whether all of it is there, and the target can be served. */
  readonly isMoved: boolean;
  readonly amounts: Readonly<Record<Arrival, Amount>>;
  readonly lost: readonly LostContent[];
  /** What was compared, row by row; null before the last pass. */
  readonly tables: TableSums | null;
}
