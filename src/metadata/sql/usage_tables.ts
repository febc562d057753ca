/** What content takes (`../usage.ts`), as tables that triggers keep, and what is asked of them. */
import {
  scopeTest,
  usage,
  type HeldContent,
  type RegistryUsage,
  type RepositoryUsage,
  type UsageChange,
  type Recount,
  type UsageReads,
  type WaitingContent,
} from "../usage.ts";
import { quotaOf, quotaSql, type QuotaRow } from "./quota_rows.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import type { Rule } from "./statements.ts";
import {
  contentPage,
  beginRecount,
  countSlice,
  droppedScope,
  endRecount,
  setQuotas,
  uncounted,
  uncountedMember,
  unlookedScope,
} from "./usage_count.ts";
import { allCounted } from "./usage_counted.ts";
import type { Source } from "./source.ts";

const here = "(SELECT id FROM repositories WHERE name = ?1)";
const totals =
  "SELECT r.name AS repository, t.linked AS linkedBytes, t.own AS ownBytes, t.digests AS digests, " +
  `t.manifests AS manifests, t.tags AS tags, t.counted_to IS '${allCounted}' AS isCounted ` +
  "FROM repositories r CROSS JOIN usage_totals t ON t.repository = r.id";
const drift = Object.entries({
  linkedBytes: "linked",
  ownBytes: "own",
  keptBytes: "kept",
  digests: "digests",
  manifests: "manifests",
  tags: "tags",
})
  .map(([name, column]) => `t.${column} - s.${column} AS ${name}`)
  .join(", ");
const waitingSize =
  "coalesce((SELECT b.size FROM blobs b WHERE c.kind = 'blob' AND b.repository = c.repository AND b.digest = c.digest), " +
  "(SELECT m.size FROM manifests m WHERE c.kind = 'manifest' AND m.repository = c.repository AND m.digest = c.digest), 0)";

/** Repositories that have a digest, so many of each of two tables at most. */
function holdersOf(digest: string, limit: string): string {
  const of = (table: string, index: string): string =>
    `SELECT repository FROM (SELECT repository FROM ${table} INDEXED BY ${index} WHERE digest = ${digest} LIMIT ${limit})`;
  return `${of("blobs", "blobs_digest")} UNION ${of("manifests", "usage_manifests")}`;
}

const heldBytes = (table: string): string =>
  `(SELECT coalesce(sum(size), 0) FROM (SELECT size FROM ${table} WHERE repository = ${here} AND digest > '' LIMIT ?2))`;

export const usageSql = {
  usageRegistry:
    "SELECT linked AS uniqueBytes, digests, kept AS keptBytes, " +
    `counted_to IS '${allCounted}' AS isCounted FROM usage_totals WHERE repository = 0`,
  usageRepository: `${totals} WHERE r.name = ?1 AND r.removed_at IS NULL`,
  usagePage: `${totals} WHERE r.name > ?1 AND r.name < ?2 AND r.removed_at IS NULL ORDER BY r.name LIMIT ?3`,
  uncounted,
  unlookedScope,
  uncountedMember,
  droppedScope,
  recount:
    "SELECT t.repository AS id, r.name AS repository, s.counted_to = " +
    `'${allCounted}' AS isDone, ${drift} FROM usage_totals s CROSS JOIN usage_totals t ` +
    "ON t.repository = -1 - s.repository LEFT JOIN repositories r ON r.id = t.repository " +
    "WHERE s.repository < 0 ORDER BY s.repository LIMIT 1",
  lastTotal: "SELECT max(repository) AS id FROM usage_totals",
  sums:
    "SELECT count(*) AS repositories, coalesce(sum(manifests), 0) AS manifests, coalesce(sum(tags), 0) AS tags " +
    "FROM usage_totals WHERE repository > 0 AND manifests > 0",
  heldIn: `SELECT ${heldBytes("held_blobs")} + ${heldBytes("held_manifests")} AS bytes`,
  nextTotal:
    "SELECT repository AS id FROM usage_totals WHERE repository > ?1 ORDER BY repository LIMIT 1",
  ...quotaSql,
  present: "SELECT id FROM repositories WHERE name = ?1",
  isHeldIn: "SELECT 1 AS found FROM usage_digests WHERE scope = ?1 AND digest = ?2",
  holdersOf: `SELECT r.name AS name FROM (${holdersOf("?1", "?2")}) h CROSS JOIN repositories r ON r.id = h.repository LIMIT ?2`,
  contentPage,
  holders: `SELECT d.value AS digest, (SELECT count(*) FROM (${holdersOf("d.value", "?2")})) AS holders FROM json_each(?1) d`,
  waiting:
    `SELECT c.repository AS id, r.name AS repository, c.digest AS digest, ${waitingSize} AS sizeBytes ` +
    "FROM candidates c CROSS JOIN repositories r ON r.id = c.repository " +
    "WHERE (c.repository, c.digest) > (?1, ?2) AND c.digest > '' ORDER BY c.repository, c.digest LIMIT ?3",
  waitingIn:
    `SELECT c.digest AS digest, ${waitingSize} AS sizeBytes FROM candidates c ` +
    `WHERE c.repository = ${here} AND c.digest > ?2 ORDER BY c.digest LIMIT ?3`,
} as const;

