// Every table of this folder, for tests about the tables themselves.

import type { Row, Story } from "../row.ts";
import { activityRows } from "./activity.ts";
import { baseRows } from "./base.ts";
import { blobRows } from "./blobs.ts";
import { closedCorsRows, noCorsRows, openCorsRows } from "./cors.ts";
import { diffRows } from "./diff.ts";
import { healthStories } from "./health.ts";
import { historyRows } from "./history.ts";
import { invalidManifestRows } from "./invalid_manifests.ts";
import { catalogRows, listRows } from "./lists.ts";
import { liveUploadStories } from "./live_uploads.ts";
import { manifestRows } from "./manifests.ts";
import { mountRows } from "./mounts.ts";
import { nameRows } from "./names.ts";
import { pastRows } from "./past.ts";
import { undoRows } from "./undo.ts";
import { retentionRows } from "./retention.ts";
import { auditRows } from "./audit.ts";
import { scrubRows } from "./scrub.ts";
import { setTagsRows } from "./set_tags.ts";
import { limitedUploadRows, uploadRows } from "./uploads.ts";
import { usageRows } from "./usage.ts";

export const allRows: readonly Row[] = [
  ...activityRows,
  ...baseRows,
  ...blobRows,
  ...openCorsRows,
  ...closedCorsRows,
  ...noCorsRows,
  ...historyRows,
  ...invalidManifestRows,
  ...listRows,
  ...catalogRows,
  ...manifestRows,
  ...mountRows,
  ...nameRows,
  ...pastRows,
  ...undoRows,
  ...setTagsRows,
  ...retentionRows,
  ...scrubRows,
  ...auditRows,
  ...usageRows,
  ...diffRows,
  ...uploadRows,
  ...limitedUploadRows,
];

export const allStories: readonly Story[] = [...healthStories, ...liveUploadStories];
