/** What the caller has starred and bookmarked, and what search tells of a repository as a whole. */
import { query, request } from "./http.ts";
import {
  repositoryFields,
  repositoryRow,
  type RepositoryRow,
  type RepositorySummary,
} from "./lists.ts";

export type Preference = "star" | "bookmark";

export interface AboutRepository {
  readonly row: RepositoryRow;
  readonly isStarred: boolean;
  readonly isBookmarked: boolean;
  readonly stars: number;
}

interface Preferred {
  readonly IsStarred: boolean | null;
  readonly IsBookmarked: boolean | null;
  readonly StarCount: number | null;
}

const aboutText = `query($query: String!, $page: PageInput!) {
  GlobalSearch(query: $query, requestedPage: $page) {
    Repos { ${repositoryFields} IsStarred IsBookmarked StarCount }
  }
}`;

/** Null for a repository that search does not know. */
export async function aboutRepository(
  name: string,
  signal: AbortSignal,
): Promise<AboutRepository | null> {
  // What has this very name comes first.
  const page = { limit: 1, offset: 0, sortBy: "RELEVANCE" };
  const { GlobalSearch: found } = await query<{
    GlobalSearch: { Repos: readonly (RepositorySummary & Preferred)[] | null };
  }>(aboutText, { query: name, page }, signal);
  const [first] = found.Repos ?? [];
  if (first?.Name !== name) return null;
  return {
    row: repositoryRow(first),
    isStarred: first.IsStarred === true,
    isBookmarked: first.IsBookmarked === true,
    stars: first.StarCount ?? 0,
  };
}

/** Repositories of each kind that are shown. */
const yoursMax = 12;

const yoursText = `query($page: PageInput!) {
  StarredRepos(requestedPage: $page) { Results { ${repositoryFields} } }
  BookmarkedRepos(requestedPage: $page) { Results { ${repositoryFields} } }
}`;

export interface Yours {
  readonly row: RepositoryRow;
  readonly by: readonly Preference[];
}

/** What the caller starred or bookmarked, each once, what changed last first. */
export async function listYours(signal: AbortSignal): Promise<Yours[]> {
  const page = { limit: yoursMax, offset: 0, sortBy: "UPDATE_TIME" };
  type Results = { readonly Results: readonly RepositorySummary[] };
  const found = await query<{ StarredRepos: Results; BookmarkedRepos: Results }>(
    yoursText,
    { page },
    signal,
  );
  const yours = new Map<string, Yours>();
  const add = (by: Preference, { Results: results }: Results): void => {
    for (const row of results.map(repositoryRow)) {
      yours.set(row.name, { row, by: [...(yours.get(row.name)?.by ?? []), by] });
    }
  };
  add("star", found.StarredRepos);
  add("bookmark", found.BookmarkedRepos);
  const time = ({ row }: Yours): string => row.updatedAt ?? "";
  return [...yours.values()].toSorted((a, b) => (time(a) < time(b) ? 1 : -1));
}

/** Turns it on where it was off, and off where it was on. @throws Problem. */
export async function toggle(repository: string, preference: Preference): Promise<void> {
  const action = preference === "star" ? "toggleStar" : "toggleBookmark";
  const asked = new URLSearchParams({ repo: repository, action });
  await request(`v2/_zot/ext/userprefs?${asked}`, { method: "PUT" });
}
