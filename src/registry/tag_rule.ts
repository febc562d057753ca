/**
 * Which tags a push may touch: new ones, existing ones, or both.
 *
 * To a caller who may create and not update, tags are immutable. The rule becomes a precondition of the commit, so that
 * of two such callers who race for one tag exactly one gets it. `api` derives the rule from the caller.
 */
import type { FailedPrecondition, Precondition } from "../metadata/metadata.ts";
import { apiError, type ApiError } from "../oci/errors.ts";

/** What a caller may do with one tag. */
export type TagRule = "any" | "new" | "existing" | "none";
export interface TagRules {
  ruleOf(tag: string): TagRule;
  /** The API error for a tag that its rule forbids to set. */
  forbidden(tag: string): ApiError;
}

/** Without rules every tag may be set. */
export const anyTag: TagRules = {
  ruleOf: () => "any",
  forbidden: () => apiError("DENIED"),
};

/** What must hold for the tags to be set. Tags of the rule "none" are not asked for here. */
export function rulePreconditions(tags: readonly string[], rules: TagRules): Precondition[] {
  return tags.flatMap((tag): Precondition[] => {
    const rule = rules.ruleOf(tag);
    if (rule === "new") return [{ kind: "tag-is", tag, digests: [null] }];
    return rule === "existing" ? [{ kind: "tag-exists", tag }] : [];
  });
}

/** The first tag that a rule forbids to set, given what did not hold; null when the reason is another. */
export function forbiddenTag(
  failed: readonly FailedPrecondition[],
  rules: TagRules,
): string | null {
  for (const { precondition } of failed) {
    const isNew =
      precondition.kind === "tag-is" &&
      precondition.digests.length === 1 &&
      precondition.digests[0] === null &&
      rules.ruleOf(precondition.tag) === "new";
    const isMissing =
      precondition.kind === "tag-exists" && rules.ruleOf(precondition.tag) === "existing";
    if (isNew || isMissing) return precondition.tag;
  }
  return null;
}
