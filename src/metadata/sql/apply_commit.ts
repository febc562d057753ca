/**
 * Applies one unit of work inside an open transaction: a table from change to statements.
 *
 * All preconditions are checked before the first change (`preconditions.ts`), so a commit that fails leaves no trace. A
 * change whose result is there already succeeds, because pushes are idempotent. Every tag that is moved or removed
 * leaves a history row. `sqlite_writer.ts` opens, batches and flushes the transaction.
 */
import type { CommitContext } from "./commit_context.ts";
import {
  failedMax,
  isRecordCommit,
  type AnyCommit,
  type Change,
  type Commit,
  type CommitOutcome,
  type FailedPrecondition,
} from "../metadata.ts";
import { storesIn, type RecordCommit } from "../records.ts";
import { dropHeldBlob, dropHeldManifest, releaseHeld, restoreHeld } from "./held.ts";
import { failedPreconditions, findRepository, isNamed } from "./preconditions.ts";
import {
  blobLinked,
  contentPromised,
  dropCandidate,
  keepCandidate,
  manifestLoosened,
  manifestNames,
  referenceLost,
  repositoryEmptied,
  tagLost,
  tagSet,
} from "./candidates.ts";
import { eraseMark, markDamaged, quarantine } from "./damaged.ts";
import { purge } from "./purge.ts";
import { applyWithinQuotas } from "./quota_check.ts";
import { putManifest } from "./put_manifest.ts";
import { removeManifest, removeTag, unlinkBlob, type Work } from "./remove.ts";
import { tablesOf, type Stores } from "./record_tables.ts";
import { get, known, run, type Rule, tell } from "./statements.ts";
import { joinQuotas } from "./usage_count.ts";
import { writeHistory, type Move } from "./write_history.ts";

type WriteContext = CommitContext & { readonly stores: Stores };
/** What a unit does, with the numbers of its repositories; null for one that is not there yet. */
type Parts = readonly { readonly part: Commit; readonly id: number | null }[];

/** Checks and applies one unit of work: the preconditions of all of its parts before the first change. */
export function* applyCommit(context: WriteContext, commit: AnyCommit): Rule<CommitOutcome> {
  if (isRecordCommit(commit)) {
    for (const records of storesIn(commit)) yield* applyRecords(context, records);
    return { committed: true };
  }
  if ("repository" in commit) return yield* applyPart(context, commit);
  const parts: Parts[number][] = [];
  for (const part of commit.parts) {
    parts.push({ part, id: yield* findRepository(context, part.repository) });
  }
  const failed: FailedPrecondition[] = [];
  for (const { part, id } of parts) {
    const { repository } = part;
    const found = yield* failedPreconditions(context, part, id);
    failed.push(...found.map((each) => ({ ...each, repository })));
  }
  if (failed.length > 0) return { committed: false, failed: failed.slice(0, failedMax) };
  return yield* applyParts(context, parts);
}

function* applyPart(context: WriteContext, commit: Commit): Rule<CommitOutcome> {
  const id = yield* findRepository(context, commit.repository);
  const failed = yield* failedPreconditions(context, commit, id);
  if (failed.length > 0) return { committed: false, failed };
  return yield* applyParts(context, [{ part: commit, id }]);
}

function applyParts(context: WriteContext, parts: Parts): Rule<CommitOutcome> {
  return applyWithinQuotas(context, parts, applyAll(context, parts));
}

function* applyAll(context: WriteContext, parts: Parts): Rule<void> {
  for (const { part, id } of parts) {
    yield* applyChanges(context, part, id);
    for (const records of part.records ?? []) yield* applyRecords(context, records);
  }
}

function* applyRecords(context: WriteContext, { records, changes }: RecordCommit): Rule<void> {
  const tables = tablesOf(context.stores, records);
  for (const change of changes) yield* tables.apply(context, change);
}

function* applyChanges(context: CommitContext, commit: Commit, given: number | null): Rule<void> {
  const { repository, by, changes } = commit;
  let id = given;
  const work: Work = {
    ...context,
    repository,
    by,
    touched: false,
    freed: [],
    untold: new Set(),
    put: new Map(),
    shape: null,
  };
  for (const change of changes) {
    if (id === null && !(yield* bringsIntoBeing(work, change))) continue;
    id ??= yield* createRepository(work, repository);
    const apply = appliers[change.kind] as (w: Work, i: number, c: Change) => Rule<unknown>;
    yield* apply(work, id, change);
  }
  if (id === null) return;
  for (const [digest, as] of work.put) {
    if (as === "new") yield* manifestLoosened(work, id, digest);
    else yield* contentPromised(work, id, digest, "manifest");
  }
  for (const digest of work.untold)
    yield* writeHistory(work, id, { tag: null, digest, previous: null });
  if (work.touched) {
    yield* tell(
      work,
      "UPDATE repositories SET generation = generation + 1, changed_at = ? WHERE id = ?",
      work.now,
      id,
    );
  }
  // Last, because an orphan is one from this commit's generation on.
  for (const digest of work.freed) yield* addOrphan(work, id, digest);
}

