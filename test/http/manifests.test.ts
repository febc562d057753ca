// Manifests: those that are taken, and those that are refused.

import { testRows } from "./row.ts";
import { invalidManifestRows } from "./rows/invalid_manifests.ts";
import { manifestRows } from "./rows/manifests.ts";

testRows("manifests", manifestRows);
testRows("invalid manifests", invalidManifestRows);
