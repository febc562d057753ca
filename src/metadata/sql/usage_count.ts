/**
 * Counts what was there before there were totals, slice by slice, and makes quotas out of a configuration.
 *
 * A slice is a step of its own in the writer. Triggers keep what was counted and pass over what was not, so that the
 * figures are right when the last slice is done, whatever was committed between two of them.
 */
import { scopeTest, type Quota, type Scope } from "../usage.ts";
import type { RecordWork } from "./record_tables.ts";
import { all, get, run, type Row as AnyRow, type Rule, tell } from "./statements.ts";
import { allCounted, wholeScope } from "./usage_counted.ts";

/** Digests of a repository behind one of them, each once. */
export const contentPage =
  "SELECT digest, max(size) AS size FROM (" +
  "SELECT * FROM (SELECT digest, size FROM blobs WHERE repository = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3) " +
  "UNION ALL " +
  "SELECT * FROM (SELECT digest, size FROM manifests WHERE repository = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3)" +
  ") GROUP BY digest ORDER BY digest LIMIT ?3";

/** Repositories that have a digest, at most two of them in each table. */
const fewHolders =
  "SELECT repository FROM (SELECT repository FROM blobs INDEXED BY blobs_digest WHERE digest = ?1 LIMIT 2) UNION " +
  "SELECT repository FROM (SELECT repository FROM manifests INDEXED BY usage_manifests WHERE digest = ?1 LIMIT 2)";

/** The first digest behind one, of whatever table. */
const nextDigest =
  "SELECT min(" +
  ["blobs", "manifests", "held_blobs", "held_manifests"]
    .map(
      (table) => `coalesce((SELECT min(digest) FROM ${table} WHERE digest > ?1), '${allCounted}')`,
    )
    .join(", ") +
  ") AS digest";

const sizeIn = (table: string): string =>
  `(SELECT size FROM ${table} t WHERE t.digest = ?1 LIMIT 1)`;
const sizeOf =
  `SELECT coalesce(${sizeIn("blobs")}, ${sizeIn("manifests")}) AS live, ` +
  `coalesce(${sizeIn("held_blobs")}, ${sizeIn("held_manifests")}) AS held`;

/** The first one that is not counted; totals that are counted anew come first, then the registry. */
export const uncounted =
  `SELECT repository, counted_to FROM usage_totals WHERE counted_to IS NOT '${allCounted}' ` +
  "ORDER BY repository LIMIT 1";
export const unlookedScope =
  "SELECT id, scope, looked_to FROM usage_scopes WHERE looked_to IS NOT NULL LIMIT 1";
export const uncountedMember = `SELECT scope, repository, counted_to FROM usage_members INDEXED BY usage_members_uncounted WHERE counted_to <> '${allCounted}' LIMIT 1`;
export const droppedScope = "SELECT d.scope AS scope FROM usage_dropped d LIMIT 1";

const countOwn = (sign: "+" | "-"): string =>
  `UPDATE usage_scopes SET own = own ${sign} ?2 WHERE id IN (` +
  "SELECT s.id FROM usage_scopes s CROSS JOIN usage_digests d ON d.scope = s.id AND d.digest = ?1 " +
  `WHERE s.counts_own AND d.repositories = (SELECT a.repositories FROM usage_digests a ` +
  `WHERE a.scope = ${wholeScope} AND a.digest = ?1))`;
const takeOwn = countOwn("-");
const addOwn = countOwn("+");

interface Content {
  readonly digest: string;
  readonly size: number;
}

function* contentOf(work: RecordWork, id: number, after: string, limit: number): Rule<Content[]> {
  return (yield* all(work, contentPage, id, after, limit)).map((row) => ({
    digest: String(row["digest"]),
    size: Number(row["size"]),
  }));
}

function cursorBehind(page: readonly { readonly digest: string }[], limit: number): string {
  return page.length < limit ? allCounted : (page.at(-1)?.digest ?? allCounted);
}

interface Row {
  /** Where the total stands. */
  readonly row: number;
  /** What it is of: 0 is the registry. */
  readonly id: number;
  /** What was counted; null before anything was. */
  readonly from: string | null;
}

/** The shadow of a total, in which it is counted anew. */
export function shadowOf(id: number): number {
  return -1 - id;
}

