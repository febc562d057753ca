// Taking things back over HTTP, by the table in `rows/undo.ts`.

import { testRows } from "./row.ts";
import { undoRows } from "./rows/undo.ts";

testRows("undo", undoRows);
