// Tags, catalog and referrers: the table, and lists of thousands.

import { testRows } from "./row.ts";
import { catalogRows, listRows } from "./rows/lists.ts";

testRows("lists", listRows);
testRows("catalog", catalogRows);
