/**
 * THE table of where right bytes may come from when a check finds damage. One row for each, asked in order.
 *
 * A row puts right bytes, verified and flushed, in the place of the content, and takes no mark away: whoever asked looks
 * at what lies there afterwards. A push heals as well, wherever it is made (`replace_copy.ts`).
 */
import { scrub, type Damaged } from "../../metadata/scrub.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Registry } from "../registry.ts";

export interface Healer {
  /** Stands in the log: where the bytes came from. */
  readonly name: string;
  /** True when right bytes are in the place of what is damaged. */
  heal(registry: Registry, damaged: Damaged, tools: HealTools): Promise<boolean>;
}

/** What a healer may use of the check that found the damage. */
export interface HealTools {
  readonly signal: AbortSignal;
  /** Whether the content of a repository has its digest: read as it lies, at the pace of checks. */
  readonly isRight: (repository: string, digest: Digest) => Promise<boolean>;
}

/** Other copies that are read, to find a right one. */
const copiesMax = 8;
/** Repositories that are looked at in one turn. */
const pageMax = 1_000;

/** It was moved because the disk did not give it, and gives it now. */
const readAgain: Healer = {
  name: "what was moved away, which is right",
  heal: async ({ blobs }, { repository, digest, kept }) =>
    kept !== null && (await blobs.copyBack(kept, repository, digest)),
};

/** Live content of another repository, or what undo holds there, in a file of its own. */
const otherCopy: Healer = {
  name: "another repository",
  heal: async (registry, { repository, digest, sizeBytes }, { isRight, signal }) => {
    const { metadata, blobs } = registry;
    const reads = metadata.records(scrub);
    const wrong = new Set<string>();
    for (let after: number | null = 0; after !== null && !signal.aborted;) {
      const page: { names: readonly string[]; next: number | null } = await reads.namedIn(
        digest,
        after,
        pageMax,
      );
      for (const from of page.names) {
        const look = await blobs.lookAt(from, digest);
        if (from === repository || look === null || look.sizeBytes !== sizeBytes) continue;
        if (wrong.has(look.stamp) || wrong.size >= copiesMax) continue;
        const isShared =
          (await isRight(from, digest)) &&
          (await blobs.share(digest, { from, to: repository, mayCopy: true }));
        if (isShared) return true;
        wrong.add(look.stamp);
      }
      after = page.next;
    }
    return false;
  },
};

export const healers: readonly Healer[] = [readAgain, otherCopy];
