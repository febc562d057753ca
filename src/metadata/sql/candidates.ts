/**
 * Candidates of collection: what a commit leaves without a name, written in that commit.
 *
 * A candidate is a row that says since when nothing names a blob or a manifest, or since when a repository is empty.
 * Collection reads the rows that are due and looks at nothing else. A row that is missing would leave garbage for ever;
 * one too many costs a look, after which it is dropped. What loses its name with a manifest inherits the manifest's
 * clock, so that an image and its layers wait for one delay together.
 */
import { referrerTagsOf, subjectOfTag } from "../../oci/referrers.ts";
import { followingTagsMax } from "../collection.ts";
import { all, get, type Engine, type Rule, tell } from "./statements.ts";

interface Work {
  readonly engine: Engine;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A second loss, or a second push, starts the clock anew. */
const renewed =
  "ON CONFLICT (repository, digest, kind) DO UPDATE SET since = max(candidates.since, excluded.since), " +
  "look_at = max(candidates.since, excluded.since), " +
  "reason = excluded.reason";
const into = "INSERT INTO candidates (repository, digest, kind, since, look_at, reason)";

/** Of a manifest `m`: no tag but those that follow a subject. */
const hasNoTag =
  "NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = m.repository AND t.digest = m.digest " +
  "AND (t.name < 'sha256-' OR t.name >= 'sha256.'))";
const hasNoSubject =
  "(m.subject IS NULL OR NOT EXISTS (SELECT 1 FROM manifests s " +
  "WHERE s.repository = m.repository AND s.digest = m.subject))";
const isLoose = `${hasNoTag} AND ${hasNoSubject}`;
/** What was pushed later than that has not waited for so long. */
const sincePush = "max(?3, m.pushed_at)";
const row = (since: string): string =>
  `SELECT m.repository, m.digest, 'manifest', ${since}, ${since}, ` +
  "CASE WHEN m.subject IS NULL THEN 'untagged' ELSE 'no-subject' END";
const noParent =
  "NOT EXISTS (SELECT 1 FROM manifest_references r WHERE r.repository = m.repository AND r.child = m.digest)";

const sql = {
  linked:
    `${into} SELECT ?1, ?2, 'blob', ?3, ?3, 'unnamed' WHERE NOT EXISTS ` +
    `(SELECT 1 FROM manifest_references WHERE repository = ?1 AND child = ?2) ${renewed}`,
  manifest:
    `${into} ${row("?3")} FROM manifests m ` +
    `WHERE m.repository = ?1 AND m.digest = ?2 AND ${isLoose} AND ${noParent} ${renewed}`,
  untagged:
    `${into} ${row("?3")} FROM manifests m ` +
    `WHERE m.repository = ?1 AND m.digest = ?2 AND ${hasNoTag} ${renewed}`,
  always: `${into} VALUES (?1, ?2, ?4, ?3, ?3, ?5) ${renewed}`,
  erase: "DELETE FROM candidates WHERE repository = ?1 AND digest = ?2 AND kind = ?3",
  /** A blob that is gone, or that a manifest names. */
  eraseBlob:
    "DELETE FROM candidates WHERE repository = ?1 AND digest = ?2 AND kind = 'blob' AND (NOT EXISTS " +
    "(SELECT 1 FROM blobs WHERE repository = ?1 AND digest = ?2) OR EXISTS " +
    "(SELECT 1 FROM manifest_references WHERE repository = ?1 AND child = ?2))",
  isLoose:
    "SELECT 1 FROM manifests m " +
    `WHERE m.repository = ?1 AND m.digest = ?2 AND ${isLoose} AND ${noParent}`,
  tagsOf: "SELECT name FROM tags WHERE repository = ?1 AND digest = ?2 LIMIT ?3",
  eraseNamed: "DELETE FROM candidates WHERE repository = ?1 AND digest = ?2",
  since: "SELECT since FROM candidates WHERE repository = ?1 AND digest = ?2 AND kind = ?3",
  lostBlobs:
    `${into} SELECT b.repository, b.digest, 'blob', max(?3, b.linked_at), max(?3, b.linked_at), 'unnamed' ` +
    "FROM manifest_references r INDEXED BY manifest_references_parent " +
    "CROSS JOIN blobs b ON b.repository = r.repository AND b.digest = r.child " +
    `WHERE r.repository = ?1 AND r.parent = ?2 ${renewed}`,
  lostChildren:
    `${into} ${row(sincePush)} FROM manifest_references r INDEXED BY manifest_references_parent ` +
    "CROSS JOIN manifests m ON m.repository = r.repository AND m.digest = r.child " +
    `WHERE r.repository = ?1 AND r.parent = ?2 AND ${hasNoTag} ${renewed}`,
  lostReferrers:
    `${into} ${row(sincePush)} FROM manifests m INDEXED BY manifests_subject ` +
    `WHERE m.repository = ?1 AND m.subject = ?2 AND ${hasNoTag} ${renewed}`,
  lostTags:
    `${into} SELECT t.repository, t.digest, 'manifest', ?3, ?3, 'no-subject' FROM tags t ` +
    `WHERE t.repository = ?1 AND t.name IN (?4, ?5, ?6, ?7) AND t.digest <> ?2 ${renewed}`,
  hasManifest: "SELECT 1 FROM manifests WHERE repository = ?1 AND digest = ?2",
  empty:
    `${into} SELECT ?1, '', 'repository', ?2, ?2, 'empty' WHERE NOT EXISTS ` +
    "(SELECT 1 FROM blobs WHERE repository = ?1 AND digest > '') AND NOT EXISTS " +
    `(SELECT 1 FROM manifests WHERE repository = ?1 AND digest > '') ${renewed}`,
  keep: "UPDATE candidates SET look_at = ?4 WHERE repository = ?1 AND digest = ?2 AND kind = ?3",
} as const;

/** A blob was pushed or mounted: it waits for a manifest. */
export function blobLinked(work: Work, id: number, digest: string): Rule<unknown> {
  return tell(work, sql.linked, id, digest, work.now);
}

export function* blobUnlinked(work: Work, id: number, digest: string): Rule<void> {
  const since = yield* clockOf(work, id, digest, "blob");
  yield* tell(work, sql.erase, id, digest, "blob");
  yield* repositoryEmptied(work, id, since);
}

/** Since when it has been a candidate, and now where it is none: never later than now. */
function* clockOf(work: Work, id: number, digest: string, as: string): Rule<number> {
  return Math.min((yield* candidateSince(work, id, digest, as)) ?? work.now, work.now);
}

/**
 * Somebody who pushes relies on it, since they were told that it is here, or pushed it again ahead of an index that will
 * name it: it begins to wait anew, whatever names it.
 */
export function contentPromised(
  work: Work,
  id: number,
  digest: string,
  as: "blob" | "manifest",
): Rule<unknown> {
  return tell(work, sql.always, id, digest, work.now, as, as === "blob" ? "unnamed" : "untagged");
}

/** A manifest names this from now on. */
export function manifestNames(work: Work, id: number, child: string): Rule<unknown> {
  return tell(work, sql.eraseNamed, id, child);
}

/** A manifest may have no name: it was put without a tag, or lost one, or its parent names it no more. */
export function manifestLoosened(work: Work, id: number, digest: string): Rule<unknown> {
  return tell(work, sql.manifest, id, digest, work.now);
}

/**
 * A manifest lost a tag. Where no other one is left it begins to wait, though an index or a subject names it: that may
 * have waited for long already, and go at once.
 */
export function tagLost(work: Work, id: number, digest: string): Rule<unknown> {
  return tell(work, sql.untagged, id, digest, work.now);
}

/** What a manifest named before and names no more. */
export function* referenceLost(work: Work, id: number, digest: string): Rule<void> {
  const blob = "SELECT 1 FROM blobs WHERE repository = ? AND digest = ?";
  if ((yield* get(work, blob, id, digest)) !== null) yield* blobLinked(work, id, digest);
  yield* manifestLoosened(work, id, digest);
}

/**
 * A tag names a manifest, unless it is one that follows a manifest which is not here. A manifest that came with this
 * commit, and of which no other tag told, is no candidate yet.
 */
export function* tagSet(
  work: Work,
  id: number,
  tag: string,
  { digest, isNew }: { readonly digest: string; readonly isNew: boolean },
): Rule<void> {
  const subject = subjectOfTag(tag);
  if (isNew && subject === null) return;
  if (subject === null || (yield* get(work, sql.hasManifest, id, subject)) !== null) {
    yield* tell(work, sql.erase, id, digest, "manifest");
  } else {
    yield* tell(work, sql.always, id, digest, work.now, "manifest", "no-subject");
  }
}

/**
 * Call it when the row of a manifest is gone and those of its references are not. They inherit the clock of one that was
 * collected. What somebody deleted had a use until now, and so had all that it names. What something else names is a
 * candidate, too: that may have waited for longer.
 */
export function* manifestRemoved(
  work: Work,
  id: number,
  digest: string,
  { isCollected }: { readonly isCollected: boolean },
): Rule<void> {
  const since = isCollected ? yield* clockOf(work, id, digest, "manifest") : work.now;
  for (const lost of [sql.lostBlobs, sql.lostChildren, sql.lostReferrers]) {
    yield* tell(work, lost, id, digest, since);
  }
  const [plain, sig, att, sbom] = referrerTagsOf(digest);
  if (plain !== undefined && sig !== undefined && att !== undefined && sbom !== undefined) {
    yield* tell(work, sql.lostTags, id, digest, since, plain, sig, att, sbom);
  }
  yield* tell(work, sql.erase, id, digest, "manifest");
  yield* repositoryEmptied(work, id, since);
}

/** A repository may hold nothing any more, or nothing yet. */
export function repositoryEmptied(work: Work, id: number, since = work.now): Rule<unknown> {
  return tell(work, sql.empty, id, since);
}

/** A rule keeps a candidate: it is looked at again at that time. */
export function keepCandidate(
  work: Work,
  id: number,
  { digest, as, lookAt }: { readonly digest: string; readonly as: string; readonly lookAt: number },
): Rule<unknown> {
  return tell(work, sql.keep, id, digest, as, lookAt);
}

/**
 * Something names it: it is no candidate any more, or one to look at later. Whoever says so looked before this commit, and
 * what named it may have gone in between.
 */
export function* dropCandidate(
  work: Work,
  id: number,
  given: { readonly digest: string; readonly as: string; readonly lookAt?: number },
): Rule<void> {
  const { digest, as, lookAt } = given;
  if (as === "manifest" && !(yield* hasName(work, id, digest))) return;
  if (lookAt !== undefined) yield* keepCandidate(work, id, { digest, as, lookAt });
  else if (as === "blob") yield* tell(work, sql.eraseBlob, id, digest);
  else yield* tell(work, sql.erase, id, digest, as);
}

/** Whether a manifest is gone, or something names it: a tag that only follows a subject does while that is here. */
function* hasName(work: Work, id: number, digest: string): Rule<boolean> {
  if ((yield* get(work, sql.isLoose, id, digest)) === null) return true;
  const tags = yield* all(work, sql.tagsOf, id, digest, followingTagsMax);
  if (tags.length === followingTagsMax) return true;
  for (const { name } of tags) {
    const subject = subjectOfTag(String(name));
    if (subject === null || (yield* get(work, sql.hasManifest, id, subject)) !== null) return true;
  }
  return false;
}

/** Since when it has been a candidate; null when it is none. */
export function* candidateSince(
  work: Pick<Work, "engine">,
  id: number | null,
  digest: string,
  as: string,
): Rule<number | null> {
  const found = yield* get(work, sql.since, id, digest, as);
  return found === null ? null : Number(found["since"]);
}
