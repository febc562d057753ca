/**
 * Lists of repositories and of tags: from search, one request for each page of them. Where the registry has no search
 * (404) the lists of the specification do, which know names alone.
 */
import { Problem, query, request, requestJson } from "./http.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

/** A repository in a list; what is not known is null. */
export interface RepositoryRow {
  readonly name: string;
  readonly updatedAt: string | null;
  readonly bytes: number | null;
  readonly tags: number | null;
  readonly newestTag: string | null;
  readonly description: string;
  readonly isSigned: boolean;
  readonly pulls: number | null;
  readonly platforms: readonly Platform[];
  /** Of the newest image; empty where it is not known. */
  readonly artifactType: string;
}

export interface ImageRow {
  readonly name: string;
  readonly tag: string;
}

export interface FoundRepositories {
  readonly repositories: readonly RepositoryRow[];
  /** For a text that names tags or digests. */
  readonly images: readonly ImageRow[];
  readonly total: number | null;
}

export type RepositoryOrder = "RELEVANCE" | "UPDATE_TIME" | "ALPHABETIC_ASC" | "DOWNLOADS";
export const pageSize = 30;

/** What rows of repositories are made of, in GraphQL. */
export const repositoryFields = `Name LastUpdated Size DownloadCount Platforms { Os Arch }
  NewestImage { Tag Description IsSigned ArtifactType }`;

const repositoriesText = `query($query: String!, $page: PageInput!) {
  GlobalSearch(query: $query, requestedPage: $page) {
    Page { TotalCount ItemCount }
    Repos { ${repositoryFields} }
    Images { RepoName Tag }
  }
}`;

export interface RepositorySummary {
  readonly Name: string | null;
  readonly LastUpdated: string | null;
  readonly Size: string | null;
  readonly DownloadCount: number | null;
  readonly Platforms: readonly { Os: string | null; Arch: string | null }[] | null;
  readonly NewestImage: {
    readonly Tag: string | null;
    readonly Description: string | null;
    readonly IsSigned: boolean | null;
    readonly ArtifactType: string | null;
  } | null;
}

interface GlobalSearch {
  readonly Page: { readonly TotalCount: number; readonly ItemCount: number } | null;
  readonly Repos: readonly RepositorySummary[] | null;
  readonly Images:
    | readonly { readonly RepoName: string | null; readonly Tag: string | null }[]
    | null;
}

export async function findRepositories(
  text: string,
  order: RepositoryOrder,
  count: number,
  signal: AbortSignal,
): Promise<FoundRepositories> {
  const page = { limit: count, offset: 0, sortBy: order };
  try {
    const { GlobalSearch: found } = await query<{ GlobalSearch: GlobalSearch }>(
      repositoriesText,
      { query: text, page },
      signal,
    );
    const images = imageRows(found);
    return {
      total: found.Page?.TotalCount ?? null,
      images: images.length > 0 ? images : await tagsSomewhere(text, signal),
      repositories: (found.Repos ?? []).map(repositoryRow),
    };
  } catch (error) {
    if (!hasNoSearch(error)) throw error;
    return namesOnly(text, count, signal);
  }
}

function imageRows({ Images }: Pick<GlobalSearch, "Images">): ImageRow[] {
  return (Images ?? []).map(({ RepoName, Tag }) => ({ name: RepoName ?? "", tag: Tag ?? "" }));
}

export function repositoryRow(each: RepositorySummary): RepositoryRow {
  const { NewestImage: newest } = each;
  return {
    name: each.Name ?? "",
    updatedAt: each.LastUpdated,
    bytes: numberOf(each.Size),
    tags: null,
    newestTag: newest?.Tag ?? null,
    description: newest?.Description ?? "",
    isSigned: newest?.IsSigned === true,
    pulls: each.DownloadCount,
    platforms: platformsOf(each.Platforms),
    artifactType: newest?.ArtifactType ?? "",
  };
}

/** Repositories that are asked for a tag at once. */
const guessedMax = 6;

/** `shop:1.9.0` where the repository is `team/shop`: search itself takes the whole name in front of a tag. */
async function tagsSomewhere(text: string, signal: AbortSignal): Promise<ImageRow[]> {
  const [, name = "", tag = ""] = /^([^:@]+):([\w.-]+)$/.exec(text) ?? [];
  if (tag === "" || /^sha(256|512)$/.test(name)) return [];
  const page = { limit: guessedMax, offset: 0, sortBy: "RELEVANCE" };
  const namesText = `query($query: String!, $page: PageInput!) {
    GlobalSearch(query: $query, requestedPage: $page) { Repos { Name } }
  }`;
  const { GlobalSearch: found } = await query<{
    GlobalSearch: { Repos: readonly { Name: string | null }[] | null };
  }>(namesText, { query: name, page }, signal);
  const names = (found.Repos ?? []).flatMap(({ Name }) => Name ?? []);
  if (names.length === 0) return [];
  const asked = names.map(
    (_, at) =>
      `r${at}: GlobalSearch(query: $q${at}, requestedPage: $page) { Images { RepoName Tag } }`,
  );
  const variables = names.map((_, at) => `$q${at}: String!`).join(", ");
  const answers = await query<Record<string, Pick<GlobalSearch, "Images">>>(
    `query($page: PageInput!, ${variables}) { ${asked.join(" ")} }`,
    {
      page: { ...page, sortBy: "RELEVANCE" },
      ...Object.fromEntries(names.map((each, at) => [`q${at}`, `${each}:${tag}`])),
    },
    signal,
  );
  return names.flatMap((_, at) => imageRows(answers[`r${at}`] ?? { Images: null }));
}

