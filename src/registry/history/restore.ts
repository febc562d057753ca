/**
 * Brings back what was removed or moved: a tag as it was, with the manifest that it pointed at, or content alone.
 *
 * An undo is a commit like any other, under the condition that the tag is as it was shown. It brings back everything
 * that the manifest names, or nothing. What came back is pinned for a while, or retention would take it again.
 */
import { formatMoment } from "../../lib/moment.ts";
import type { Change, FailedPrecondition, Precondition } from "../../metadata/metadata.ts";
import type { RecordCommit } from "../../metadata/records.ts";
import type { Digest } from "../../oci/digest.ts";
import { apiError, type ApiError } from "../../oci/errors.ts";
import { requireFree } from "../delete.ts";
import type { Registry } from "../registry.ts";
import { absentError, beingRead, bring, whyAbsent } from "../resolve.ts";
import {
  immutablePreconditions,
  movedImmutableTag,
  requireRemovable,
} from "../retention/fixed_tags.ts";
import { forbiddenTag, rulePreconditions, type TagRules } from "../tag_rule.ts";

export interface TagRestore {
  readonly repository: string;
  readonly tag: string;
  /** What the tag points at afterwards; null removes it. */
  readonly digest: Digest | null;
  /** What it points at now, null for nothing, as whoever asks has seen it; absent where that does not matter. */
  readonly expect?: Digest | null;
  readonly tagRules: TagRules;
  readonly by: string | null;
  /** Whether the answer may tell who moved a tag. */
  readonly showsWho: boolean;
}

export interface Restored {
  /** Milliseconds since the epoch; null when nothing was pinned. */
  readonly pinnedUntil: number | null;
}

/** @throws PRECONDITION_FAILED, MANIFEST_UNKNOWN, NAME_UNKNOWN, and what the tag rules forbid. */
export async function restoreTag(registry: Registry, request: TagRestore): Promise<Restored> {
  const { repository, tag, digest, tagRules, by } = request;
  if ((await bring(registry, repository)) === "later") throw beingRead();
  // What it points at may be protected, and nobody has said what that is.
  if (digest === null && request.expect === undefined) await requireFree(registry, repository, tag);
  const pinnedUntil = digest === null ? null : pinEnd(registry);
  const outcome = await registry.metadata.commit({
    repository,
    preconditions: tagPreconditions(registry, request),
    changes: tagChanges(tag, digest, pinnedUntil),
    by,
    records: originRecords(registry, { repository, tag, digest }),
  });
  if (outcome.committed) return { pinnedUntil };
  const forbidden = forbiddenTag(outcome.failed, tagRules);
  if (forbidden !== null && request.expect !== null) throw tagRules.forbidden(forbidden);
  throw await whyNot(registry, request, outcome.failed);
}

/** What must hold for a tag to be set back, or removed. @throws DENIED for one that is not to be removed. */
export function tagPreconditions(
  registry: Registry,
  request: Pick<TagRestore, "repository" | "tag" | "digest" | "expect" | "tagRules">,
): Precondition[] {
  const { repository, tag, digest, expect, tagRules } = request;
  const isSeen: Precondition[] =
    expect === undefined ? [] : [{ kind: "tag-is", tag, digests: [expect] }];
  if (digest === null) {
    requireRemovable(registry, { repository, tag, digest: expect ?? "" });
    return isSeen;
  }
  return [
    ...isSeen,
    ...rulePreconditions([tag], tagRules),
    ...immutablePreconditions(registry, { repository, tags: [tag], digest }),
    { kind: "restorable", digest, as: "manifest" },
  ];
}

export function tagChanges(
  tag: string,
  digest: Digest | null,
  pinnedUntil: number | null,
): Change[] {
  if (digest === null) return [{ kind: "remove-tag", tag }];
  return [...restoreChanges(digest, pinnedUntil), { kind: "set-tag", tag, digest }];
}

/** What a mirror is to know of a tag that was set back, or removed, and of a manifest without one that came back. */
export function originRecords(
  { origin }: Registry,
  {
    repository,
    tag,
    digest,
  }: {
    readonly repository: string;
    readonly tag: string | null;
    readonly digest: Digest | null;
  },
): readonly RecordCommit[] {
  if (origin === null) return [];
  if (digest !== null) return origin.pushed(repository, digest, tag === null ? [] : [tag]);
  return tag === null ? [] : origin.deleted(repository, tag);
}

