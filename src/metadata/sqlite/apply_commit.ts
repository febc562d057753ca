/**
 * Applies one commit inside an open transaction: a table from precondition to check and a table
 * from change to statements.
 *
 * Promises: preconditions are all checked before the first change, so a commit that is refused
 * leaves no trace; a change that meets its result already there is a success (pushes are
 * idempotent). Every tag that is set elsewhere or removed leaves a history row.
 * Leaves to others: opening, batching and flushing the transaction (`sqlite_writer.ts`).
 */
import type { Database } from "bun:sqlite";
import { essenceOf } from "../../lib/http_fields.ts";
import {
  failedMax,
  type AnyCommit,
  type BytesUnderLock,
  type Change,
  type Commit,
  type CommitOutcome,
  type FailedPrecondition,
  type Precondition,
} from "../metadata.ts";
import { applyUserChange, type UserChange } from "./api_key_rows.ts";
import { removeAnnotations } from "./long_annotations.ts";
import { putManifest } from "./put_manifest.ts";
import { all, get, run } from "./statements.ts";

/** Indexes that a delete looks at, to see whether something names them; with more the manifest stays. */
const parentsMax = 1_000;

/** Prepared statements by text, and who and when for the rows that they write. */
export interface CommitContext {
  readonly database: Database;
  readonly bytes: BytesUnderLock;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface Asked extends CommitContext {
  readonly repository: string;
}

interface Work extends Asked {
  readonly by: string | null;
  /** Whether this commit changes the repository's index.json. */
  touched: boolean;
  /** Digests that lost a name. */
  readonly freed: string[];
}

/** Checks and applies one unit of work: the preconditions of all of its parts before the first change. */
export function applyCommit(context: CommitContext, commit: AnyCommit): CommitOutcome {
  if ("records" in commit) {
    for (const change of commit.changes) applyUserChange(context.database, change as UserChange);
    return { committed: true };
  }
  if ("repository" in commit) return applyPart(context, commit);
  const parts = commit.parts.map((part) => ({
    part,
    id: findRepository(context, part.repository),
  }));
  const failed = parts.flatMap(({ part, id }) =>
    failedPreconditions(context, part, id).map((each) => ({
      ...each,
      repository: part.repository,
    })),
  );
  if (failed.length > 0) return { committed: false, failed: failed.slice(0, failedMax) };
  for (const { part, id } of parts) applyChanges(context, part, id);
  return { committed: true };
}

function applyPart(context: CommitContext, commit: Commit): CommitOutcome {
  const id = findRepository(context, commit.repository);
  const failed = failedPreconditions(context, commit, id);
  if (failed.length > 0) return { committed: false, failed };
  applyChanges(context, commit, id);
  return { committed: true };
}

function applyChanges(context: CommitContext, commit: Commit, known: number | null): void {
  const { repository, by, changes } = commit;
  let id = known;
  const work: Work = { ...context, repository, by, touched: false, freed: [] };
  for (const change of changes) {
    if (id === null && !creating[change.kind]) continue;
    id ??= createRepository(work, repository);
    const apply = appliers[change.kind] as (w: Work, i: number, c: Change) => void;
    apply(work, id, change);
  }
  if (id === null) return;
  if (work.touched) {
    run(
      work,
      "UPDATE repositories SET generation = generation + 1, stale_since = COALESCE(stale_since, ?) WHERE id = ?",
      work.now,
      id,
    );
  }
  // Last, because an orphan waits for the layout that this commit's generation makes.
  for (const digest of work.freed) addOrphan(work, id, digest);
}

/** The preconditions that do not hold in the database as it is: the first `failedMax` of them. */
export function failedPreconditions(
  context: CommitContext,
  { repository, preconditions }: Pick<Commit, "repository" | "preconditions">,
  id: number | null,
): FailedPrecondition[] {
  const failed: FailedPrecondition[] = [];
  const asked: Asked = { ...context, repository };
  for (const precondition of preconditions) {
    if (failed.length >= failedMax) break;
    const found = checkPrecondition(asked, id, precondition);
    if (found !== holds) failed.push({ precondition, found });
  }
  return failed;
}

/** What a check returns when its precondition holds; anything else is what was found instead. */
const holds = Symbol("holds");
type Found = typeof holds | string | number | null;

type Checks = {
  [K in Precondition["kind"]]: (
    work: Asked,
    id: number | null,
    precondition: Extract<Precondition, { kind: K }>,
  ) => Found;
};

const checks: Checks = {
  "blob-linked": (work, id, { digest, sizeBytes }) => {
    const row = get(work, "SELECT size FROM blobs WHERE repository = ? AND digest = ?", id, digest);
    if (row === null) return null;
    const size = Number(row["size"]);
    return sizeBytes === undefined || sizeBytes === size ? holds : size;
  },
  "manifest-exists": (work, id, { digest }) =>
    get(work, "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?", id, digest) === null
      ? null
      : holds,
  "child-fits": (work, id, { digest, sizeBytes, mediaType, mayBeAbsent }) => {
    const row = get(
      work,
      "SELECT size, media_type FROM manifests WHERE repository = ? AND digest = ?",
      id,
      digest,
    );
    if (row === null) return mayBeAbsent ? holds : null;
    if (row["size"] !== sizeBytes) return Number(row["size"]);
    const found = String(row["media_type"]);
    return essenceOf(found) === essenceOf(mediaType) ? holds : found;
  },
  unreferenced: (work, id, { digest }) => {
    const row = get(
      work,
      "SELECT parent FROM manifest_references WHERE repository = ? AND child = ? LIMIT 1",
      id,
      digest,
    );
    return row === null ? holds : String(row["parent"]);
  },
  unprotected: (work, id, { digest }) => {
    const parents = all(
      work,
      "SELECT parent, target FROM manifest_references WHERE repository = ? AND child = ? LIMIT ?",
      id,
      digest,
      parentsMax,
    );
    const protects = parents.find(
      ({ parent, target }) => target !== "manifest" || isListed(work, id, String(parent)),
    );
    if (protects !== undefined) return String(protects["parent"]);
    return parents.length < parentsMax ? holds : String(parents[0]?.["parent"]);
  },
  "tag-is": (work, id, { tag, digests }) => {
    const found = tagDigest(work, id, tag);
    return digests.includes(found) ? holds : found;
  },
  "tag-exists": (work, id, { tag }) => (tagDigest(work, id, tag) === null ? null : holds),
  "tags-are": (work, id, { digest, tags }) => {
    const found = all(
      work,
      "SELECT name FROM tags WHERE repository = ? AND digest = ? LIMIT ?",
      id,
      digest,
      tags.length + 1,
    );
    const expected = new Set(tags);
    const isSame =
      found.length === expected.size && found.every(({ name }) => expected.has(String(name)));
    return isSame ? holds : found.length;
  },
  "tags-at-most": (work, id, { digest, count }) => {
    const found = all(
      work,
      "SELECT name FROM tags WHERE repository = ? AND digest = ? LIMIT ?",
      id,
      digest,
      count + 1,
    ).length;
    return found > count ? found : holds;
  },
  "digest-free": (work, id, { digest }) => (isNamed(work, id, digest) ? digest : holds),
  "bytes-present": (work, _id, { digest }) =>
    work.bytes.present(work.repository, digest) ? holds : null,
};

function checkPrecondition(work: Asked, id: number | null, precondition: Precondition): Found {
  const check = checks[precondition.kind] as (
    context: Asked,
    id: number | null,
    precondition: Precondition,
  ) => Found;
  return check(work, id, precondition);
}

type Appliers = {
  [K in Change["kind"]]: (work: Work, id: number, change: Extract<Change, { kind: K }>) => void;
};

const appliers: Appliers = {
  "create-repository": () => {},
  "link-blob": (work, id, { digest, sizeBytes }) => {
    run(
      work,
      "INSERT INTO blobs (repository, digest, size, linked_at) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET size = excluded.size, linked_at = excluded.linked_at",
      id,
      digest,
      sizeBytes,
      work.now,
    );
    clearOrphan(work, id, digest);
  },
  "unlink-blob": (work, id, { digest }) => {
    if (run(work, "DELETE FROM blobs WHERE repository = ? AND digest = ?", id, digest) === 0)
      return;
    work.freed.push(digest);
  },
  "put-manifest": (work, id, { manifest }) => {
    if (!putManifest(work, id, manifest)) return;
    clearOrphan(work, id, manifest.digest);
    work.touched = true;
  },
  "remove-manifest": (work, id, { digest }) => {
    for (const row of all(
      work,
      "SELECT name FROM tags WHERE repository = ? AND digest = ?",
      id,
      digest,
    )) {
      removeTag(work, id, String(row["name"]), digest);
    }
    const removed = "DELETE FROM manifests WHERE repository = ? AND digest = ?";
    if (run(work, removed, id, digest) === 0) return;
    run(
      work,
      "DELETE FROM manifest_references INDEXED BY manifest_references_parent WHERE repository = ? AND parent = ?",
      id,
      digest,
    );
    removeAnnotations(work.database, id, digest);
    writeHistory(work, id, null, null, digest);
    work.freed.push(digest);
    work.touched = true;
  },
  "set-tag": (work, id, { tag, digest }) => {
    const previous = tagDigest(work, id, tag);
    if (previous === digest) return;
    run(
      work,
      "INSERT INTO tags (repository, name, digest, set_at) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET digest = excluded.digest, set_at = excluded.set_at",
      id,
      tag,
      digest,
      work.now,
    );
    writeHistory(work, id, tag, digest, previous);
    work.touched = true;
  },
  "remove-tag": (work, id, { tag }) => {
    const previous = tagDigest(work, id, tag);
    if (previous === null) return;
    removeTag(work, id, tag, previous);
    work.touched = true;
  },
  "plan-layout": (work, id, { seen, stamp }) => {
    run(
      work,
      "UPDATE repositories SET stamp_current = ?, stamp_next = ? WHERE id = ?",
      seen,
      stamp,
      id,
    );
  },
  "record-layout": (work, id, { stamp, generation }) => {
    run(
      work,
      "UPDATE repositories SET stamp_current = ?, stamp_next = NULL, projected = ?, " +
        "stale_since = CASE WHEN generation > ? THEN ? ELSE NULL END WHERE id = ?",
      stamp,
      generation,
      generation,
      work.now,
      id,
    );
  },
  "raise-generation": (work, id, { generation }) => {
    const raise = "UPDATE repositories SET generation = MAX(generation, ?) WHERE id = ?";
    run(work, raise, generation, id);
    work.touched = true;
  },
  "release-bytes": (work, _id, { digest }) => {
    work.freed.push(digest);
  },
  "sweep-orphan": (work, id, { digest }) => {
    // Without its row the bytes are not known to be unused: somebody may be about to name them.
    if (clearOrphan(work, id, digest) > 0) work.bytes.remove(work.repository, digest);
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
  "plan-layout": false,
  "record-layout": false,
  "raise-generation": false,
  "release-bytes": false,
  "sweep-orphan": false,
};

export function findRepository(work: CommitContext, name: string): number | null {
  const row = get(work, "SELECT id FROM repositories WHERE name = ?", name);
  return row === null ? null : Number(row["id"]);
}

function createRepository(work: Work, name: string): number {
  run(
    work,
    "INSERT INTO repositories (name, created_at, stale_since, origin) VALUES (?, ?, ?, lower(hex(randomblob(8))))",
    name,
    work.now,
    work.now,
  );
  const id = findRepository(work, name);
  if (id === null) throw new Error(`metadata: repository ${name} vanished inside a transaction`);
  return id;
}

function tagDigest(work: CommitContext, id: number | null, tag: string): string | null {
  const row = get(work, "SELECT digest FROM tags WHERE repository = ? AND name = ?", id, tag);
  return row === null ? null : String(row["digest"]);
}

function removeTag(work: Work, id: number, tag: string, previous: string): void {
  run(work, "DELETE FROM tags WHERE repository = ? AND name = ?", id, tag);
  writeHistory(work, id, tag, null, previous);
}

function writeHistory(
  work: Work,
  id: number,
  tag: string | null,
  digest: string | null,
  previous: string | null,
): void {
  run(
    work,
    "INSERT INTO history (repository, tag, digest, previous, at, by, generation) " +
      "SELECT id, ?, ?, ?, ?, ?, generation + 1 FROM repositories WHERE id = ?",
    tag,
    digest,
    previous,
    work.now,
    work.by,
    id,
  );
}

function isNamed(work: CommitContext, id: number | null, digest: string): boolean {
  return (
    get(work, "SELECT 1 FROM blobs WHERE repository = ? AND digest = ?", id, digest) !== null ||
    get(work, "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?", id, digest) !== null
  );
}

/** Whether something names a manifest: a tag, an index, or its own subject, in whose list of referrers it stands. */
function isListed(work: CommitContext, id: number | null, digest: string): boolean {
  return (
    get(work, "SELECT 1 FROM tags WHERE repository = ? AND digest = ? LIMIT 1", id, digest) !==
      null ||
    get(
      work,
      "SELECT 1 FROM manifest_references WHERE repository = ? AND child = ? LIMIT 1",
      id,
      digest,
    ) !== null ||
    get(
      work,
      "SELECT 1 FROM manifests WHERE repository = ? AND digest = ? AND subject IS NOT NULL",
      id,
      digest,
    ) !== null
  );
}

function addOrphan(work: Work, id: number, digest: string): void {
  if (isNamed(work, id, digest)) return;
  run(
    work,
    "INSERT OR IGNORE INTO orphans (repository, digest, since, generation) " +
      "SELECT id, ?, ?, generation FROM repositories WHERE id = ?",
    digest,
    work.now,
    id,
  );
}

function clearOrphan(work: Work, id: number, digest: string): number {
  return run(work, "DELETE FROM orphans WHERE repository = ? AND digest = ?", id, digest);
}
