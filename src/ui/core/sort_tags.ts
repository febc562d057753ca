/** Orders of tags: by time, by version as people count, by size. */
import { compareVersions } from "../../lib/compare_versions.ts";
import { timeOf } from "./format.ts";
import type { TagRow } from "./lists.ts";

export const tagOrders = ["newest", "version", "name", "size"] as const;
export type TagOrder = (typeof tagOrders)[number];

const comparisons: Readonly<Record<TagOrder, (one: TagRow, other: TagRow) => number>> = {
  newest: (one, other) => (timeOf(other.taggedAt) ?? 0) - (timeOf(one.taggedAt) ?? 0),
  version: (one, other) => compareVersions(other.tag, one.tag),
  name: (one, other) => (one.tag < other.tag ? -1 : 1),
  size: (one, other) => (other.bytes ?? 0) - (one.bytes ?? 0),
};

export function sortTags(tags: readonly TagRow[], order: TagOrder): TagRow[] {
  const compare = comparisons[order];
  return tags.toSorted((one, other) => compare(one, other) || compareVersions(other.tag, one.tag));
}
