/** Which tags of an upstream are copied: zot's `tags` with `regex`, `excludeRegex` and `semver`, in that order. */
import { parsePattern } from "../../../lib/expression/pattern.ts";
import { subjectOfTag } from "../../../oci/referrers.ts";
import type { ContentValues } from "../options.ts";

/** Leading `v`, one to three numbers, and what semantic versions may have behind them. */
const semantic = /^v?\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

/** Tags that are about an image go with it, and are none of these. */
export function chosenTags(tags: readonly string[], { tags: rules }: ContentValues): string[] {
  const { regex, excludeRegex, semver = false } = rules ?? {};
  const include = regex === undefined ? null : regex === "" ? "none" : parsePattern(regex);
  // In zot an empty one excludes nothing.
  const exclude = excludeRegex ? parsePattern(excludeRegex) : null;
  if (include === "none") return [];
  return tags.filter(
    (tag) =>
      subjectOfTag(tag) === null &&
      (include === null || include.test(tag)) &&
      (exclude === null || !exclude.test(tag)) &&
      (!semver || semantic.test(tag)),
  );
}
