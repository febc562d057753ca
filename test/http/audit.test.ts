// Audits over HTTP where there is no store of objects; `test/objects/audit.test.ts` has one.

import { testRows } from "./row.ts";
import { auditRows } from "./rows/audit.ts";

testRows("audits of stores of objects", auditRows);
