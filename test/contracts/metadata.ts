// What any metadata store must do: the contract of `src/metadata/metadata.ts` as groups of tests.
//
// A store's own test file calls `metadataContract` with a way to open an empty one. The groups stand in files of
// their own: preconditions, changes, lists, layouts, and commits that run at once.
// Promises: nothing here knows how a store keeps its facts; time and bytes are handed in, so that tests
// move them. Leaves to others: what only one store can do (migrations, full disks, query plans).

import { describe } from "bun:test";
import type { Clock } from "../../src/lib/clock.ts";
import type { BytesUnderLock, Metadata } from "../../src/metadata/metadata.ts";
import { testChanges } from "./metadata_changes.ts";
import { testConcurrency } from "./metadata_concurrency.ts";
import { testLayouts } from "./metadata_layouts.ts";
import { testLists } from "./metadata_lists.ts";
import { testPreconditions } from "./metadata_preconditions.ts";

/** A store under test and what may be asked of it beyond its contract. */
export interface OpenStore extends AsyncDisposable {
  readonly metadata: Metadata;
  /** Opens the same facts once more, as another process would for reading; closed with the store. */
  readonly another: () => Metadata;
  /** Commits and transactions so far: how many commits shared one. */
  readonly counters: () => { readonly commits: number; readonly batches: number };
}

export interface StoreOptions {
  readonly clock: Clock;
  readonly bytes: BytesUnderLock;
}

/** Opens a store that holds nothing yet. */
export type OpenEmptyStore = (options: StoreOptions) => Promise<OpenStore>;

export function metadataContract(name: string, open: OpenEmptyStore): void {
  describe(`${name}: preconditions`, () => testPreconditions(open));
  describe(`${name}: changes`, () => testChanges(open));
  describe(`${name}: lists`, () => testLists(open));
  describe(`${name}: layouts and orphans`, () => testLayouts(open));
  describe(`${name}: commits at once`, () => testConcurrency(open));
}
