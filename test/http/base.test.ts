// Version check, discovery, health, unknown paths and methods.

import { testRows } from "./row.ts";
import { baseRows } from "./rows/base.ts";

testRows("base", baseRows);
