/**
 * Refuses a commit that would take a quota over its limit: the figures are compared before and after its changes, which
 * are taken back when one has grown beyond. So whatever a change adds is counted, and what a quota holds already is
 * free. A quota that is exceeded anyway, such as one that was lowered, refuses only what makes it grow.
 */
import type { Change, Commit, CommitOutcome } from "../metadata.ts";
import { quotaFigures, type Exceeded, type Quota, type QuotaUsage } from "../usage.ts";
import type { CommitContext } from "./commit_context.ts";
import { all, get, type Rule, tell } from "./statements.ts";
import { quotaOf, quotaSql, type QuotaRow } from "./quota_rows.ts";

interface Part {
  readonly part: Commit;
  /** Null for a repository that is not there yet. */
  readonly id: number | null;
}

/** Changes that may add to what a repository holds. */
const growing: ReadonlySet<Change["kind"]> = new Set<Change["kind"]>([
  "link-blob",
  "put-manifest",
  "set-tag",
  "restore-held",
]);

/** Applies these changes, or nothing of them. */
export function* applyWithinQuotas(
  work: CommitContext,
  parts: readonly Part[],
  changes: Rule<void>,
): Rule<CommitOutcome> {
  const asked = parts.filter(({ part }) => part.quotas !== "counted" && grows(part));
  const before = asked.length === 0 ? null : yield* figuresBefore(work, asked);
  if (before === null || before.size === 0) {
    yield* changes;
    return { committed: true };
  }
  yield* tell(work, "SAVEPOINT quotas");
  yield* changes;
  const exceeded = tightest(before, yield* allQuotas(work));
  if (exceeded !== null) yield* tell(work, "ROLLBACK TO quotas");
  yield* tell(work, "RELEASE quotas");
  return exceeded === null ? { committed: true } : { committed: false, failed: [], exceeded };
}

const hasQuotas =
  "SELECT 1 FROM usage_scopes INDEXED BY usage_scopes_place WHERE place >= 0 LIMIT 1";

type Figures = ReadonlyMap<number, QuotaUsage>;

function grows({ changes }: Commit): boolean {
  return changes.some(({ kind }) => growing.has(kind));
}

/** Of the quotas that the repositories belong to; of all where one is not there yet. Null where there are none. */
function* figuresBefore(work: CommitContext, parts: readonly Part[]): Rule<Figures | null> {
  if ((yield* get(work, hasQuotas)) === null) return null;
  if (parts.some(({ id }) => id === null))
    return new Map((yield* allQuotas(work)).map((each) => [each.id, each]));
  const found: QuotaUsage[] = [];
  for (const { id } of parts) {
    const rows = yield* all(work, quotaSql.quotasOf, id);
    found.push(...rows.map((row) => quotaOf(row as unknown as QuotaRow)));
  }
  return new Map(found.map((each) => [each.id, each]));
}

function* allQuotas(work: CommitContext): Rule<QuotaUsage[]> {
  return (yield* all(work, quotaSql.quotas)).map((row) => quotaOf(row as unknown as QuotaRow));
}

/** Of the figures that have grown beyond their limits the one that had the least room. */
function tightest(before: Figures, after: readonly QuotaUsage[]): Exceeded | null {
  let [found, leastRoom]: [Exceeded | null, number] = [null, Infinity];
  for (const quota of after) {
    const used = before.get(quota.id)?.used;
    if (used === undefined) continue;
    for (const figure of quotaFigures) {
      const limit = quota.limits[figure];
      const need = quota.used[figure] - used[figure];
      if (limit === null || need <= 0 || quota.used[figure] <= limit) continue;
      const room = limit - used[figure];
      if (room >= leastRoom && !isFirst(quota, found)) continue;
      [found, leastRoom] = [exceededBy(quota, figure, { limit, used: used[figure], need }), room];
    }
  }
  return found;
}

/** The limit of the whole registry has an answer of its own, which clients know. */
function isFirst({ isMaxRepos }: Quota, found: Exceeded | null): boolean {
  return isMaxRepos && found?.isMaxRepos !== true;
}

function exceededBy(
  { name, isMaxRepos }: Quota,
  figure: Exceeded["figure"],
  numbers: Pick<Exceeded, "limit" | "used" | "need">,
): Exceeded {
  return { scope: name, figure, isMaxRepos, ...numbers };
}
