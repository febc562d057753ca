/**
 * Content that only undo holds, in tables of its own: no list, pull, count or `index.json` sees it, and what reads live
 * content pays nothing for it.
 *
 * A row moves here when its content is removed, and back when that is undone. Its bytes stay in the repository, since
 * `isNamed` looks here, too. A push of the same content puts a live row in its place. The bytes become orphans when the
 * row goes. Content is live or held, never both.
 */
import type { Hold } from "../metadata.ts";
import { removeAnnotations } from "./long_annotations.ts";
import type { Asked, CommitContext } from "./commit_context.ts";
import { all, get, run, type Row, type Rule, tell } from "./statements.ts";

/** Rows that one undo brings back: an index of 10,000 images has some ten thousand of them. */
const restoredMax = 200_000;

interface Work extends Asked {
  readonly by: string | null;
  readonly freed: string[];
}

const manifestColumns =
  "repository, digest, media_type, size, subject, artifact_type, annotations, pushed_at, pushed_by";

const isHere = ["blobs", "manifests", "held_blobs", "held_manifests"]
  .map(
    (table) =>
      `EXISTS (SELECT 1 FROM ${table} t WHERE t.repository = r.repository AND t.digest = r.child)`,
  )
  .join(" OR ");

/**
 * Copies a manifest that is removed, with what it names, and with which of that is here. False when its time for an undo
 * is over, and nothing that is held names it.
 */
export function* holdManifest(work: Work, id: number, digest: string, hold: Hold): Rule<boolean> {
  const own = hold.since ?? work.now;
  const needed = hold.why === "deleted" ? null : yield* neededSince(work, id, digest);
  if (hold.isOver === true && needed === null) return false;
  beginHolding(work);
  yield* tell(
    work,
    `INSERT INTO held_manifests (${manifestColumns}, since, why, removed_by) ` +
      `SELECT ${manifestColumns}, ?, ?, ? FROM manifests WHERE repository = ? AND digest = ?`,
    Math.max(own, needed ?? own),
    hold.why,
    work.by,
    id,
    digest,
  );
  yield* tell(
    work,
    "INSERT INTO held_references (repository, parent, child, target, present) " +
      `SELECT r.repository, r.parent, r.child, r.target, CASE WHEN ${isHere} THEN 1 ELSE 0 END ` +
      "FROM manifest_references r " +
      "INDEXED BY manifest_references_parent WHERE r.repository = ? AND r.parent = ?",
    id,
    digest,
  );
  return true;
}

/** Copies a blob that is unlinked. */
export function* holdBlob(work: Work, id: number, digest: string, hold: Hold): Rule<void> {
  const since =
    hold.why === "deleted" ? (hold.since ?? work.now) : yield* neededSince(work, id, digest);
  if (since === null) return;
  beginHolding(work);
  yield* tell(
    work,
    "INSERT INTO held_blobs (repository, digest, size, since, why, removed_by) " +
      "SELECT repository, digest, size, ?, ?, ? FROM blobs WHERE repository = ? AND digest = ?",
    since,
    hold.why,
    work.by,
    id,
    digest,
  );
}

/** Since when the last of the held manifests is held that name it; null when there are none. */
function* neededSince(work: Work, id: number, digest: string): Rule<number | null> {
  const row = yield* get(
    work,
    "SELECT max(m.since) AS since FROM held_references r CROSS JOIN held_manifests m " +
      "ON m.repository = r.repository AND m.digest = r.parent WHERE r.repository = ? AND r.child = ?",
    id,
    digest,
  );
  const since = row?.["since"] ?? null;
  return since === null ? null : Number(since);
}

/** Whether anything is held, in any repository: most have nothing that a push could take the place of. */
function* holdsAnything(work: CommitContext): Rule<boolean> {
  const { found } = work;
  if (found !== undefined && found.holds !== null) return found.holds;
  const items = Number(
    (yield* get(work, "SELECT items FROM held_totals WHERE rowid = 1"))?.["items"] ?? 0,
  );
  if (found !== undefined) found.holds = items > 0;
  return items > 0;
}

/** To be called before something is held. */
function beginHolding({ found }: CommitContext): void {
  if (found !== undefined) found.holds = true;
}

/** Forgets a held blob; its bytes are somebody else's concern. */
export function* dropHeldBlob(work: CommitContext, id: number, digest: string): Rule<boolean> {
  if (!(yield* holdsAnything(work))) return false;
  return (
    (yield* run(work, "DELETE FROM held_blobs WHERE repository = ? AND digest = ?", id, digest)) > 0
  );
}

const ofParent =
  "DELETE FROM held_references INDEXED BY held_references_parent WHERE repository = ? AND parent = ?";

/** Forgets a held manifest and what it names. */
export function* dropHeldManifest(work: CommitContext, id: number, digest: string): Rule<boolean> {
  if (!(yield* holdsAnything(work))) return false;
  const remove = "DELETE FROM held_manifests WHERE repository = ? AND digest = ?";
  if ((yield* run(work, remove, id, digest)) === 0) return false;
  yield* tell(work, ofParent, id, digest);
  return true;
}

/** Forgets held content and gives its bytes to the sweep. False when nothing of it is held. */
export function* releaseHeld(work: Work, id: number, digest: string): Rule<boolean> {
  const isManifest = yield* dropHeldManifest(work, id, digest);
  if (isManifest && !(yield* isManifestLive(work, id, digest)))
    yield* removeAnnotations(work, id, digest);
  if (!(yield* dropHeldBlob(work, id, digest)) && !isManifest) return false;
  work.freed.push(digest);
  return true;
}

/** What is held of a manifest or blob, and of all that it names. */
interface HeldTree {
  readonly manifests: readonly string[];
  readonly blobs: readonly string[];
  /** Something that was here when it was removed and is gone since; null when nothing is. */
  readonly missing: string | null;
}

