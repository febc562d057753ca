/**
 * Marks of damaged content: written when a check finds it, erased when right bytes are there again.
 *
 * What lies in its place is looked at and moved under the write lock, by its stamp: a push that has put right bytes there
 * meanwhile is never undone.
 */
import type { Change } from "../metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Asked, CommitContext } from "./commit_context.ts";
import { get, type Rule, tell } from "./statements.ts";

type Mark = Extract<Change, { kind: "mark-damaged" }>;

export function markDamaged(work: CommitContext, id: number, mark: Mark): Rule<unknown> {
  const { digest, sizeBytes, how, stamp } = mark;
  return tell(
    work,
    "INSERT INTO damaged (repository, digest, size, how, since, stamp) VALUES (?, ?, ?, ?, ?, ?) " +
      "ON CONFLICT (repository, digest) DO UPDATE SET how = excluded.how, stamp = excluded.stamp",
    id,
    digest,
    sizeBytes,
    how,
    work.now,
    stamp,
  );
}

/** Moves what a mark tells of into quarantine, where it lies still. Done again it finds it there. */
export function* quarantine(work: Asked, id: number, digest: Digest): Rule<void> {
  // Repositories that share a file share its name, though a crash has come between their marks.
  const found =
    "SELECT stamp, (SELECT min(since) FROM damaged WHERE digest = ?2) AS since " +
    "FROM damaged WHERE repository = ?1 AND digest = ?2";
  const mark = yield* get(work, found, id, digest);
  const stamp = mark?.["stamp"] ?? null;
  if (mark === null || stamp === null) return;
  const name = `${digest}.${new Date(Number(mark["since"])).toISOString()}`;
  const to = { stamp: String(stamp), name };
  const kept = yield* work.bytes.quarantine(work, work.repository, digest, to);
  const moved =
    "UPDATE damaged SET stamp = NULL, kept = coalesce(CAST(? AS TEXT), kept) WHERE repository = ? AND digest = ?";
  yield* tell(work, moved, kept, id, digest);
}

/** Right bytes are there, or none are wanted. */
export function eraseMark(work: CommitContext, id: number, digest: string): Rule<unknown> {
  return tell(work, "DELETE FROM damaged WHERE repository = ? AND digest = ?", id, digest);
}
