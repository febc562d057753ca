/** Quotas as they stand in their table: for the writer, who keeps them, and for readers. */
import type { Quota, QuotaUsage } from "../usage.ts";
import { allCounted } from "./usage_counted.ts";

const columns =
  "s.id AS id, s.place AS place, s.quota AS quota, s.linked AS linked, s.own AS own, s.manifests AS manifests, " +
  "s.tags AS tags, s.repositories AS repositories, s.looked_to IS NULL AND NOT EXISTS " +
  `(SELECT 1 FROM usage_members m WHERE m.scope = s.id AND m.counted_to <> '${allCounted}') AS isCounted`;

export const quotaSql = {
  quotas: `SELECT ${columns} FROM usage_scopes s INDEXED BY usage_scopes_place WHERE s.place >= 0 ORDER BY s.place`,
  quotasOf:
    `SELECT ${columns} FROM usage_members o CROSS JOIN usage_scopes s ON s.id = o.scope ` +
    "WHERE o.repository = ?1 AND o.scope > 0 AND s.quota IS NOT NULL",
} as const;

export interface QuotaRow {
  readonly id: number;
  readonly place: number;
  readonly quota: string;
  readonly linked: number;
  readonly own: number;
  readonly manifests: number;
  readonly tags: number;
  readonly repositories: number;
  readonly isCounted: number;
}

export function quotaOf(row: QuotaRow): QuotaUsage {
  const quota = JSON.parse(row.quota) as Quota;
  const { id, place, manifests, tags, repositories, isCounted } = row;
  const bytes = quota.count === "own" ? row.own : row.linked;
  return {
    ...quota,
    id,
    place,
    used: { bytes, tags, manifests, repositories },
    isCounted: isCounted === 1,
  };
}
