// Tags in the order of their versions.

import { expect, test } from "bun:test";
import { compareVersions } from "./compare_versions.ts";

test("versions stand as people count, a pre-release before what it leads to", () => {
  const ordered = ["v0.9", "1.0-rc.1", "1.0", "1.0.1", "1.9", "1.10.0-rc.1", "1.10.0", "latest"];
  expect(ordered.toReversed().toSorted(compareVersions)).toEqual(ordered);
  expect(ordered.toSorted(compareVersions)).toEqual(ordered);
});
