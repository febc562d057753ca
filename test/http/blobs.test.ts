// Reading and deleting blobs: the table, and what a table cannot say.

import { testRows } from "./row.ts";
import { blobRows } from "./rows/blobs.ts";

testRows("blobs", blobRows);
