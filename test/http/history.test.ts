// The history of tags over HTTP, by the table in `rows/history.ts`.

import { testRows } from "./row.ts";
import { historyRows } from "./rows/history.ts";

testRows("history", historyRows);
