// What any metadata store must do: the contract of `src/metadata/metadata.ts` as groups of tests.
//
// A store's own test file calls `metadataContract` with a way to open an empty one. The groups stand in files of
// their own: preconditions, changes, lists, layouts, taking them in, figures, candidates of collection, API keys, records
// of features, objects, retention, the feed, the past, and commits that run at once.
// Nothing here knows how a store keeps its data. Time and bytes are handed in, so that tests move them. What only one
// store can do (migrations, full disks, query plans) is in that store's own tests.

import { describe } from "bun:test";
import { testApiKeys } from "./metadata_api_keys.ts";
import { testCandidates } from "./metadata_candidates.ts";
import { testChanges } from "./metadata_changes.ts";
import { testConcurrency } from "./metadata_concurrency.ts";
import type { OpenEmptyStore } from "./metadata_facts.ts";
import { testFeed } from "./metadata_feed.ts";
import { testIntake } from "./metadata_intake.ts";
import { testLayouts } from "./metadata_layouts.ts";
import { testHoldings } from "./metadata_holdings.ts";
import { testLists } from "./metadata_lists.ts";
import { testHeld } from "./metadata_held.ts";
import { testMirrors } from "./metadata_mirrors.ts";
import { testObjects } from "./metadata_objects.ts";
import { testPast } from "./metadata_past.ts";
import { testRetention } from "./metadata_retention.ts";
import { testRecords } from "./metadata_records.ts";
import { testScrub } from "./metadata_scrub.ts";
import { testSummaries } from "./metadata_summaries.ts";
import { testPreconditions } from "./metadata_preconditions.ts";

export type { OpenEmptyStore } from "./metadata_facts.ts";

export function metadataContract(name: string, open: OpenEmptyStore): void {
  describe(`${name}: preconditions`, () => testPreconditions(open));
  describe(`${name}: changes`, () => testChanges(open));
  describe(`${name}: lists`, () => testLists(open));
  describe(`${name}: layouts and orphans`, () => testLayouts(open));
  describe(`${name}: taking in layouts`, () => testIntake(open));
  describe(`${name}: figures`, () => testHoldings(open));
  describe(`${name}: candidates of collection`, () => testCandidates(open));
  describe(`${name}: API keys`, () => testApiKeys(open));
  describe(`${name}: mirrored content`, () => testMirrors(open));
  describe(`${name}: records of features`, () => testRecords(open));
  describe(`${name}: objects`, () => testObjects(open));
  describe(`${name}: retention`, () => testRetention(open));
  describe(`${name}: damage and checks`, () => testScrub(open));
  describe(`${name}: summaries of images`, () => testSummaries(open));
  describe(`${name}: the feed`, () => testFeed(open));
  describe(`${name}: held content`, () => testHeld(open));
  describe(`${name}: the past`, () => testPast(open));
  describe(`${name}: commits at once`, () => testConcurrency(open));
}
