// Which tags a round copies, as zot chooses them.

import { expect, test } from "bun:test";
import { chosenTags } from "./tag_filter.ts";

const tags = ["latest", "1", "v1.2", "1.2.3-rc1", "2.0-arm64", `sha256-${"a".repeat(64)}.sig`];
const rows: readonly (readonly [rules: Record<string, unknown>, chosen: string[]])[] = [
  [{}, ["latest", "1", "v1.2", "1.2.3-rc1", "2.0-arm64"]],
  [{ regex: "2" }, ["v1.2", "1.2.3-rc1", "2.0-arm64"]],
  [{ regex: "^1" }, ["1", "1.2.3-rc1"]],
  [{ regex: "" }, []],
  [{ excludeRegex: "-(arm64|rc\\d)$" }, ["latest", "1", "v1.2"]],
  [{ excludeRegex: "" }, ["latest", "1", "v1.2", "1.2.3-rc1", "2.0-arm64"]],
  [{ semver: true }, ["1", "v1.2", "1.2.3-rc1", "2.0-arm64"]],
  [{ regex: "1", excludeRegex: "rc", semver: true }, ["1", "v1.2"]],
];

test.each([...rows])("%j", (rules, chosen) => {
  const values = { prefix: "**", destination: "", stripPrefix: false };
  expect(chosenTags(tags, { ...values, tags: { semver: false, ...rules } })).toEqual(chosen);
});