/**
 * Follows what a digest names, through what is held and what is live: the child of an index that nobody listed may have
 * been removed before the index.
 */
export function* heldTree(work: Asked, id: number | null, digest: string): Rule<HeldTree> {
  const seen = new Set<string>();
  const manifests: string[] = [];
  const blobs: string[] = [];
  let missing: string | null = null;
  const queue: Named[] = [{ digest, wasHere: true, pushedAt: 0 }];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { digest: one } = next;
    if (seen.has(one)) continue;
    seen.add(one);
    if (seen.size > restoredMax) return { manifests: [], blobs: [], missing: one };
    if (yield* isHeld(work, id, "held_manifests", one)) {
      manifests.push(one);
      queue.push(...(yield* heldChildrenOf(work, id, one)));
    } else if (yield* isHeld(work, id, "held_blobs", one)) {
      blobs.push(one);
    } else if (yield* isManifestLive(work, id, one)) {
      queue.push(...(yield* liveChildrenOf(work, id, one)));
    } else if (
      !(yield* isLive(work, id, one)) &&
      (next.wasHere || (yield* wasRemoved(work, id, next)))
    ) {
      missing ??= one;
    }
  }
  return { manifests, blobs, missing };
}

interface Named {
  readonly digest: string;
  /** Whether it was here when what names it was removed. */
  readonly wasHere: boolean;
  /** When what names it was pushed. */
  readonly pushedAt: number;
}

function* heldChildrenOf(work: CommitContext, id: number | null, parent: string): Rule<Named[]> {
  return (yield* all(
    work,
    "SELECT r.child, r.present, m.pushed_at FROM held_references r INDEXED BY held_references_parent " +
      "CROSS JOIN held_manifests m ON m.repository = r.repository AND m.digest = r.parent " +
      "WHERE r.repository = ? AND r.parent = ?",
    id,
    parent,
  )).map((row) => namedBy(row, row["present"] === 1));
}

/** The blobs of what is live are live. */
function* liveChildrenOf(work: CommitContext, id: number | null, parent: string): Rule<Named[]> {
  return (yield* all(
    work,
    "SELECT r.child, m.pushed_at FROM manifest_references r INDEXED BY manifest_references_parent " +
      "CROSS JOIN manifests m ON m.repository = r.repository AND m.digest = r.parent " +
      "WHERE r.repository = ? AND r.parent = ? AND r.target = 'manifest'",
    id,
    parent,
  )).map((row) => namedBy(row, false));
}

function namedBy(row: Row, wasHere: boolean): Named {
  return { digest: String(row["child"]), wasHere, pushedAt: Number(row["pushed_at"]) };
}

/** Since what names it was pushed: an index may also name what was not here then. */
function* wasRemoved(
  work: CommitContext,
  id: number | null,
  { digest, pushedAt }: Named,
): Rule<boolean> {
  const found =
    "SELECT 1 FROM history INDEXED BY history_removed WHERE repository = ? AND tag IS NULL " +
    "AND digest IS NULL AND previous = ? AND at >= ? LIMIT 1";
  return (yield* get(work, found, id, digest, pushedAt)) !== null;
}

/** Makes what is held of a digest, and of what it names, live again. Nothing when it is live, or gone. */
export function* restoreHeld(work: Asked, id: number, digest: string): Rule<HeldTree> {
  const tree = yield* heldTree(work, id, digest);
  for (const blob of tree.blobs) yield* restoreBlob(work, id, blob);
  for (const manifest of tree.manifests) yield* restoreManifest(work, id, manifest);
  return tree;
}

function* restoreBlob(work: CommitContext, id: number, digest: string): Rule<void> {
  yield* tell(
    work,
    "INSERT INTO blobs (repository, digest, size, linked_at) " +
      "SELECT repository, digest, size, ? FROM held_blobs WHERE repository = ? AND digest = ?",
    work.now,
    id,
    digest,
  );
  yield* dropHeldBlob(work, id, digest);
}

function* restoreManifest(work: CommitContext, id: number, digest: string): Rule<void> {
  yield* tell(
    work,
    `INSERT INTO manifests (${manifestColumns}) SELECT ${manifestColumns} FROM held_manifests ` +
      "WHERE repository = ? AND digest = ?",
    id,
    digest,
  );
  yield* tell(
    work,
    "INSERT INTO manifest_references (repository, parent, child, target) " +
      "SELECT repository, parent, child, target FROM held_references INDEXED BY held_references_parent " +
      "WHERE repository = ? AND parent = ?",
    id,
    digest,
  );
  yield* dropHeldManifest(work, id, digest);
}

function* isHeld(
  work: CommitContext,
  id: number | null,
  table: "held_manifests" | "held_blobs",
  digest: string,
): Rule<boolean> {
  const found = `SELECT 1 FROM ${table} WHERE repository = ? AND digest = ?`;
  return (yield* get(work, found, id, digest)) !== null;
}

/** Whether the digest is that of a manifest, live or held. */
export function* isManifest(work: CommitContext, id: number | null, digest: string): Rule<boolean> {
  return (
    (yield* isManifestLive(work, id, digest)) || (yield* isHeld(work, id, "held_manifests", digest))
  );
}

function* isManifestLive(work: CommitContext, id: number | null, digest: string): Rule<boolean> {
  const found = "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?";
  return (yield* get(work, found, id, digest)) !== null;
}

function* isLive(work: CommitContext, id: number | null, digest: string): Rule<boolean> {
  const found = "SELECT 1 FROM blobs WHERE repository = ? AND digest = ?";
  return (
    (yield* isManifestLive(work, id, digest)) || (yield* get(work, found, id, digest)) !== null
  );
}