/** Takes one step; nothing when all is counted. */
export function* countSlice(work: RecordWork, limit: number): Rule<void> {
  const next = yield* get(work, uncounted);
  if (next !== null) {
    const row = Number(next["repository"]);
    const id = row < 0 ? shadowOf(row) : row;
    const from = next["counted_to"] === null ? null : String(next["counted_to"]);
    if (id === 0) yield* countRegistry(work, { row, id, from }, limit);
    else yield* countRepository(work, { row, id, from }, limit);
    return;
  }
  if ((yield* lookForMembers(work, limit)) || (yield* dropScope(work, limit))) return;
  const member = yield* get(work, uncountedMember);
  if (member !== null) yield* countMember(work, member, limit);
}

function* countRepository(work: RecordWork, { row, id, from }: Row, limit: number): Rule<void> {
  if (from === null) {
    const counted = (table: string): string =>
      `(SELECT count(*) FROM ${table} WHERE repository = ?1)`;
    yield* tell(
      work,
      `UPDATE usage_totals SET manifests = ${counted("manifests")}, tags = ${counted("tags")}, counted_to = '' ` +
        "WHERE repository = ?2",
      id,
      row,
    );
  }
  const page = yield* contentOf(work, id, from ?? "", limit);
  let linked = 0;
  let own = 0;
  for (const { digest, size } of page) {
    linked += size;
    if ((yield* all(work, fewHolders, digest)).length === 1) own += size;
  }
  yield* tell(
    work,
    "UPDATE usage_totals SET linked = linked + ?2, own = own + ?3, digests = digests + ?4, counted_to = ?5 " +
      "WHERE repository = ?1",
    row,
    linked,
    own,
    page.length,
    cursorBehind(page, limit),
  );
}

function* countRegistry(work: RecordWork, { row, from }: Row, limit: number): Rule<void> {
  let [at, linked, kept, digests] = [from ?? "", 0, 0, 0];
  for (let looked = 0; looked < limit && at !== allCounted; looked += 1) {
    at = String((yield* get(work, nextDigest, at))?.["digest"]);
    if (at === allCounted) break;
    const size = yield* get(work, sizeOf, at);
    const live = size?.["live"] ?? null;
    kept += Number(live ?? size?.["held"] ?? 0);
    if (live === null) continue;
    linked += Number(live);
    digests += 1;
  }
  yield* tell(
    work,
    "UPDATE usage_totals SET linked = linked + ?1, kept = kept + ?2, digests = digests + ?3, counted_to = ?4 " +
      "WHERE repository = ?5",
    linked,
    kept,
    digests,
    at,
    row,
  );
}

/** Finds the repositories of a quota. False when those of all are found. */
function* lookForMembers(work: RecordWork, limit: number): Rule<boolean> {
  const scope = yield* get(work, unlookedScope);
  if (scope === null) return false;
  const fits = scopeTest(JSON.parse(String(scope["scope"])));
  const page = yield* all(
    work,
    "SELECT id, name FROM repositories WHERE id > ?1 ORDER BY id LIMIT ?2",
    Number(scope["looked_to"]),
    limit,
  );
  for (const { id, name } of page) {
    if (fits(String(name))) yield* join(work, Number(scope["id"]), Number(id), "");
  }
  yield* tell(
    work,
    "UPDATE usage_scopes SET looked_to = ?2 WHERE id = ?1",
    Number(scope["id"]),
    page.length < limit ? null : Number(page.at(-1)?.["id"]),
  );
  return true;
}

function join(
  work: RecordWork,
  scope: number,
  repository: number,
  countedTo: string,
): Rule<unknown> {
  return tell(
    work,
    "INSERT INTO usage_members (repository, scope, counted_to) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    repository,
    scope,
    countedTo,
  );
}

function* countMember(work: RecordWork, member: AnyRow, limit: number): Rule<void> {
  const [scope, repository] = [Number(member["scope"]), Number(member["repository"])];
  const page = yield* contentOf(work, repository, String(member["counted_to"]), limit);
  for (const { digest, size } of page) {
    yield* tell(work, takeOwn, digest, size);
    yield* tell(
      work,
      "INSERT INTO usage_digests (scope, digest, repositories, size) VALUES (?1, ?2, 1, ?3) " +
        "ON CONFLICT (scope, digest) DO UPDATE SET repositories = usage_digests.repositories + 1",
      scope,
      digest,
      size,
    );
    yield* tell(work, addOwn, digest, size);
  }
  yield* tell(
    work,
    "UPDATE usage_members SET counted_to = ?3 WHERE scope = ?1 AND repository = ?2",
    scope,
    repository,
    cursorBehind(page, limit),
  );
}

