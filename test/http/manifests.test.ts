// Manifests: the table.

import { testRows } from "./row.ts";
import { manifestRows } from "./rows/manifests.ts";

testRows("manifests", manifestRows);
