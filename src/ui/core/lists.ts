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

const repositoriesText = `query($query: String!, $page: PageInput!) {
  GlobalSearch(query: $query, requestedPage: $page) {
    Page { TotalCount ItemCount }
    Repos { Name LastUpdated Size DownloadCount Platforms { Os Arch } NewestImage { Tag Description IsSigned } }
    Images { RepoName Tag }
  }
}`;

interface GlobalSearch {
  readonly Page: { readonly TotalCount: number; readonly ItemCount: number } | null;
  readonly Repos:
    | readonly Readonly<{
        Name: string | null;
        LastUpdated: string | null;
        Size: string | null;
        DownloadCount: number | null;
        Platforms: readonly { Os: string | null; Arch: string | null }[] | null;
        NewestImage: {
          Tag: string | null;
          Description: string | null;
          IsSigned: boolean | null;
        } | null;
      }>[]
    | null;
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
    return {
      total: found.Page?.TotalCount ?? null,
      images: (found.Images ?? []).map(({ RepoName, Tag }) => ({
        name: RepoName ?? "",
        tag: Tag ?? "",
      })),
      repositories: (found.Repos ?? []).map((each) => ({
        name: each.Name ?? "",
        updatedAt: each.LastUpdated,
        bytes: numberOf(each.Size),
        tags: null,
        newestTag: each.NewestImage?.Tag ?? null,
        description: each.NewestImage?.Description ?? "",
        isSigned: each.NewestImage?.IsSigned === true,
        pulls: each.DownloadCount,
        platforms: platformsOf(each.Platforms),
      })),
    };
  } catch (error) {
    if (!hasNoSearch(error)) throw error;
    return namesOnly(text, count, signal);
  }
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
      Tag Digest Size LastUpdated TaggedTimestamp PushedBy DownloadCount IsSigned Description
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
    isSigned: false,
    artifactType: "",
    description: "",
  }));
  const isMore = response.headers.get("link") !== null;
  return { tags: rows, total: rows.length + (isMore ? 1 : 0) };
}