/** A tag that is pushed again and again writes no more often than that. */
const renewedMs = 60_000;
const tagRenewed = "UPDATE tags SET set_at = ? WHERE repository = ? AND name = ? AND set_at < ?";

type Appliers = {
  [K in Change["kind"]]: (
    work: Work,
    id: number,
    change: Extract<Change, { kind: K }>,
  ) => Rule<unknown>;
};

const appliers: Appliers = {
  "create-repository"(work, id) {
    return repositoryEmptied(work, id);
  },
  *"link-blob"(work, id, { digest, sizeBytes }) {
    yield* tell(
      work,
      "INSERT INTO blobs (repository, digest, size, linked_at) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT (repository, digest) DO UPDATE SET size = excluded.size, linked_at = excluded.linked_at",
      id,
      digest,
      sizeBytes,
      work.now,
    );
    yield* clearOrphan(work, id, digest);
    yield* blobLinked(work, id, digest);
    yield* dropHeldBlob(work, id, digest);
    yield* eraseMark(work, id, digest);
  },
  "unlink-blob"(work, id, { digest, hold }) {
    return unlinkBlob(work, id, digest, hold);
  },
  *"put-manifest"(work, id, { manifest }) {
    const written = yield* putManifest(work, id, manifest);
    work.put.set(manifest.digest, written?.isNew === true ? "new" : "known");
    yield* eraseMark(work, id, manifest.digest);
    if (written === null) return;
    work.shape = manifest;
    for (const { digest } of manifest.references) yield* manifestNames(work, id, digest);
    for (const digest of written.lost) yield* referenceLost(work, id, digest);
    yield* clearOrphan(work, id, manifest.digest);
    yield* dropHeldManifest(work, id, manifest.digest);
    work.untold.add(manifest.digest);
    work.touched = true;
  },
  "remove-manifest"(work, id, { digest, hold }) {
    return removeManifest(work, id, digest, { hold });
  },
  *"set-tag"(work, id, { tag, digest }) {
    const isNew = work.put.get(digest) === "new";
    work.put.delete(digest);
    const previous = yield* pointedAt(work, id, tag);
    if (previous?.digest === digest) {
      // Pushed again as it is: retention counts from now on, and history tells nothing.
      yield* tell(work, tagRenewed, work.now, id, tag, work.now - renewedMs);
      yield* tagSet(work, id, tag, { digest, isNew: false });
      return;
    }
    yield* tell(
      work,
      "INSERT INTO tags (repository, name, digest, set_at) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT (repository, name) DO UPDATE SET digest = excluded.digest, set_at = excluded.set_at",
      id,
      tag,
      digest,
      work.now,
    );
    yield* tagSet(work, id, tag, { digest, isNew });
    if (previous !== null) yield* tagLost(work, id, previous.digest);
    yield* writeHistory(work, id, { tag, digest, previous });
    work.untold.delete(digest);
    work.touched = true;
  },
  *"remove-tag"(work, id, { tag }) {
    const previous = yield* pointedAt(work, id, tag);
    if (previous === null) return;
    yield* removeTag(work, id, tag, previous);
    yield* tagLost(work, id, previous.digest);
    work.touched = true;
  },
  *"restore-held"(work, id, { digest }) {
    const { manifests, blobs } = yield* restoreHeld(work, id, digest);
    for (const restored of manifests) {
      yield* manifestNames(work, id, restored);
      work.untold.add(restored);
      // It begins to wait anew, though an index that has waited for long already names it.
      work.put.set(restored, restored === digest ? "known" : "new");
    }
    for (const restored of blobs) yield* blobLinked(work, id, restored);
    work.touched ||= manifests.length > 0;
  },
  *"release-held"(work, id, { digest }) {
    if (yield* releaseHeld(work, id, digest)) yield* repositoryEmptied(work, id);
  },
  purge(work, id, change) {
    return purge(work, id, change);
  },
  pin(work, id, { digest, until }) {
    return tell(
      work,
      "INSERT INTO pins (repository, digest, until) VALUES (?, ?, ?) " +
        "ON CONFLICT (repository, digest) DO UPDATE SET until = max(pins.until, excluded.until)",
      id,
      digest,
      until,
    );
  },
  unpin(work, id, { digest }) {
    return tell(work, "DELETE FROM pins WHERE repository = ? AND digest = ?", id, digest);
  },
  *"release-bytes"(work, id, { digest }) {
    work.freed.push(digest);
    yield* repositoryEmptied(work, id);
  },
  *"sweep-orphan"(work, id, { digest }) {
    // Without its row the bytes are not known to be unused: a push may be about to name them.
    if ((yield* clearOrphan(work, id, digest)) === 0 || (yield* isNamed(work, id, digest))) return;
    yield* work.bytes.remove(work, work.repository, digest);
    yield* eraseMark(work, id, digest);
  },
  "retry-orphan"(work, id, { digest }) {
    const later = "UPDATE orphans SET since = ? WHERE repository = ? AND digest = ?";
    return tell(work, later, work.now, id, digest);
  },
  promise(work, id, { digest, as }) {
    return contentPromised(work, id, digest, as);
  },
  "keep-candidate"(work, id, change) {
    return keepCandidate(work, id, change);
  },
  "drop-candidate"(work, id, change) {
    return dropCandidate(work, id, change);
  },
  "mark-damaged"(work, id, change) {
    return markDamaged(work, id, change);
  },
  quarantine(work, id, { digest }) {
    return quarantine(work, id, digest);
  },
  "mark-sound"(work, id, { digest }) {
    return eraseMark(work, id, digest);
  },
  *"remove-repository"(work, id) {
    yield* tell(
      work,
      "UPDATE repositories SET removed_at = ?, origin = ? WHERE id = ?",
      work.now,
      newOrigin(),
      id,
    );
    yield* dropCandidate(work, id, { digest: "", as: "repository" });
  },
};

