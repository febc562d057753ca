// Uploads: what requests one after another get. Requests that overlap or break off: `live_uploads.test.ts`.

import { testRows } from "./row.ts";
import { limitedUploadRows, uploadRows } from "./rows/uploads.ts";

testRows("uploads", uploadRows);
testRows("uploads with a limit", limitedUploadRows, { http: { blobBytesMax: 1000 } });
