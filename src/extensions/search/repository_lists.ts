/** Lists of repositories: found by a text, filtered, sorted, page by page. */
import type { Platform, RepositorySummary } from "../../metadata/summaries.ts";
import { pageInfo, sliceOf, unsupportedSort, type PageInfo, type Paging } from "./paging.ts";
import { rankOf } from "./rank.ts";
import { inByteOrder } from "./repository_index.ts";
import { repositoryView, type RepositoryView } from "./repository_view.ts";
import { checkedText } from "./search_text.ts";
import type { Searching } from "./searching.ts";

/** Values of a filter that are looked at. */
const filterValuesMax = 64;

export interface FilterInput {
  readonly Os?: readonly (string | null)[] | null;
  readonly Arch?: readonly (string | null)[] | null;
  readonly HasToBeSigned?: boolean | null;
  readonly IsBookmarked?: boolean | null;
  readonly IsStarred?: boolean | null;
}

/** What a filter asks of platforms, and of a repository. */
export interface Filter {
  readonly fitsPlatforms: (platforms: readonly Platform[]) => boolean;
  readonly asksPlatforms: boolean;
  readonly fitsCaller: (repository: number) => boolean;
  readonly hasToBeSigned: boolean;
  readonly asksCaller: boolean;
}

export function asksNothing({ asksPlatforms, asksCaller, hasToBeSigned }: Filter): boolean {
  return !asksPlatforms && !asksCaller && !hasToBeSigned;
}

export async function readFilter(
  searching: Searching,
  input: FilterInput | null | undefined,
): Promise<Filter> {
  const systems = valuesOf(input?.Os);
  const architectures = valuesOf(input?.Arch);
  const asksPlatforms = systems.size > 0 || architectures.size > 0;
  const fits = ({ os, arch }: Platform): boolean => {
    const lower = arch.toLowerCase();
    const isOfArch =
      architectures.size === 0 ||
      architectures.has(lower) ||
      architectures.has(lower.split("/")[0] ?? "");
    return isOfArch && (systems.size === 0 || systems.has(os.toLowerCase()));
  };
  const starred = await wanted(searching, "star", input?.IsStarred);
  const bookmarked = await wanted(searching, "bookmark", input?.IsBookmarked);
  return {
    asksPlatforms,
    fitsPlatforms: (platforms) => !asksPlatforms || platforms.some(fits),
    fitsCaller: (id) => starred(id) && bookmarked(id),
    hasToBeSigned: input?.HasToBeSigned === true,
    asksCaller: [input?.IsStarred, input?.IsBookmarked].some((each) => typeof each === "boolean"),
  };
}

async function wanted(
  searching: Searching,
  preference: "star" | "bookmark",
  isWanted: boolean | null | undefined,
): Promise<(id: number) => boolean> {
  if (typeof isWanted !== "boolean") return () => true;
  const ids = await searching.preferred(preference);
  return (id) => ids.has(id) === isWanted;
}

function valuesOf(list: readonly (string | null)[] | null | undefined): ReadonlySet<string> {
  const values = (list ?? []).slice(0, filterValuesMax).map((value) => checkedText(value ?? ""));
  return new Set(values.filter((value) => value !== ""));
}

interface Ranked {
  readonly repository: RepositorySummary;
  readonly rank: number;
}

export interface FoundRepositories {
  readonly Page: PageInfo;
  readonly Results: readonly RepositoryView[];
}

/** Repositories whose names fit a text; all for none. */
export function searchRepositories(
  searching: Searching,
  text: string,
  filter: Filter,
  paging: Paging,
): FoundRepositories {
  const found: Ranked[] = [];
  for (const repository of searching.sight.all) {
    if (!fits(repository, filter)) continue;
    const rank = text === "" ? 1 : rankOf(repository.name, text);
    if (rank !== null) found.push({ repository, rank });
  }
  return pageOf(searching, found, paging);
}

/** Those that the caller prefers. */
export async function preferredRepositories(
  searching: Searching,
  preference: "star" | "bookmark",
  paging: Paging,
): Promise<FoundRepositories> {
  const ids = await searching.preferred(preference);
  const found = [...ids].flatMap((id) => {
    const repository = searching.sight.at(id);
    return repository === null ? [] : [{ repository, rank: 0 }];
  });
  return pageOf(searching, found, paging);
}

function fits({ id, platforms, isSigned }: RepositorySummary, filter: Filter): boolean {
  if (filter.hasToBeSigned && !isSigned) return false;
  return filter.fitsPlatforms(platforms) && filter.fitsCaller(id);
}

function pageOf(searching: Searching, found: Ranked[], paging: Paging): FoundRepositories {
  const before = orders[paging.sortBy];
  if (before === undefined) throw unsupportedSort();
  found.sort((a, b) => before(a, b) || inByteOrder(a.repository.name, b.repository.name));
  return {
    Page: pageInfo(found.length, paging),
    Results: sliceOf(found, paging).map(({ repository, rank }) =>
      repositoryView(searching, repository, rank),
    ),
  };
}

/** What has no time comes last. */
export function newestFirst(a: number | null, b: number | null): number {
  return (b ?? Number.NEGATIVE_INFINITY) - (a ?? Number.NEGATIVE_INFINITY) || 0;
}

const orders: Readonly<Partial<Record<Paging["sortBy"], (a: Ranked, b: Ranked) => number>>> = {
  RELEVANCE: (a, b) => a.rank - b.rank,
  UPDATE_TIME: (a, b) => newestFirst(a.repository.updatedAt, b.repository.updatedAt),
  ALPHABETIC_ASC: () => 0,
  ALPHABETIC_DSC: (a, b) => inByteOrder(b.repository.name, a.repository.name),
  DOWNLOADS: (a, b) => b.repository.pulls - a.repository.pulls,
  STARS: (a, b) => b.repository.stars - a.repository.stars,
};
