/** What answers each query of the schema. */
import type { FoundImage, StoredSummary } from "../../metadata/summaries.ts";
import { digestProblem } from "../../oci/digest.ts";
import { imageView, viewsOf, type ImageView } from "./image_view.ts";
import { allImages, foundImages, type FoundImages, type Images } from "./image_lists.ts";
import { readPage, type PageInfo, type PageInput } from "./paging.ts";
import { referrersOf, type ReferrerView } from "./referrers_of.ts";
import {
  preferredRepositories,
  readFilter,
  searchRepositories,
  type FilterInput,
  type FoundRepositories,
} from "./repository_lists.ts";
import { repositoryView, type RepositoryView } from "./repository_view.ts";
import { SearchError } from "./search_error.ts";
import { checkedText, readText, type Wanted } from "./search_text.ts";
import { placesOf, type Place, type Searching } from "./searching.ts";

/** Types that one query filters referrers by. */
const typesMax = 32;
/** Tags of a manifest that are looked at for one that the caller may see. */
const tagsMax = 100;

interface Paged {
  readonly requestedPage?: PageInput | null;
}

interface GlobalSearchResult {
  readonly Page: PageInfo;
  readonly Images: Images;
  readonly Repos: readonly RepositoryView[] | null;
  readonly Layers: readonly never[];
}

/** THE table of queries: by their names in the schema. */
export const queries = {
  GlobalSearch: globalSearch,

  Image: async ({ image }: { readonly image: string }, searching: Searching) => {
    const { view } = await imageNamed(searching, image);
    return view;
  },

  ImageList: (args: Paged & { readonly repo: string }, searching: Searching) =>
    allImages(searching, args.repo, readPage(args.requestedPage, "RELEVANCE")),

  ImageListForDigest: async (args: Paged & { readonly id: string }, searching: Searching) => {
    const paging = readPage(args.requestedPage, "RELEVANCE");
    return foundImages(searching, await withDigest(searching, args.id), null, paging);
  },

  BaseImageList: (args: LayerArguments, searching: Searching) =>
    relatives(searching, args, "imagesBelow"),
  DerivedImageList: (args: LayerArguments, searching: Searching) =>
    relatives(searching, args, "imagesAbove"),

  RepoListWithNewestImage: async (args: Paged, searching: Searching) =>
    searchRepositories(
      searching,
      "",
      await readFilter(searching, null),
      readPage(args.requestedPage, "UPDATE_TIME"),
    ),

  ExpandedRepoInfo: async ({ repo }: { readonly repo: string }, searching: Searching) => {
    const found = searching.sight.find(repo);
    if (found === null) throw noRepository();
    const { Results } = await allImages(searching, repo, readPage(null, "RELEVANCE"));
    return { Images: Results, Summary: repositoryView(searching, found, 0) };
  },

  Referrers: (args: ReferrersArguments, searching: Searching) => referrers(searching, args),

  StarredRepos: (args: Paged, searching: Searching): Promise<FoundRepositories> =>
    preferredRepositories(searching, "star", readPage(args.requestedPage, "UPDATE_TIME")),
  BookmarkedRepos: (args: Paged, searching: Searching): Promise<FoundRepositories> =>
    preferredRepositories(searching, "bookmark", readPage(args.requestedPage, "UPDATE_TIME")),

  CVEListForImage: noScanner,
  CVEDiffListForImages: noScanner,
  ImageListForCVE: noScanner,
  ImageListWithCVEFixed: noScanner,
} as const;

/** The words by which clients know that nothing scans here. */
function noScanner(): never {
  throw new SearchError("cve search is disabled");
}

function noRepository(): SearchError {
  return new SearchError("repo metadata not found for given repo name");
}

async function globalSearch(
  args: Paged & { readonly query: string; readonly filter?: FilterInput | null },
  searching: Searching,
): Promise<GlobalSearchResult> {
  const wanted = readText(args.query);
  const filter = await readFilter(searching, args.filter);
  const paging = readPage(args.requestedPage, "RELEVANCE");
  if (wanted.kind === "repositories") {
    const found = searchRepositories(searching, wanted.text, filter, paging);
    return { Page: found.Page, Images: [], Repos: found.Results, Layers: [] };
  }
  const rows = await imagesFor(searching, wanted);
  const found = await foundImages(searching, rows, filter, paging);
  return { Page: found.Page, Images: found.Results, Repos: null, Layers: [] };
}

async function imagesFor(
  searching: Searching,
  wanted: Exclude<Wanted, { readonly kind: "repositories" }>,
): Promise<readonly Place[]> {
  const { reads, sight } = searching;
  if (wanted.kind === "digest") return withDigest(searching, wanted.prefix);
  if (wanted.kind === "tag") {
    searching.takeScan();
    return searching.find((limit) => sight.tags.find(sight.all, wanted.text, limit));
  }
  const repository = sight.find(wanted.repository);
  if (repository === null) return [];
  if (wanted.kind === "manifest") {
    const summary = await reads.find(repository.id, wanted.digest);
    const found = await searching.find((limit) =>
      reads.imagesWithDigest(wanted.digest, [repository.id], limit),
    );
    return placesOf(found.filter((each) => each.summary === summary?.id));
  }
  const found = await searching.find((limit) =>
    sight.tags.find([repository], wanted.prefix, limit),
  );
  return found.filter(({ tag }) => tag.toLowerCase().startsWith(wanted.prefix));
}

