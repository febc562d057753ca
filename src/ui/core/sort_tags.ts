/** Orders of tags: by time, by version as people count, by size. */
import { timeOf } from "./format.ts";
import type { TagRow } from "./lists.ts";

export const tagOrders = ["newest", "version", "name", "size"] as const;
export type TagOrder = (typeof tagOrders)[number];

/** `1.10` behind `1.9`, `1.0-rc.1` before `1.0`; text without numbers as text. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [partsOf(one), partsOf(other)];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const order = compareParts(a[index], b[index]);
    if (order !== 0) return order;
  }
  return one < other ? -1 : Number(one > other);
}

function partsOf(text: string): string[] {
  return text.replace(/^v(?=\d)/, "").match(/\d+|[a-zA-Z]+|[._-]/g) ?? [];
}

/** What ends here is less than a longer version, and more than one that goes on with a pre-release. */
function compareParts(one: string | undefined, other: string | undefined): number {
  if (one === other) return 0;
  if (one === undefined) return other === "-" ? 1 : -1;
  if (other === undefined) return one === "-" ? -1 : 1;
  const areNumbers = /^\d/.test(one) && /^\d/.test(other);
  if (areNumbers) return compareNumbers(one, other);
  return one < other ? -1 : 1;
}

/** Of any length: a number of a tag need not fit one of ours. */
function compareNumbers(one: string, other: string): number {
  const [a, b] = [one.replace(/^0+(?=\d)/, ""), other.replace(/^0+(?=\d)/, "")];
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : Number(a > b);
}

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
