// Mounts: the table.

import { testRows } from "./row.ts";
import { mountRows } from "./rows/mounts.ts";

testRows("mounts", mountRows);
