/**
 * Tags and manifests that the configuration fixes: a push moves no immutable tag, and neither DELETE nor retention
 * removes an immutable tag or what is protected.
 */
import type { Digest } from "../../oci/digest.ts";
import { apiError, type ApiError } from "../../oci/errors.ts";
import type { FailedPrecondition, Precondition } from "../../metadata/metadata.ts";
import type { Registry } from "../registry.ts";
import { protectionOf } from "./decide.ts";
import { policyOf } from "./rules.ts";

/** An immutable tag is set once: it is new, or points there already. */
export function immutablePreconditions(
  { retention }: Registry,
  push: { readonly repository: string; readonly tags: readonly string[]; readonly digest: Digest },
): Precondition[] {
  const { isImmutable } = policyOf(retention, push.repository);
  return push.tags
    .filter(isImmutable)
    .map((tag): Precondition => ({ kind: "tag-is", tag, digests: [null, push.digest] }));
}

/** The API error where what failed is one of `immutablePreconditions`; null where it is something else. */
export function movedImmutableTag(
  { retention }: Registry,
  repository: string,
  failed: readonly FailedPrecondition[],
): ApiError | null {
  const { isImmutable } = policyOf(retention, repository);
  for (const { precondition, found } of failed) {
    if (precondition.kind !== "tag-is" || found === null) continue;
    const isOurs = precondition.digests.length === 2 && precondition.digests[0] === null;
    if (isOurs && isImmutable(precondition.tag)) {
      return apiError("DENIED", {
        message: `The tag ${precondition.tag} is immutable here and points at ${found}; push another tag`,
        detail: { tag: precondition.tag, reason: "immutableTags of storage.retention" },
      });
    }
  }
  return null;
}

/** Refuses to remove a tag that is fixed, or any tag of a manifest that is protected. @throws DENIED. */
export function requireRemovable(
  { retention }: Registry,
  { repository, tag, digest }: { repository: string; tag: string | null; digest: string },
): void {
  const policy = policyOf(retention, repository);
  const what = tag === null ? `The manifest ${digest}` : `The tag ${tag}`;
  const protection = protectionOf(policy, { tag, digest });
  if (protection !== null) {
    throw apiError("DENIED", {
      message: `${what} cannot be removed: ${protection}`,
      detail: { ...(tag === null ? {} : { tag }), reason: "protect of storage.retention" },
    });
  }
  if (tag === null || !policy.isImmutable(tag)) return;
  throw apiError("DENIED", {
    message: `${what} is immutable here and cannot be removed`,
    detail: { tag, reason: "immutableTags of storage.retention" },
  });
}

/** Whether the policy of a repository fixes any tag at all, so that deletes have to ask. */
export function fixesTags({ retention }: Registry, repository: string): boolean {
  const { protect, hasImmutable } = policyOf(retention, repository);
  return protect.length > 0 || hasImmutable;
}