type RecountRow = Omit<Recount, "drift"> & Recount["drift"] & { readonly isDone: number };

type Counted<T> = Omit<T, "isCounted"> & { readonly isCounted: number };

export const usageTables: RecordTables<UsageChange, UsageReads> = {
  store: usage,
  // Commits write to its tables: they are the metadata's own (`usage_schema.ts`).
  steps: [],
  sql: usageSql,
  frees: (change) => change.kind === "end-recount",
  apply: applyUsage,
  reads: usageReads,
};

function* applyUsage(work: RecordWork, change: UsageChange): Rule<void> {
  if (change.kind === "count") yield* countSlice(work, change.limit);
  else if (change.kind === "set-quotas") yield* setQuotas(work, change.quotas);
  else if (change.kind === "begin-recount") yield* beginRecount(work, change.id);
  else yield* endRecount(work, change.id);
}

function usageReads(source: Source): UsageReads {
  const { get, all } = source;
  const content = async (
    repository: number,
    after: string,
    limit: number,
  ): Promise<HeldContent[]> =>
    (
      await all<{ digest: HeldContent["digest"]; size: number }>(
        contentPage,
        repository,
        after,
        limit,
      )
    ).map(({ digest, size }) => ({ digest, sizeBytes: size }));
  const idOf = async (repository: string): Promise<number | null> =>
    (await get<{ id: number }>(usageSql.present, repository))?.id ?? null;
  return {
    registry: async () => {
      const found = await get<Counted<RegistryUsage>>(usageSql.usageRegistry);
      if (found === null) throw new Error("metadata: the totals of the registry are gone");
      return counted(found);
    },
    repository: async (name) => {
      const found = await get<Counted<RepositoryUsage>>(usageSql.usageRepository, name);
      return found === null ? null : counted(found);
    },
    page: async (prefix, { after, limit }) => {
      const from = after === null || after < prefix ? prefix : after;
      // No name has a character that comes after this one.
      const rows = await all<Counted<RepositoryUsage>>(
        usageSql.usagePage,
        from,
        `${prefix}~`,
        limit,
      );
      return rows.map((row) => counted(row));
    },
    isCounting: async () => {
      for (const text of [uncounted, unlookedScope, uncountedMember, droppedScope]) {
        if ((await get(text)) !== null) return true;
      }
      return false;
    },
    quotas: async () => (await all<QuotaRow>(usageSql.quotas)).map(quotaOf),
    quotasOf: async (repository) => {
      const id = await idOf(repository);
      const members = (await all<QuotaRow>(usageSql.quotasOf, id)).map(quotaOf);
      if (members.length > 0) return members;
      return (await all<QuotaRow>(usageSql.quotas))
        .map(quotaOf)
        .filter(({ scope }) => scopeTest(scope)(repository));
    },
    isHeldIn: async (quota, digest) => (await get(usageSql.isHeldIn, quota, digest)) !== null,
    holdersOf: async (digest, limit) =>
      (await all<{ name: string }>(usageSql.holdersOf, digest, limit)).map(({ name }) => name),
    content: async (repository, after, limit) => {
      const id = await idOf(repository);
      return id === null ? [] : await content(id, after, limit);
    },
    holders: async (digests, limit) => {
      const rows = await all<{ digest: string; holders: number }>(
        usageSql.holders,
        JSON.stringify(digests),
        limit,
      );
      return new Map(rows.map(({ digest, holders }) => [digest, holders]));
    },
    waiting: async ({ repository, digest }, limit) =>
      await all<WaitingContent>(usageSql.waiting, repository, digest, limit),
    waitingIn: async (repository, after, limit) =>
      await all<HeldContent>(usageSql.waitingIn, repository, after, limit),
    ...recountReads(source),
  };
}

function recountReads({
  get,
}: Source): Pick<UsageReads, "recount" | "nextTotal" | "lastTotal" | "sums" | "heldIn"> {
  return {
    recount: async () => {
      const found = await get<RecountRow>(usageSql.recount);
      if (found === null) return null;
      const { id, repository, isDone, ...drift } = found;
      return { id, repository, isDone: isDone === 1, drift };
    },
    nextTotal: async (id) => (await get<{ id: number }>(usageSql.nextTotal, id))?.id ?? null,
    lastTotal: async () => (await get<{ id: number | null }>(usageSql.lastTotal))?.id ?? 0,
    sums: async () => (await get(usageSql.sums)) ?? { repositories: 0, manifests: 0, tags: 0 },
    heldIn: async (repository, limit) =>
      (await get<{ bytes: number }>(usageSql.heldIn, repository, limit))?.bytes ?? 0,
  };
}

function counted<T extends { readonly isCounted: number }>(
  row: T,
): Omit<T, "isCounted"> & { isCounted: boolean } {
  return { ...row, isCounted: row.isCounted === 1 };
}
