// Version check, discovery, health, unknown paths and methods.

import { testRows, testStories } from "./row.ts";
import { baseRows } from "./rows/base.ts";
import { healthStories } from "./rows/health.ts";

testRows("base", baseRows);
testStories("health", healthStories);
