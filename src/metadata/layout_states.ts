/**
 * What is known of layouts on disk: which `index.json` is behind the metadata, and which one we wrote. A store of
 * records that only roots with layouts have.
 *
 * The generation of a repository is metadata: it grows with every commit that `index.json` must show, and history
 * names it. In the transaction of that commit the repository falls behind here.
 */
import type { Digest } from "../oci/digest.ts";
import type { RecordStore } from "./records.ts";

export type LayoutChange =
  | {
      readonly kind: "plan-layout";
      readonly repository: string;
      /** The stamp of the index.json that is there now, and was read in completely. */
      readonly seen: string | null;
      readonly stamp: string;
    }
  | {
      readonly kind: "record-layout";
      readonly repository: string;
      readonly stamp: string;
      readonly generation: number;
    }
  /** The repository's generation grows beyond this one, which a file already shows. */
  | {
      readonly kind: "raise-generation";
      readonly repository: string;
      readonly generation: number;
    };

/** How far a repository's layout on disk has followed the metadata. */
export interface LayoutState {
  /** Grows with every commit that `index.json` must show. */
  readonly generation: number;
  /** The generation that `index.json` was last written from. */
  readonly projected: number;
  /** Stamps of the `index.json` that we wrote last, and of the one we were about to write. */
  readonly stampCurrent: string | null;
  readonly stampNext: string | null;
  /** Tells this repository's generations from those of a repository of the same name before it, or elsewhere. */
  readonly origin: string;
}

/** How far the `index.json` of repositories are behind. */
export interface LayoutLag {
  /** Repositories that are behind. */
  readonly repositories: number;
  /** When the first of them fell behind, in milliseconds since the epoch; null when none is. */
  readonly since: number | null;
}

export interface LayoutReads {
  /** Null for a repository that is not there. */
  state(repository: string): Promise<LayoutState | null>;
  /** Repositories whose `index.json` is behind, oldest change first. */
  stale(limit: number): Promise<string[]>;
  lag(): Promise<LayoutLag>;
  /** Orphans that no `index.json` lists any more, oldest first: other tools read it, so the bytes of others wait. */
  unlistedOrphans(limit: number): Promise<{ repository: string; digest: Digest }[]>;
}

export const layoutStates: RecordStore<LayoutChange, LayoutReads> = { name: "layouts" };