/** Changes that bring a repository into being; the others have nothing to do in one that is not there. */
const creating: Readonly<Record<Change["kind"], boolean>> = {
  "create-repository": true,
  "link-blob": true,
  "unlink-blob": false,
  "put-manifest": true,
  "remove-manifest": false,
  "set-tag": true,
  "remove-tag": false,
  "restore-held": false,
  "release-held": false,
  purge: false,
  pin: false,
  unpin: false,
  "release-bytes": false,
  "sweep-orphan": false,
  "retry-orphan": false,
  promise: false,
  "keep-candidate": false,
  "drop-candidate": false,
  "mark-damaged": false,
  quarantine: false,
  "mark-sound": false,
  "remove-repository": false,
};

/** Bytes of a first push that was refused are swept as all others are; then the repository goes. */
function bringsIntoBeing(work: Work, change: Change): Rule<boolean> {
  if (change.kind !== "release-bytes") return known(creating[change.kind]);
  return work.bytes.present(work, work.repository, change.digest);
}

function* createRepository(work: Work, name: string): Rule<number> {
  yield* tell(
    work,
    "INSERT INTO repositories (name, created_at, changed_at, origin) VALUES (?, ?, ?, ?) " +
      // One that was removed comes back under its number.
      "ON CONFLICT (name) DO UPDATE SET removed_at = NULL, changed_at = excluded.changed_at, " +
      "generation = repositories.generation + 1",
    name,
    work.now,
    work.now,
    newOrigin(),
  );
  const id = yield* findRepository(work, name);
  if (id === null) throw new Error(`metadata: repository ${name} vanished inside a transaction`);
  yield* joinQuotas(work, id, name);
  return id;
}

/** What tells the generations of a repository from those of another one of its name. */
function newOrigin(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex");
}

/** Where a tag points, and since when. */
function* pointedAt(work: CommitContext, id: number, tag: string): Rule<Move["previous"]> {
  const row = yield* get(
    work,
    "SELECT digest, set_at FROM tags WHERE repository = ? AND name = ?",
    id,
    tag,
  );
  return row === null ? null : { digest: String(row["digest"]), at: Number(row["set_at"]) };
}

function* addOrphan(work: Work, id: number, digest: string): Rule<void> {
  if (yield* isNamed(work, id, digest)) return;
  yield* tell(
    work,
    "INSERT INTO orphans (repository, digest, since, generation) " +
      "SELECT id, ?, ?, generation FROM repositories WHERE id = ? ON CONFLICT DO NOTHING",
    digest,
    work.now,
    id,
  );
}

function clearOrphan(work: Work, id: number, digest: string): Rule<number> {
  return run(work, "DELETE FROM orphans WHERE repository = ? AND digest = ?", id, digest);
}