/** Rows of a quota that is no more. False when there are none. */
function* dropScope(work: RecordWork, limit: number): Rule<boolean> {
  const dropped = yield* get(work, droppedScope);
  if (dropped === null) return false;
  const scope = Number(dropped["scope"]);
  const removed = yield* run(
    work,
    "DELETE FROM usage_digests WHERE scope = ?1 AND digest <= coalesce((SELECT digest FROM usage_digests " +
      "WHERE scope = ?1 AND digest > '' ORDER BY digest LIMIT 1 OFFSET ?2), '~')",
    scope,
    limit,
  );
  if (removed < limit) yield* tell(work, "DELETE FROM usage_dropped WHERE scope = ?1", scope);
  return true;
}

/** There are as many as the configuration has. */
const allScopes = "SELECT id, scope FROM usage_scopes WHERE id > 0";

/** A repository that is new belongs to the quotas that its name fits. */
export function* joinQuotas(work: RecordWork, id: number, name: string): Rule<void> {
  for (const scope of yield* all(work, allScopes)) {
    if (!scopeTest(JSON.parse(String(scope["scope"])))(name)) continue;
    yield* join(work, Number(scope["id"]), id, allCounted);
  }
}

/** What a quota covers and counts, by which it keeps its figures when its limits change. */
function keyOf({ scope, count, isMaxRepos }: Quota): string {
  return JSON.stringify([scope, count, isMaxRepos]);
}

/** Brings the rows of quotas to what is configured. */
export function* setQuotas(work: RecordWork, quotas: readonly Quota[]): Rule<void> {
  const before = new Map(
    (yield* all(work, "SELECT id, key FROM usage_scopes WHERE key <> ''")).map((row) => [
      String(row["key"]),
      Number(row["id"]),
    ]),
  );
  for (const [place, quota] of quotas.entries()) {
    const key = keyOf(quota);
    if (!before.has(key))
      yield* addScope(work, { key, scope: quota.scope, countsOwn: quota.count === "own" });
    before.delete(key);
    yield* tell(
      work,
      "UPDATE usage_scopes SET place = ?2, quota = ?3 WHERE key = ?1",
      key,
      place,
      JSON.stringify(quota),
    );
  }
  for (const id of before.values()) yield* removeScope(work, id);
  // What is inside of a quota is told by what the whole registry has.
  const isAsked = quotas.some(({ count }) => count === "own");
  const whole = yield* get(work, "SELECT id FROM usage_scopes WHERE key = ''");
  if (isAsked && whole === null)
    yield* addScope(work, { key: "", scope: { prefix: "" }, countsOwn: false });
  if (!isAsked && whole !== null) yield* removeScope(work, Number(whole["id"]));
}

function addScope(
  work: RecordWork,
  added: { readonly key: string; readonly scope: Scope; readonly countsOwn: boolean },
): Rule<unknown> {
  return tell(
    work,
    "INSERT INTO usage_scopes (key, scope, counts_own, looked_to) VALUES (?1, ?2, ?3, 0)",
    added.key,
    JSON.stringify(added.scope),
    added.countsOwn ? 1 : 0,
  );
}

function* removeScope(work: RecordWork, id: number): Rule<void> {
  yield* tell(work, "DELETE FROM usage_members WHERE scope = ?1", id);
  yield* tell(work, "DELETE FROM usage_scopes WHERE id = ?1", id);
  yield* tell(work, "INSERT INTO usage_dropped (scope) VALUES (?1) ON CONFLICT DO NOTHING", id);
}

/** Begins to count a total anew, beside the one that is kept. */
export function beginRecount(work: RecordWork, id: number): Rule<unknown> {
  return tell(
    work,
    "INSERT INTO usage_totals (repository) SELECT ?2 FROM usage_totals WHERE repository = ?1 AND counted_to = ?3 " +
      "ON CONFLICT DO NOTHING",
    id,
    shadowOf(id),
    allCounted,
  );
}

const columns = ["linked", "own", "kept", "digests", "manifests", "tags"] as const;

/** A total that was counted anew takes the place of the one that was kept. */
export function* endRecount(work: RecordWork, id: number): Rule<void> {
  yield* tell(
    work,
    `UPDATE usage_totals SET ${columns.map((name) => `${name} = s.${name}`).join(", ")} FROM usage_totals s ` +
      "WHERE usage_totals.repository = ?1 AND s.repository = ?2 AND s.counted_to = ?3",
    id,
    shadowOf(id),
    allCounted,
  );
  yield* tell(
    work,
    "DELETE FROM usage_totals WHERE repository = ?1 AND counted_to = ?2",
    shadowOf(id),
    allCounted,
  );
}
