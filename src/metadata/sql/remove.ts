/**
 * Removes tags, manifests and blobs from the tables. What they lose goes to the sweep, or is kept for an undo
 * (`held.ts`).
 */
import type { Hold } from "../metadata.ts";
import { blobUnlinked, manifestRemoved } from "./candidates.ts";
import { holdBlob, holdManifest } from "./held.ts";
import { removeAnnotations } from "./long_annotations.ts";
import type { Asked } from "./commit_context.ts";
import { all, get, run, type Rule, tell } from "./statements.ts";
import { writeHistory, type Move, type Shape } from "./write_history.ts";

/** One part of a commit that is being applied. */
export interface Work extends Asked {
  readonly by: string | null;
  /** Whether this commit changes what the repository lists. */
  touched: boolean;
  /** Digests that lost a name. */
  readonly freed: string[];
  /** Manifests that are new or changed, and that no record of history tells yet. */
  readonly untold: Set<string>;
  /** Manifests that were put, and that no tag of this commit names; whether all of them was there before. */
  readonly put: Map<string, "new" | "known">;
  /** The manifest that was put last. */
  shape: Shape | null;
}

export interface Removal {
  readonly hold?: Hold | undefined;
  /** Why, for history. */
  readonly reason?: string | undefined;
}

/** With all tags that point at it. False when the manifest is not there. */
export function* removeManifest(
  work: Work,
  id: number,
  digest: string,
  { hold, reason }: Removal,
): Rule<boolean> {
  const found = "SELECT pushed_at FROM manifests WHERE repository = ? AND digest = ?";
  const pushed = yield* get(work, found, id, digest);
  for (const row of yield* all(
    work,
    "SELECT name, set_at FROM tags INDEXED BY tags_digest WHERE repository = ? AND digest = ? ORDER BY name",
    id,
    digest,
  )) {
    yield* removeTag(work, id, String(row["name"]), { digest, at: Number(row["set_at"]) }, reason);
  }
  if (pushed === null) return false;
  const previous = { digest, at: Number(pushed["pushed_at"]) };
  yield* writeHistory(work, id, { tag: null, digest: null, previous, reason });
  work.untold.delete(digest);
  work.put.delete(digest);
  const isHeld = hold !== undefined && (yield* holdManifest(work, id, digest, hold));
  yield* tell(work, "DELETE FROM manifests WHERE repository = ? AND digest = ?", id, digest);
  yield* manifestRemoved(work, id, digest, { isCollected: hold?.why === "collected" });
  yield* tell(
    work,
    "DELETE FROM manifest_references INDEXED BY manifest_references_parent WHERE repository = ? AND parent = ?",
    id,
    digest,
  );
  if (!isHeld) yield* removeAnnotations(work, id, digest);
  work.freed.push(digest);
  work.touched = true;
  return true;
}

export function* removeTag(
  work: Work,
  id: number,
  tag: string,
  previous: NonNullable<Move["previous"]>,
  reason?: string,
): Rule<void> {
  yield* tell(work, "DELETE FROM tags WHERE repository = ? AND name = ?", id, tag);
  yield* writeHistory(work, id, { tag, digest: null, previous, reason });
}

/** False when the blob is not there. */
export function* unlinkBlob(work: Work, id: number, digest: string, hold?: Hold): Rule<boolean> {
  if (hold !== undefined) yield* holdBlob(work, id, digest, hold);
  const unlinked = yield* run(
    work,
    "DELETE FROM blobs WHERE repository = ? AND digest = ?",
    id,
    digest,
  );
  if (unlinked === 0) return false;
  yield* blobUnlinked(work, id, digest);
  work.freed.push(digest);
  return true;
}
