/**
 * Removes content for good, such as a secret that was pushed: nothing of it is held for an undo, and what it alone names
 * here goes with it. Its events stay in history, with the reason.
 */
import type { Precondition } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import { apiError, type ApiError } from "../../oci/errors.ts";
import { requireRemovable } from "../retention/fixed_tags.ts";
import { policyOf } from "../retention/rules.ts";
import type { Registry } from "../registry.ts";
import { absentError, beingRead, bring, whyAbsent } from "../resolve.ts";

export interface PurgeRequest {
  readonly repository: string;
  readonly digest: Digest;
  readonly reason: string;
  /** Refuses to purge a manifest that more tags point at; null does not ask. */
  readonly tagsMax?: number | null;
  /** Throws when a tag that goes along may not go; null where the digest alone decides. */
  readonly checkTag: ((tag: string) => void) | null;
  readonly by: string | null;
}

/** Tags that may go with a manifest. */
const purgedTagsMax = 1_000;

/** @throws MANIFEST_UNKNOWN or NAME_UNKNOWN, BLOB_REFERENCED, MANIFEST_COLLISION, and what `checkTag` throws. */
export async function purgeContent(registry: Registry, request: PurgeRequest): Promise<void> {
  const { repository, digest, reason, checkTag, by } = request;
  const { metadata } = registry;
  if ((await bring(registry, repository)) === "later") throw beingRead();
  const tags = await metadata.tagsOf(repository, digest, purgedTagsMax + 1);
  if (tags.length > (request.tagsMax ?? purgedTagsMax)) throw tooManyTags(request);
  requireRemovable(registry, { repository, tag: null, digest });
  for (const tag of tags) {
    checkTag?.(tag);
    requireRemovable(registry, { repository, tag, digest });
  }
  const found = await metadata.held(repository, [digest]);
  const isBlob = found.some(({ as }) => as === "blob");
  const preconditions: Precondition[] = [
    { kind: "known", digest },
    { kind: "tags-are", digest, tags },
    { kind: isBlob ? "unreferenced" : "unprotected", digest },
  ];
  const { protect } = policyOf(registry.retention, repository);
  const spares = protect.flatMap(({ digests }) => [...digests]);
  const changes = [{ kind: "purge", digest, reason, spares }] as const;
  const outcome = await metadata.commit({ repository, preconditions, changes, by });
  if (outcome.committed) {
    registry.report("info", "content was purged", { repository, digest, reason, by });
    return;
  }
  const [failed] = outcome.failed;
  if (failed?.precondition.kind === "known") {
    const why = await whyAbsent(registry, repository);
    throw absentError(why, "MANIFEST_UNKNOWN", { name: repository, reference: digest });
  }
  if (failed?.precondition.kind === "tags-are") {
    throw apiError("UNAVAILABLE", {
      message: "The tags of this manifest changed while it was purged; purge it again",
    });
  }
  throw apiError("BLOB_REFERENCED", {
    message: `The manifest ${failed?.found} names this content; purge or delete that first`,
    detail: { digest },
  });
}

function tooManyTags({ tagsMax = null }: PurgeRequest): ApiError {
  if (tagsMax !== null) return apiError("MANIFEST_COLLISION");
  return apiError("MANIFEST_COLLISION", {
    message: `More than ${purgedTagsMax} tags point at this manifest; delete tags first`,
  });
}
