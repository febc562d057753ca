/** Pages as GraphQL clients of zot ask for them: how many, from where, in which order. */
import { SearchError } from "./search_error.ts";

/** Images that one request is given at most, however it asks. */
export const imagesMax = 50_000;

export type SortCriterion =
  | "RELEVANCE"
  | "UPDATE_TIME"
  | "ALPHABETIC_ASC"
  | "ALPHABETIC_DSC"
  | "SEVERITY"
  | "STARS"
  | "DOWNLOADS";

export interface PageInput {
  readonly limit?: number | null;
  readonly offset?: number | null;
  readonly sortBy?: SortCriterion | null;
}

export interface Paging {
  readonly offset: number;
  /** Null for all. */
  readonly limit: number | null;
  readonly sortBy: SortCriterion;
}

/** @throws SearchError for numbers below zero. */
export function readPage(input: PageInput | null | undefined, sortBy: SortCriterion): Paging {
  const { limit, offset } = { limit: input?.limit ?? 0, offset: input?.offset ?? 0 };
  if (limit < 0) throw new SearchError(`expected a limit of 0 or more, got ${limit}`);
  if (offset < 0) throw new SearchError(`expected an offset of 0 or more, got ${offset}`);
  return {
    offset,
    // No limit is none for the first page alone.
    limit: limit === 0 && offset === 0 ? null : limit,
    sortBy: input?.sortBy ?? sortBy,
  };
}

/** The part of a list that a page shows. */
export function sliceOf<T>(list: readonly T[], { offset, limit }: Paging): readonly T[] {
  return list.slice(offset, limit === null ? undefined : offset + limit);
}

/** How many entries of so many a page shows. */
export function itemsOf(total: number, { offset, limit }: Paging): number {
  return Math.max(0, Math.min(total - offset, limit ?? total));
}

export interface PageInfo {
  readonly TotalCount: number;
  readonly ItemCount: number;
}

export function pageInfo(total: number, paging: Paging): PageInfo {
  return { TotalCount: total, ItemCount: itemsOf(total, paging) };
}

export function unsupportedSort(): SearchError {
  return new SearchError("sort criteria is not supported");
}

export function tooManyImages(): SearchError {
  return new SearchError(
    `more than ${imagesMax} images: name a repository, or ask for a page of them`,
  );
}
