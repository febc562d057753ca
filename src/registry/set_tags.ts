/**
 * Sets several tags of one repository in one commit: whoever reads sees all of them as they were, or all as they are.
 *
 * The manifests are there already. An import of content from elsewhere brings everything first, and then the tags.
 */
import type { Change, FailedPrecondition, Precondition } from "../metadata/metadata.ts";
import type { RecordCommit } from "../metadata/records.ts";
import type { Digest } from "../oci/digest.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import type { Registry } from "./registry.ts";
import { beingRead, bring } from "./resolve.ts";
import { immutablePreconditions, movedImmutableTag } from "./retention/fixed_tags.ts";
import { forbiddenTag, rulePreconditions, type TagRules } from "./tag_rule.ts";

export interface TagSet {
  readonly tag: string;
  readonly digest: Digest;
  /** One of these is what it points at before, null for nothing; absent where that does not matter. */
  readonly expect?: readonly (Digest | null)[];
}

/** Tags of one commit. */
export const setTagsMax = 10_000;

/** @throws PRECONDITION_FAILED, MANIFEST_UNKNOWN, and what the tag rules forbid. */
export async function setTags(
  registry: Registry,
  request: {
    readonly repository: string;
    readonly tags: readonly TagSet[];
    readonly tagRules: TagRules;
    readonly by: string | null;
  },
): Promise<void> {
  const { repository, tags, tagRules, by } = request;
  if ((await bring(registry, repository)) === "later") throw beingRead();
  const preconditions = tags.flatMap(({ tag, digest, expect }): Precondition[] => [
    ...(expect === undefined ? [] : [{ kind: "tag-is" as const, tag, digests: expect }]),
    ...rulePreconditions([tag], tagRules),
    ...immutablePreconditions(registry, { repository, tags: [tag], digest }),
    { kind: "manifest-exists", digest },
  ]);
  const outcome = await registry.metadata.commit({
    repository,
    preconditions,
    changes: tags.map(({ tag, digest }): Change => ({ kind: "set-tag", tag, digest })),
    by,
    records: originRecords(registry, repository, tags),
  });
  if (!outcome.committed) throw whyNot(registry, request, outcome.failed);
}

/** What a mirror is to know: the tags are the repository's own, as those of a push. */
function originRecords(
  { origin }: Registry,
  repository: string,
  tags: readonly TagSet[],
): readonly RecordCommit[] {
  if (origin === null) return [];
  return [...Map.groupBy(tags, ({ digest }) => digest)].flatMap(([digest, own]) =>
    origin.pushed(
      repository,
      digest,
      own.map(({ tag }) => tag),
    ),
  );
}

function whyNot(
  registry: Registry,
  { repository, tags, tagRules }: Parameters<typeof setTags>[1],
  failed: readonly FailedPrecondition[],
): ApiError {
  const absent = failed.find(({ precondition: { kind } }) => kind === "manifest-exists");
  if (absent !== undefined && absent.precondition.kind === "manifest-exists") {
    const { digest } = absent.precondition;
    return apiError("MANIFEST_UNKNOWN", {
      message: `${digest} is not in ${repository}; no tag was set`,
      detail: { digest },
    });
  }
  const immutable = movedImmutableTag(registry, repository, failed);
  if (immutable !== null) return immutable;
  const forbidden = forbiddenTag(failed, tagRules);
  const expected = new Set(tags.flatMap(({ tag, expect }) => (expect === undefined ? [] : [tag])));
  if (forbidden !== null && !expected.has(forbidden)) return tagRules.forbidden(forbidden);
  const [first] = failed;
  const tag = first !== undefined && "tag" in first.precondition ? first.precondition.tag : "a tag";
  return apiError("PRECONDITION_FAILED", {
    message: `${tag} points at ${String(first?.found ?? "nothing")} in ${repository}, which is not what was expected; no tag was set`,
    detail: { tag, found: first?.found ?? null },
  });
}
