// Cross-origin requests: for any page, for two, and for none.

import { testRows } from "./row.ts";
import { closedCorsRows, noCorsRows, openCorsRows } from "./rows/cors.ts";

testRows("cors, any origin", openCorsRows);
testRows("cors, two origins", closedCorsRows, {
  http: { allowOrigin: "https://ui.example.com, http://localhost:3000" },
});
testRows("cors, no origin", noCorsRows, { http: { allowOrigin: "" } });
