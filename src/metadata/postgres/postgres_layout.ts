/** What `index.json` would list, read page by page from one moment. */
import type { LayoutRecord } from "../metadata.ts";
import { layoutSql } from "../sql/layout_sql.ts";
import type { Source } from "../sql/source.ts";

/** Rows of a page. */
const pageRowsMax = 1_000;

interface Layout {
  readonly generation: number;
  readonly origin: string;
  readonly upstream: string | null;
  readonly pages: LayoutRecord[][];
}

type Listed = Omit<LayoutRecord, "isCached">;

/** Null when the repository is not there. */
export async function layoutOf(source: Source, repository: string): Promise<Layout | null> {
  const found = await source.get<Omit<Layout, "pages"> & { id: number; name: string }>(
    layoutSql.layout,
    repository,
  );
  if (found === null) return null;
  const { generation, origin, upstream, id, name } = found;
  const pages: LayoutRecord[][] = [];
  for (const text of [layoutSql.tagged, layoutSql.untagged]) {
    for (let after: string | null = ""; after !== null;) {
      const rows: Listed[] = await source.all<Listed>(text, id, after, pageRowsMax);
      const page: LayoutRecord[] = [];
      for (const row of rows) {
        page.push({ ...row, isCached: upstream !== null && (await isCached(source, name, row)) });
      }
      if (page.length > 0) pages.push(page);
      const last = rows.length < pageRowsMax ? undefined : rows.at(-1);
      after = last === undefined ? null : (last.tag ?? last.digest);
    }
  }
  return { generation, origin, upstream, pages };
}

async function isCached(source: Source, name: string, { tag, digest }: Listed): Promise<boolean> {
  const found =
    tag === null
      ? source.get(layoutSql.isCachedManifest, name, digest)
      : source.get(layoutSql.isCachedTag, name, tag, digest);
  return (await found) !== null;
}
