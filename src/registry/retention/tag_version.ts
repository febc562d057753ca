/** Tags as semantic versions (semver.org 2.0.0), with or without a `v` before them. */

export interface TagVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Empty for a release. */
  readonly prerelease: readonly string[];
}

const version =
  /^v?(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(?:-([0-9A-Za-z.-]+))?(?:_[0-9A-Za-z._-]+)?$/;

/** Null for a tag that is no version. What a version writes behind `+` stands behind `_` in a tag, as helm has it. */
export function parseTagVersion(tag: string): TagVersion | null {
  const match = version.exec(tag);
  if (match === null) return null;
  const [, major, minor, patch, prerelease] = match;
  return {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    prerelease: prerelease === undefined ? [] : prerelease.split("."),
  };
}

/** Precedence (semver.org §11): below zero when `a` comes before `b`. */
export function compareVersions(a: TagVersion, b: TagVersion): number {
  const numbers = a.major - b.major || a.minor - b.minor || a.patch - b.patch;
  if (numbers !== 0) return numbers;
  if (a.prerelease.length === 0 || b.prerelease.length === 0) {
    return b.prerelease.length - a.prerelease.length;
  }
  const length = Math.min(a.prerelease.length, b.prerelease.length);
  for (let at = 0; at < length; at += 1) {
    const order = compareIdentifiers(a.prerelease[at] ?? "", b.prerelease[at] ?? "");
    if (order !== 0) return order;
  }
  return a.prerelease.length - b.prerelease.length;
}

/** Numbers by value and before words; words by their characters. */
function compareIdentifiers(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumberA && isNumberB) return Number(a) - Number(b);
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
