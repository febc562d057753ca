/**
 * Writes the rows of history: moves of tags, removals, and pushes that set no tag.
 *
 * Each event of a repository has a moment of its own, in microseconds, later than that of the event before: events of
 * one commit are told apart, and a clock that goes back does not change their order.
 */
import type { CommitContext } from "./commit_context.ts";
import { get, type Rule, tell } from "./statements.ts";

export interface Move {
  /** Null for a manifest of its own. */
  readonly tag: string | null;
  readonly digest: string | null;
  readonly previous: { readonly digest: string; readonly at: number } | null;
  /** Why, where somebody said so. */
  readonly reason?: string | undefined;
}

/** What history keeps of a manifest for an undo. */
export interface Shape {
  readonly digest: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

type Work = CommitContext & {
  readonly by: string | null;
  /** A manifest of which this is known already. */
  readonly shape?: Shape | null;
};

/**
 * The event before in the repository; pushes that set no tag are not told with times. It is asked on its own: an insert
 * that reads its own table first copies what it reads into a table of its own, which costs ten times the insert.
 */
const lastMoment =
  "SELECT h.moment FROM history h WHERE h.repository = ?1 AND (h.tag IS NOT NULL OR h.digest IS NULL) " +
  "AND h.sequence > 0 ORDER BY h.sequence DESC LIMIT 1";

/** While both manifests are there: what is known of them is kept for an undo. */
export function* writeHistory(work: Work, id: number, move: Move): Rule<void> {
  const { tag, digest, previous, reason = null } = move;
  const now = yield* shapeOf(work, id, digest);
  const before = yield* shapeOf(work, id, previous?.digest ?? null);
  const last = yield* get(work, lastMoment, id);
  yield* tell(
    work,
    "INSERT INTO history (repository, tag, digest, media_type, size, previous, previous_media_type, previous_size, " +
      "previous_at, at, by, reason, moment, generation) SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, " +
      "max(?10 * 1000, ?13 + 1), generation + 1 FROM repositories WHERE id = ?1",
    id,
    tag,
    digest,
    now?.mediaType ?? null,
    now?.sizeBytes ?? null,
    previous?.digest ?? null,
    before?.mediaType ?? null,
    before?.sizeBytes ?? null,
    previous?.at ?? null,
    work.now,
    work.by,
    reason,
    Number(last?.["moment"] ?? 0),
  );
}

/** Media type and size of a manifest. Two look-ups cost less than one statement that joins them. */
function* shapeOf(work: Work, id: number, digest: string | null): Rule<Shape | null> {
  if (digest === null) return null;
  if (work.shape?.digest === digest) return work.shape;
  const found = "SELECT media_type, size FROM manifests WHERE repository = ? AND digest = ?";
  const row = yield* get(work, found, id, digest);
  if (row === null) return null;
  return { digest, mediaType: String(row["media_type"]), sizeBytes: Number(row["size"]) };
}