export function restoreChanges(digest: Digest, pinnedUntil: number | null): Change[] {
  const pin: Change[] = pinnedUntil === null ? [] : [{ kind: "pin", digest, until: pinnedUntil }];
  return [{ kind: "restore-held", digest }, ...pin];
}

/** Until when what comes back now is left alone; null where nothing is pinned. */
export function pinEnd({ undo, clock }: Registry): number | null {
  const { pinMs } = undo();
  return pinMs > 0 ? clock.now() + pinMs : null;
}

/** Brings back a manifest or a blob. @throws MANIFEST_UNKNOWN, NAME_UNKNOWN. */
export async function undelete(
  registry: Registry,
  request: { readonly repository: string; readonly digest: Digest; readonly by: string | null },
): Promise<Restored> {
  const { repository, digest, by } = request;
  if ((await bring(registry, repository)) === "later") throw beingRead();
  const pinnedUntil = pinEnd(registry);
  const outcome = await registry.metadata.commit({
    repository,
    preconditions: [{ kind: "restorable", digest, as: "any" }],
    changes: restoreChanges(digest, pinnedUntil),
    by,
  });
  if (outcome.committed) return { pinnedUntil };
  throw await gone(registry, repository, digest, foundIn(outcome.failed));
}

async function whyNot(
  registry: Registry,
  request: TagRestore,
  failed: readonly FailedPrecondition[],
): Promise<ApiError> {
  const { repository, tag, digest } = request;
  const immutable = movedImmutableTag(registry, repository, failed);
  if (immutable !== null) return immutable;
  const moved = failed.find(({ precondition: { kind } }) => kind === "tag-is");
  if (moved !== undefined) return movedTag(registry, request, moved.found);
  const isRule = failed.some(({ precondition: { kind } }) => kind === "tag-exists");
  if (isRule) return request.tagRules.forbidden(tag);
  return gone(registry, repository, digest ?? "", foundIn(failed));
}

/** The tag is not as it was shown: what it is now, and who made it so. */
export async function movedTag(
  registry: Registry,
  { repository, tag, showsWho }: Pick<TagRestore, "repository" | "tag" | "showsWho">,
  found: string | number | null,
): Promise<ApiError> {
  const [last] = await registry.metadata.past.tagEvents(repository, tag, {
    before: null,
    after: 0,
    limit: 1,
  });
  const now = found === null ? "it is gone" : `it points at ${found}`;
  const who = showsWho ? ` by ${last?.by ?? "an anonymous caller"}` : "";
  const when = last === undefined ? "" : ` since ${formatMoment(last.moment)}${who}`;
  return apiError("PRECONDITION_FAILED", {
    message: `The tag ${tag} was moved since it was shown: ${now}${when}; look again, then undo`,
    detail: {
      tag,
      digest: found,
      ...(last === undefined ? {} : { at: formatMoment(last.moment) }),
      ...(showsWho ? { by: last?.by ?? null } : {}),
    },
  });
}

/** What cannot come back: content that was collected, or never here. */
async function gone(
  registry: Registry,
  repository: string,
  digest: string,
  missing: string,
): Promise<ApiError> {
  const why = await whyAbsent(registry, repository);
  const removedAt = await registry.metadata.past.removedAt(repository, digest as Digest);
  if (why === "being-read" || (why === "no-repository" && removedAt === null)) {
    return absentError(why, "MANIFEST_UNKNOWN", { name: repository });
  }
  if (removedAt === null && missing === digest) {
    return apiError("MANIFEST_UNKNOWN", {
      message: `${digest} is not in ${repository}, and was not removed from it`,
      detail: { reason: "absent", digest },
    });
  }
  const what = missing === digest ? "It was" : `It needs ${missing}, which was`;
  return apiError("MANIFEST_UNKNOWN", {
    message: `${digest} cannot be brought back. ${what} collected when the time for an undo was over`,
    detail: {
      reason: "collected",
      digest,
      ...(missing === digest ? {} : { missing }),
      ...(removedAt === null ? {} : { removedAt: new Date(removedAt).toISOString() }),
    },
  });
}

function foundIn(failed: readonly FailedPrecondition[]): string {
  const lost = failed.find(({ precondition: { kind } }) => kind === "restorable");
  return String(lost?.found);
}
