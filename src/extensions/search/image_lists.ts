/**
 * Lists of images: sorted, page by page, with exact totals. All images of repositories are read in the order of an
 * index, so that a page costs its own length; what was found by a digest, a tag or layers is sorted here.
 */
import { setImmediate } from "node:timers/promises";
import type { ImageRow, Platform, RepositorySummary } from "../../metadata/summaries.ts";
import { viewsOf, type ImageView, type Parts } from "./image_view.ts";
import {
  imagesMax,
  itemsOf,
  pageInfo,
  sliceOf,
  tooManyImages,
  unsupportedSort,
  type PageInfo,
  type Paging,
} from "./paging.ts";
import { inByteOrder } from "./repository_index.ts";
import { asksNothing, newestFirst, type Filter } from "./repository_lists.ts";
import type { Place, Searching } from "./searching.ts";

/** Rows that are read, and images that are told, in one turn. */
const sliceMax = 100;

/** Of a long list, promises that are kept in turns. */
export type Images = readonly (ImageView | Promise<ImageView>)[];

export interface FoundImages {
  readonly Page: PageInfo;
  readonly Results: Images;
}

/** All images of a repository; of all repositories for an empty name. */
export async function allImages(
  searching: Searching,
  repository: string,
  paging: Paging,
): Promise<FoundImages> {
  const { sight } = searching;
  const named = repository === "" ? null : sight.find(repository);
  const within = repository === "" ? sight.all : named === null ? [] : [named];
  if (searching.showsTag !== null) return shownImages(searching, within, paging);
  const total = within.reduce((sum, { images }) => sum + images, 0);
  const count = itemsOf(total, paging);
  searching.takeImages(count);
  if (count === 0) return { Page: pageInfo(total, paging), Results: [] };
  const read = readers[paging.sortBy];
  if (read === undefined) throw unsupportedSort();
  // A repository that is not there, or not for the caller, is none; it does not stand for all of them.
  if (within.length === 0) return { Page: pageInfo(0, paging), Results: [] };
  const rows = read(
    searching,
    { ids: within.map(({ id }) => id), named: named?.id ?? null },
    paging,
  );
  return { Page: pageInfo(total, paging), Results: await tell(searching, rows) };
}

/** The same for a caller who may not see some tags: all are looked at, so that totals tell nothing of those. */
async function shownImages(
  searching: Searching,
  repositories: readonly RepositorySummary[],
  paging: Paging,
): Promise<FoundImages> {
  const { tags } = searching.sight;
  const found = await searching.find((limit) => tags.find(repositories, "", limit));
  return foundImages(searching, found, null, paging);
}

/** Images that were found by no order, those that fit the filter. */
export async function foundImages(
  searching: Searching,
  found: readonly Place[],
  filter: Filter | null,
  paging: Paging,
): Promise<FoundImages> {
  if (found.length > imagesMax) throw tooManyImages();
  searching.takeImages(found.length);
  const parts = partsIn(searching, found);
  const order = ordersByName[paging.sortBy];
  if (order !== undefined && (filter === null || asksNothing(filter))) {
    // Of all but the page no more is known than the place.
    const sorted = placed(searching, found).sort(order);
    const Results = await tell(searching, read(searching, sliceOf(sorted, paging)), parts);
    return { Page: pageInfo(sorted.length, paging), Results };
  }
  const rows: ImageRow[] = [];
  for await (const slice of read(searching, found)) rows.push(...slice);
  const fitting = filter === null ? rows : await filtered(searching, rows, filter);
  const sorted = await sort(searching, fitting, paging);
  const Results = await tell(searching, inTurns(sliceOf(sorted, paging)), parts);
  return { Page: pageInfo(sorted.length, paging), Results };
}

/** Of indexes, the images that were found, by `name:tag`. */
function partsIn({ sight }: Searching, found: readonly Place[]): Parts {
  const parts = new Map<string, ReadonlySet<string>>();
  for (const place of found) {
    const name = sight.at(place.repository)?.name;
    if (place.parts !== undefined) parts.set(`${name}:${place.tag}`, place.parts);
  }
  return parts;
}

type Placed = Place & { readonly name: string };

function placed({ sight }: Searching, found: readonly Place[]): Placed[] {
  return found.flatMap(({ repository, tag }) => {
    const name = sight.at(repository)?.name;
    return name === undefined ? [] : { repository, tag, name };
  });
}

/** Slice by slice, and with turns for others between them. */
async function* read(
  { reads }: Searching,
  places: readonly Place[],
): AsyncGenerator<readonly ImageRow[]> {
  for (let at = 0; at < places.length; at += sliceMax) {
    if (at > 0) await setImmediate();
    yield await reads.images(places.slice(at, at + sliceMax));
  }
}

async function filtered(
  searching: Searching,
  rows: readonly ImageRow[],
  filter: Filter,
): Promise<ImageRow[]> {
  const { reads } = searching;
  const fitting: ImageRow[] = [];
  for (const [at, row] of rows.entries()) {
    if (at % sliceMax === sliceMax - 1) await setImmediate();
    if (!filter.fitsCaller(row.repository)) continue;
    if (filter.asksPlatforms && !filter.fitsPlatforms(await platformsOf(searching, row))) continue;
    const isSigned =
      !filter.hasToBeSigned || (await reads.signatures(row.repository, row.digest)).length > 0;
    if (isSigned) fitting.push(row);
  }
  return fitting;
}

async function platformsOf({ reads }: Searching, row: ImageRow): Promise<Platform[]> {
  const summary = await reads.summary(row.summary);
  if (summary === null) return [];
  if (summary.kind === "image") return [summary.platform];
  return (await reads.children(summary.id)).map(({ platform }) => platform);
}

