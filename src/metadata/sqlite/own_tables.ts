/** THE table of small stores that the registry itself keeps beside the metadata; extensions add their own. */
import type { RecordChange } from "../records.ts";
import { apiKeyTables } from "./api_key_tables.ts";
import { followerTables } from "./follower_tables.ts";
import type { RecordTables } from "./record_tables.ts";

export const ownTables: readonly RecordTables<RecordChange, unknown>[] = [
  apiKeyTables,
  followerTables,
];
