// Setting several tags at once over HTTP, by the table in `rows/set_tags.ts`.

import { testRows } from "./row.ts";
import { setTagsRows } from "./rows/set_tags.ts";

testRows("several tags at once", setTagsRows);