function byName(a: Named, b: Named): number {
  return inByteOrder(a.name, b.name) || inByteOrder(a.tag, b.tag);
}

async function sort(
  searching: Searching,
  rows: ImageRow[],
  { sortBy }: Paging,
): Promise<ImageRow[]> {
  if (sortBy === "DOWNLOADS") return byPulls(searching, rows);
  const order = orders[sortBy];
  if (order === undefined) throw unsupportedSort();
  return rows.sort(order);
}

type Orders<T> = Readonly<Partial<Record<Paging["sortBy"], (a: T, b: T) => number>>>;
type Named = Pick<ImageRow, "name" | "tag">;

const ordersByName: Orders<Named> = {
  RELEVANCE: byName,
  ALPHABETIC_ASC: byName,
  ALPHABETIC_DSC: (a, b) => byName(b, a),
};

const orders: Orders<ImageRow> = {
  ...ordersByName,
  UPDATE_TIME: (a, b) => newestFirst(a.updatedAt, b.updatedAt) || byName(a, b),
};

async function byPulls({ reads }: Searching, rows: readonly ImageRow[]): Promise<ImageRow[]> {
  const counted: { row: ImageRow; pulls: number }[] = [];
  for (const [at, row] of rows.entries()) {
    if (at % sliceMax === sliceMax - 1) await setImmediate();
    counted.push({ row, pulls: (await reads.facts(row.repository, row.digest))?.pulls ?? 0 });
  }
  counted.sort((a, b) => b.pulls - a.pulls || byName(a.row, b.row));
  return counted.map(({ row }) => row);
}

interface Repositories {
  /** By name. */
  readonly ids: readonly number[];
  /** The only one; null for all that the caller may read. */
  readonly named: number | null;
}

type ReadRows = (
  searching: Searching,
  repositories: Repositories,
  paging: Paging,
) => AsyncGenerator<readonly ImageRow[]>;

const readers: Readonly<Partial<Record<Paging["sortBy"], ReadRows>>> = {
  RELEVANCE: (searching, { ids }, paging) => byTag(searching, ids, paging, "tag"),
  ALPHABETIC_ASC: (searching, { ids }, paging) => byTag(searching, ids, paging, "tag"),
  ALPHABETIC_DSC: (searching, { ids }, paging) =>
    byTag(searching, ids.toReversed(), paging, "tag-descending"),
  UPDATE_TIME: (searching, repositories, paging) => byTime(searching, repositories, paging),
  DOWNLOADS: async function* (searching, { ids }, paging) {
    const rows: ImageRow[] = [];
    for await (const slice of byTag(searching, ids, { ...paging, offset: 0, limit: null }, "tag")) {
      searching.takeFound(slice.length);
      rows.push(...slice);
      if (rows.length > imagesMax) throw tooManyImages();
    }
    yield* inTurns(sliceOf(await byPulls(searching, rows), paging));
  },
};

/** Repository by repository: of those before the page only the numbers of their images are looked at. */
async function* byTag(
  { reads, sight }: Searching,
  ids: readonly number[],
  { offset, limit }: Paging,
  order: "tag" | "tag-descending",
): AsyncGenerator<readonly ImageRow[]> {
  let skip = offset;
  let left = limit ?? Number.POSITIVE_INFINITY;
  for (const id of ids) {
    const images = sight.at(id)?.images ?? 0;
    if (skip >= images) {
      skip -= images;
      continue;
    }
    while (left > 0) {
      const page = { offset: skip, limit: Math.min(sliceMax, left) };
      const rows = await reads.imagesOf(id, order, page);
      yield rows;
      left -= rows.length;
      skip += rows.length;
      if (rows.length < page.limit) break;
    }
    if (left <= 0) return;
    skip = 0;
  }
}

async function* byTime(
  { reads, sight }: Searching,
  { named }: Repositories,
  { offset, limit }: Paging,
): AsyncGenerator<readonly ImageRow[]> {
  const end = offset + (limit ?? imagesMax);
  for (let at = offset; at < end;) {
    const page = { offset: at, limit: Math.min(sliceMax, end - at) };
    const rows =
      named === null
        ? await reads.newest(sight.within, "updated", page)
        : await reads.imagesOf(named, "updated", page);
    yield rows;
    at += rows.length;
    if (rows.length < page.limit) return;
  }
}

async function* inTurns(rows: readonly ImageRow[]): AsyncGenerator<readonly ImageRow[]> {
  for (let at = 0; at < rows.length; at += sliceMax) yield rows.slice(at, at + sliceMax);
}

/**
 * The images of a page. What GraphQL makes of each takes some microseconds: of a long list the first hundred are told
 * at once, and each further hundred in a turn of its own, between which others are answered.
 */
async function tell(
  searching: Searching,
  slices: AsyncGenerator<readonly ImageRow[]>,
  parts: Parts = new Map(),
): Promise<Images> {
  const begin = Promise.withResolvers<unknown>();
  const views: (ImageView | Promise<ImageView>)[] = [];
  let turn: Promise<unknown> | null = null;
  for await (const rows of slices) {
    const found = await viewsOf(searching, searching.seen(rows), parts);
    if (turn === null) {
      views.push(...found);
      turn = begin.promise;
      continue;
    }
    await setImmediate();
    const next: Promise<unknown> = turn.then(() => setImmediate());
    for (const view of found) views.push(next.then(() => view));
    turn = next;
  }
  begin.resolve(null);
  return views;
}