/** The beginning of a digest, with its algorithm or without. */
async function withDigest(searching: Searching, given: string): Promise<readonly Place[]> {
  const { reads, sight } = searching;
  const text = checkedText(given);
  if (!/^(?:sha(?:256|512):)?[0-9a-f]*$/.test(text)) return [];
  const beginningWith = async (prefix: string): Promise<readonly Place[]> =>
    placesOf(await searching.find((limit) => reads.imagesWithDigest(prefix, sight.within, limit)));
  if (text.includes(":")) return beginningWith(text);
  const all = await Promise.all(
    ["sha256:", "sha512:"].map((algorithm) => beginningWith(`${algorithm}${text}`)),
  );
  return all.flat();
}

interface NamedImage {
  readonly view: ImageView;
  readonly summary: StoredSummary;
}

/** `repository:tag` or `repository@digest`. @throws SearchError where there is no such image to be seen. */
async function imageNamed(searching: Searching, text: string): Promise<NamedImage> {
  const { reads, sight } = searching;
  const mark = /[:@]/.exec(text);
  const name = mark === null ? text : text.slice(0, mark.index);
  const reference = mark === null ? "" : text.slice(mark.index + 1);
  if (reference === "") throw new SearchError("no reference provided");
  const repository = sight.find(name);
  if (repository === null) throw noRepository();
  const absent = new SearchError(`can't find image: ${name}${mark?.[0] ?? ""}${reference}`);
  if (searching.showsTag?.(name, reference) === false) throw absent;
  if (mark?.[0] === "@") {
    const summary = await reads.find(repository.id, reference);
    if (summary === null) throw absent;
    const facts = await reads.facts(repository.id, summary.digest);
    const tags = await searching.registry.metadata.tagsOf(name, summary.digest, tagsMax);
    const tag = tags.find((each) => searching.showsTag?.(name, each) ?? true) ?? "";
    const seen = { repository: name, summary, facts };
    return { summary, view: imageView(searching, seen, { tag, setAt: null }) };
  }
  const row = await reads.image(repository.id, reference);
  const summary = row === null ? null : await reads.summary(row.summary);
  const [view] = row === null ? [] : await viewsOf(searching, [row]);
  if (summary === null || view === undefined) throw absent;
  return { view, summary };
}

type LayerArguments = Paged & { readonly image: string; readonly digest?: string | null };

/** Images that are made of the first layers of an image, or that begin with its layers. */
async function relatives(
  searching: Searching,
  args: LayerArguments,
  read: "imagesBelow" | "imagesAbove",
): Promise<FoundImages> {
  const { reads, sight } = searching;
  const paging = readPage(args.requestedPage, "UPDATE_TIME");
  const { summary } = await imageNamed(searching, args.image);
  const same = new Set(await reads.summariesOf(summary.digest));
  const found: FoundImage[] = [];
  for (const part of await partsOf(searching, summary, args.digest ?? null)) {
    const rows = await searching.find((limit) => reads[read](part, sight.within, limit));
    found.push(...rows.filter((row) => !same.has(row.summary)));
  }
  return foundImages(searching, placesOf(found), null, paging);
}

/** The summaries of its images: itself, or those that an index shows; of these one alone. */
async function partsOf(
  { reads }: Searching,
  summary: StoredSummary,
  only: string | null,
): Promise<number[]> {
  const wants = (digest: string): boolean => only === null || only === "" || digest === only;
  if (summary.kind === "image") return wants(summary.digest) ? [summary.id] : [];
  const parts: number[] = [];
  for (const { digest } of await reads.children(summary.id)) {
    const child = wants(digest) ? await reads.find(summary.repository, digest) : null;
    if (child !== null) parts.push(child.id);
  }
  return parts;
}

interface ReferrersArguments {
  readonly repo: string;
  readonly digest: string;
  readonly type?: readonly string[] | null;
}

async function referrers(
  searching: Searching,
  { repo, digest, type }: ReferrersArguments,
): Promise<readonly ReferrerView[]> {
  if (digestProblem(digest) === "malformed") {
    throw new SearchError("expected a digest such as sha256:<64 lower-case hex digits>");
  }
  if (searching.sight.find(repo) === null) return [];
  // A plus that the client did not encode arrives as a blank, which no media type has.
  const given = (type ?? []).map((each) => each.replaceAll(" ", "+"));
  const types = given.includes("") ? [] : given;
  if (types.length > typesMax) throw new SearchError(`expected up to ${typesMax} types`);
  return referrersOf(searching, repo, digest, types);
}