const hasNoSearch = (error: unknown): boolean => error instanceof Problem && error.status === 404;

/** GraphQL answers 200 to what it cannot find. */
const isUnknown = (error: unknown): boolean => error instanceof Problem && error.status === 200;

function platformsOf(
  platforms: readonly { Os: string | null; Arch: string | null }[] | null,
): Platform[] {
  return (platforms ?? [])
    .map(({ Os, Arch }) => ({ os: Os ?? "", architecture: Arch ?? "" }))
    .filter(({ os, architecture }) => os !== "" && os !== "unknown" && architecture !== "unknown");
}

export function numberOf(text: string | number | null | undefined): number | null {
  if (text === null || text === undefined || text === "") return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

interface Usage {
  readonly repositories: readonly {
    readonly name: string;
    readonly linkedBytes: number;
    readonly tagCount: number;
  }[];
}

/** Of the first thousand repositories. */
async function namesOnly(
  text: string,
  count: number,
  signal: AbortSignal,
): Promise<FoundRepositories> {
  const { repositories } = await requestJson<Usage>("v2/_zot/usage?n=1000", { signal });
  const wanted = text.toLowerCase();
  const found = repositories.filter(({ name }) => name.includes(wanted));
  return {
    total: found.length,
    images: [],
    repositories: found.slice(0, count).map(({ name, linkedBytes, tagCount }) => ({
      name,
      updatedAt: null,
      bytes: linkedBytes,
      tags: tagCount,
      newestTag: null,
      description: "",
      isSigned: false,
      pulls: null,
      platforms: [],
      artifactType: "",
    })),
  };
}

/** A tag with the image that it points at; what is not known is null. */
export interface TagRow {
  readonly tag: string;
  readonly digest: string | null;
  readonly bytes: number | null;
  readonly platforms: readonly Platform[];
  readonly taggedAt: string | null;
  readonly createdAt: string | null;
  readonly by: string | null;
  readonly pulls: number | null;
  readonly pulledAt: string | null;
  readonly isSigned: boolean;
  readonly artifactType: string;
  readonly description: string;
}

export interface TagList {
  readonly tags: readonly TagRow[];
  readonly total: number;
}

const tagsText = `query($repo: String!, $page: PageInput!) {
  ImageList(repo: $repo, requestedPage: $page) {
    Page { TotalCount ItemCount }
    Results {
      Tag Digest Size LastUpdated TaggedTimestamp PushedBy DownloadCount LastPullTimestamp IsSigned Description
      Manifests { ArtifactType Platform { Os Arch } }
    }
  }
}`;

interface ImageSummary {
  readonly Tag: string | null;
  readonly Digest: string | null;
  readonly Size: string | null;
  readonly LastUpdated: string | null;
  readonly TaggedTimestamp: string | null;
  readonly PushedBy: string | null;
  readonly DownloadCount: number | null;
  readonly LastPullTimestamp: string | null;
  readonly IsSigned: boolean | null;
  readonly Description: string | null;
  readonly Manifests:
    | readonly {
        readonly ArtifactType: string | null;
        readonly Platform: { readonly Os: string | null; readonly Arch: string | null } | null;
      }[]
    | null;
}

export async function listTags(
  repository: string,
  count: number,
  signal: AbortSignal,
): Promise<TagList> {
  try {
    const page = { limit: count, offset: 0, sortBy: "UPDATE_TIME" };
    const { ImageList: list } = await query<{
      ImageList: { Page: { TotalCount: number } | null; Results: ImageSummary[] | null };
    }>(tagsText, { repo: repository, page }, signal);
    const tags = (list.Results ?? []).map(tagRow);
    const total = list.Page?.TotalCount ?? tags.length;
    if (tags.length > 0) return { tags, total };
  } catch (error) {
    // Search does not know every repository: whether it is there, its list of tags says.
    if (!hasNoSearch(error) && !isUnknown(error)) throw error;
  }
  return tagNames(repository, count, signal);
}

function tagRow(image: ImageSummary): TagRow {
  const manifests = image.Manifests ?? [];
  return {
    tag: image.Tag ?? "",
    digest: image.Digest,
    bytes: numberOf(image.Size),
    platforms: platformsOf(manifests.flatMap(({ Platform }) => Platform ?? [])),
    taggedAt: image.TaggedTimestamp,
    createdAt: image.LastUpdated,
    by: image.PushedBy,
    pulls: image.DownloadCount,
    pulledAt: image.LastPullTimestamp,
    isSigned: image.IsSigned === true,
    artifactType: manifests[0]?.ArtifactType ?? "",
    description: image.Description ?? "",
  };
}

/** Also what search has not taken up yet, and whether the repository is there at all. */
async function tagNames(repository: string, count: number, signal: AbortSignal): Promise<TagList> {
  const response = await request(`v2/${repository}/tags/list?n=${count}`, { signal });
  const { tags } = (await response.json()) as { tags: readonly string[] | null };
  const shown = (tags ?? []).filter((tag) => !/^sha(256|512)-[0-9a-f]{64,128}$/.test(tag));
  const rows = shown.map((tag) => ({
    tag,
    digest: null,
    bytes: null,
    platforms: [],
    taggedAt: null,
    createdAt: null,
    by: null,
    pulls: null,
    pulledAt: null,
    isSigned: false,
    artifactType: "",
    description: "",
  }));
  const isMore = response.headers.get("link") !== null;
  return { tags: rows, total: rows.length + (isMore ? 1 : 0) };
}
