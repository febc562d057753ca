/** THE table of small stores that the registry itself keeps beside the metadata. */
import type { RecordChange } from "../records.ts";
import { apiKeyTables } from "./api_key_tables.ts";
import { collectionTables } from "./collection_tables.ts";
import { comparisonTables } from "./comparison_tables.ts";
import { followerTables } from "./follower_tables.ts";
import { forgottenTables } from "./forgotten_tables.ts";
import { layoutStateTables } from "./layout_state_tables.ts";
import { mirrorTables } from "./mirror_tables.ts";
import { objectTables } from "./object_tables.ts";
import type { RecordTables } from "./record_tables.ts";
import { retentionTables } from "./retention_tables.ts";
import { scrubTables } from "./scrub_tables.ts";
import { summaryTables } from "./summary_tables.ts";
import { usageTables } from "./usage_tables.ts";

/** What every registry has. */
export const ownTables: readonly RecordTables<RecordChange, unknown>[] = [
  apiKeyTables,
  followerTables,
  collectionTables,
  retentionTables,
  mirrorTables,
  usageTables,
  scrubTables,
  comparisonTables,
  forgottenTables,
  summaryTables,
  objectTables,
];

/** The same where repositories lie on disk as layouts. */
export const tablesWithLayouts: typeof ownTables = [...ownTables, layoutStateTables];
