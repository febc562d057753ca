/**
 * Puts right bytes in the place of damaged ones, from a repository that has them.
 *
 * A mark goes in a commit that proves under the writer's lock that what lies there is what was put there.
 */
import { scrub } from "../../metadata/scrub.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Registry } from "../registry.ts";

interface Copy {
  readonly repository: string;
  readonly digest: Digest;
}

/** Shares the content of `from`, which is right, with a repository whose own is not. False when it could not. */
export async function replaceCopy(
  registry: Registry,
  { repository, digest }: Copy,
  from: string,
): Promise<boolean> {
  const { blobs } = registry;
  if (!(await blobs.share(digest, { from, to: repository, mayCopy: true }))) return false;
  const stat = await blobs.stat(repository, digest);
  return stat !== null && (await markSound(registry, { repository, digest }, stat.stamp));
}

/** Takes a mark away, where what lies there has this stamp: of bytes that are right. */
export async function markSound(
  { metadata }: Registry,
  { repository, digest }: Copy,
  stamp: string,
): Promise<boolean> {
  const outcome = await metadata.commit({
    repository,
    preconditions: [{ kind: "bytes-are", digest, stamp }],
    // The repository may have lost the content meanwhile: then the sweep takes the file again.
    changes: [
      { kind: "mark-sound", digest },
      { kind: "release-bytes", digest },
    ],
    by: null,
  });
  return outcome.committed;
}

/** What is marked under a digest that is about to be named: asked before the commit, which takes its own mark away. */
export async function marksOf({ metadata }: Registry, digest: Digest): Promise<readonly string[]> {
  const marked = await metadata.records(scrub).damagedAs(digest);
  return marked.map(({ repository }) => repository);
}

/**
 * A push has brought right bytes: they take the place of damaged ones in every repository that is marked. What cannot be
 * mended is reported: the push itself has succeeded.
 */
export async function healMarked(
  registry: Registry,
  { repository: from, digest }: Copy,
  marked: readonly string[],
): Promise<void> {
  const { report } = registry;
  for (const repository of marked) {
    try {
      const isHealed =
        repository === from || (await replaceCopy(registry, { repository, digest }, from));
      if (isHealed) report("warn", healed, { repository, digest, from: "a push" });
    } catch (error) {
      const problem = String(error);
      report("error", "a damaged copy could not be replaced", { repository, digest, problem });
    }
  }
}

export const healed = "content that was damaged is right again";
