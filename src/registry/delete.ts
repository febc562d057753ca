/**
 * Deletes tags, manifests and blobs [end-9, end-10].
 *
 * A delete is visible everywhere when this returns, and is recorded as history. A tag goes alone; a manifest goes with
 * every tag that points at it. A blob that a manifest of the repository names is not deleted; nor is the child of an
 * index, unless nothing names that index. What is deleted is held for an undo while there is time for one; then the sweep
 * removes the bytes, never before the commit.
 */
import type {
  Commit,
  CommitOutcome,
  FailedPrecondition,
  Precondition,
} from "../metadata/metadata.ts";
import type { Digest } from "../oci/digest.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import type { TagCondition } from "./push_manifest.ts";
import type { Registry } from "./registry.ts";
import { heldFor } from "./history/hold.ts";
import { fixesTags, requireRemovable } from "./retention/fixed_tags.ts";
import { absentError, beingRead, bring, resolveManifest, whyAbsent } from "./resolve.ts";

export interface DeleteRequest<T> {
  readonly repository: string;
  readonly target: T;
  readonly by: string | null;
}

/** @throws MANIFEST_UNKNOWN or NAME_UNKNOWN, PRECONDITION_FAILED, DENIED for a tag that the configuration fixes. */
export async function removeTag(
  registry: Registry,
  request: DeleteRequest<string> & { readonly tagIs: TagCondition },
): Promise<void> {
  const { repository, target: tag, by, tagIs } = request;
  await requireFree(registry, repository, tag);
  const preconditions: Precondition[] = [{ kind: "tag-exists", tag }];
  if (tagIs !== null && tagIs !== "present") {
    preconditions.push({ kind: "tag-is", tag, digests: tagIs });
  }
  const outcome = await removeIn(registry, "tag-exists", {
    repository,
    preconditions,
    changes: [{ kind: "remove-tag", tag }],
    by,
    records: registry.origin?.deleted(repository, tag) ?? [],
  });
  if (outcome.committed) return;
  if (isFailed(outcome.failed, "tag-exists")) {
    throw await unknownReference(registry, repository, tag);
  }
  throw apiError("PRECONDITION_FAILED");
}

/** One that is not there is no tag to protect. */
export async function requireFree(
  registry: Registry,
  repository: string,
  tag: string,
): Promise<void> {
  if (!fixesTags(registry, repository)) return;
  const resolved = await resolveManifest(registry, repository, { kind: "tag", tag });
  if (resolved.found === null) return;
  requireRemovable(registry, { repository, tag, digest: resolved.found.digest });
}

/** Tags that go with a manifest in one commit: each is two rows for the one writer. */
const removedTagsMax = 10_000;
/** Tags that a delete by digest asks about, one by one. */
const askedTagsMax = 1_000;
/** Tags may come and go between asking about them and the commit; then they are asked about again. */
const tagTriesMax = 8;

export interface ManifestDelete extends DeleteRequest<Digest> {
  /** Refuses to delete a manifest that more tags point at; null does not ask. */
  readonly tagsMax?: number | null;
  /** Throws when a tag may not go; null where the digest alone decides. */
  readonly checkTag?: ((tag: string) => void) | null;
}

/**
 * @throws MANIFEST_UNKNOWN or NAME_UNKNOWN, BLOB_REFERENCED when an index names the manifest, MANIFEST_COLLISION, and
 * what `checkTag` throws.
 */
export async function removeManifest(registry: Registry, request: ManifestDelete): Promise<void> {
  for (let attempt = 1; attempt <= tagTriesMax; attempt += 1) {
    if (await tryRemoveManifest(registry, request)) return;
  }
  throw apiError("UNAVAILABLE", {
    message: "The manifest's tags kept changing while it was deleted; delete it again",
  });
}

