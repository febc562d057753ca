// Names of repositories and tags: the corpus, on every endpoint.

import { testRows } from "./row.ts";
import { nameRows } from "./rows/names.ts";

testRows("names", nameRows);
