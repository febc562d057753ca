/** THE table of small stores that the registry itself keeps beside the metadata. */
import type { RecordChange } from "../records.ts";
import { apiKeyTables } from "../sql/api_key_tables.ts";
import { collectionTables } from "../sql/collection_tables.ts";
import { comparisonTables } from "../sql/comparison_tables.ts";
import { followerTables } from "../sql/follower_tables.ts";
import { forgottenTables } from "../sql/forgotten_tables.ts";
import { leaseTables } from "../sql/lease_tables.ts";
import { layoutStateTables } from "./layout_state_tables.ts";
import { mirrorTables } from "../sql/mirror_tables.ts";
import { moveTables } from "../sql/move_tables.ts";
import { objectTables } from "../sql/object_tables.ts";
import type { RecordTables } from "../sql/record_tables.ts";
import { retentionTables } from "../sql/retention_tables.ts";
import { secretTables } from "../sql/secret_tables.ts";
import { scrubTables } from "../sql/scrub_tables.ts";
import { summaryTables } from "./summary_tables.ts";
import { uploadTables } from "../sql/upload_tables.ts";
import { usageTables } from "../sql/usage_tables.ts";

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
  secretTables,
  leaseTables,
  moveTables,
  uploadTables,
];

/** The same where repositories lie on disk as layouts. */
export const tablesWithLayouts: typeof ownTables = [...ownTables, layoutStateTables];