/** False when its tags are others than those that were asked about. */
async function tryRemoveManifest(registry: Registry, request: ManifestDelete): Promise<boolean> {
  const { repository, target: digest, by, tagsMax = null } = request;
  requireRemovable(registry, { repository, tag: null, digest });
  const count = tagsMax ?? removedTagsMax;
  const outcome = await removeIn(registry, "manifest-exists", {
    repository,
    preconditions: [
      { kind: "tags-at-most", digest, count },
      ...(await checkedTags(registry, request)),
      { kind: "manifest-exists", digest },
      { kind: "unprotected", digest },
    ],
    changes: [{ kind: "remove-manifest", digest, ...heldFor(registry, "deleted") }],
    by,
    records: registry.origin?.deleted(repository, digest) ?? [],
  });
  if (outcome.committed) return true;
  if (isFailed(outcome.failed, "manifest-exists")) {
    throw await unknownReference(registry, repository, digest);
  }
  if (isFailed(outcome.failed, "tags-at-most")) throw tooManyTags(tagsMax);
  if (isFailed(outcome.failed, "tags-are")) return false;
  throw apiError("BLOB_REFERENCED", {
    message: `The index ${foundIn(outcome.failed)} names this manifest; delete the index first`,
    detail: { digest },
  });
}

function tooManyTags(tagsMax: number | null): ApiError {
  if (tagsMax !== null) return apiError("MANIFEST_COLLISION");
  return apiError("MANIFEST_COLLISION", {
    message: `More than ${removedTagsMax} tags point at this manifest; delete tags first`,
  });
}

/** Asks about every tag that goes with the manifest, and makes the answer hold in the commit. */
async function checkedTags(
  registry: Registry,
  { repository, target: digest, checkTag = null }: ManifestDelete,
): Promise<Precondition[]> {
  const asksRules = fixesTags(registry, repository);
  if (checkTag === null && !asksRules) return [];
  const tags = await registry.metadata.tagsOf(repository, digest, askedTagsMax + 1);
  if (tags.length > askedTagsMax) {
    throw apiError("MANIFEST_COLLISION", {
      message: `More than ${askedTagsMax} tags point at this manifest; delete tags first`,
    });
  }
  for (const tag of tags) {
    checkTag?.(tag);
    if (asksRules) requireRemovable(registry, { repository, tag, digest });
  }
  return [{ kind: "tags-are", digest, tags }];
}

/** @throws BLOB_UNKNOWN, BLOB_REFERENCED when a manifest names the blob. */
export async function removeBlob(
  registry: Registry,
  { repository, target: digest, by }: DeleteRequest<Digest>,
): Promise<void> {
  const outcome = await removeIn(registry, "blob-linked", {
    repository,
    preconditions: [
      { kind: "blob-linked", digest },
      { kind: "unreferenced", digest },
    ],
    changes: [{ kind: "unlink-blob", digest, ...heldFor(registry, "deleted") }],
    by,
  });
  if (outcome.committed) return;
  if (isFailed(outcome.failed, "blob-linked")) {
    throw apiError("BLOB_UNKNOWN", { detail: { digest } });
  }
  throw apiError("BLOB_REFERENCED", {
    message: `The manifest ${foundIn(outcome.failed)} names this blob; delete the manifest first`,
    detail: { digest },
  });
}

/** Commits, and tries again when the target was read in from the disk meanwhile. */
async function removeIn(
  registry: Registry,
  target: Precondition["kind"],
  commit: Commit,
): Promise<CommitOutcome> {
  const outcome = await registry.metadata.commit(commit);
  if (outcome.committed || !isFailed(outcome.failed, target)) return outcome;
  const brought = await bring(registry, commit.repository);
  if (brought === "later") throw beingRead();
  return brought === "brought" ? registry.metadata.commit(commit) : outcome;
}

async function unknownReference(registry: Registry, repository: string, reference: string) {
  const why = await whyAbsent(registry, repository);
  return absentError(why, "MANIFEST_UNKNOWN", { name: repository, reference });
}

function isFailed(failed: readonly FailedPrecondition[], kind: Precondition["kind"]): boolean {
  return failed.some(({ precondition }) => precondition.kind === kind);
}

function foundIn(failed: readonly FailedPrecondition[]): string {
  return String(
    failed.find(
      ({ precondition }) =>
        precondition.kind === "unreferenced" || precondition.kind === "unprotected",
    )?.found,
  );
}
