// What content takes, as a server tells it.

import { testRows } from "./row.ts";
import { usageRows } from "./rows/usage.ts";

testRows("usage", usageRows);
