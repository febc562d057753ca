// The order of tags that are versions, as people count them.

/** Below zero where `one` is less: `1.10` behind `1.9`, `1.0-rc.1` before `1.0`; text without numbers as text. */
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
