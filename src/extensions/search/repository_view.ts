/** A repository as GraphQL asks for it: a member for each field of the schema, functions for what needs a look. */
import type { ImageRow, RepositorySummary } from "../../metadata/summaries.ts";
import { viewsOf, platformView, type ImageView } from "./image_view.ts";
import type { Searching } from "./searching.ts";
import { int, time } from "./values.ts";

export type RepositoryView = ReturnType<typeof repositoryView>;

/** Images that are looked at for the newest one that the caller may see, and that are read at once. */
const newestMax = 1_000;
const pageMax = 50;

/** The newest image, or the newest one whose tag the caller may see. */
async function newestShown(
  searching: Searching,
  id: number,
  newest: string,
): Promise<ImageRow | null> {
  const { reads } = searching;
  if (searching.showsTag === null) return reads.image(id, newest);
  for (let offset = 0; offset < newestMax; offset += pageMax) {
    const page = await reads.imagesOf(id, "updated", { offset, limit: pageMax });
    const [shown] = searching.seen(page);
    if (shown !== undefined || page.length < pageMax) return shown ?? null;
  }
  return null;
}

/** `rank`: how well it fits what was searched for. */
export function repositoryView(
  searching: Searching,
  { id, name, updatedAt, platforms, vendors, pulls, stars, newest }: RepositorySummary,
  rank: number,
) {
  const { reads } = searching;
  return {
    Name: name,
    LastUpdated: time(updatedAt),
    Size: async () => String(await reads.sizeOf(id)),
    Platforms: platforms.map(platformView),
    Vendors: vendors,
    // Null where it is gone by now.
    NewestImage: async (): Promise<ImageView | null> => {
      const row = newest === null ? null : await newestShown(searching, id, newest.tag);
      return row === null ? null : ((await viewsOf(searching, [row]))[0] ?? null);
    },
    DownloadCount: int(pulls),
    StarCount: int(stars),
    IsStarred: async () => (await searching.preferred("star")).has(id),
    IsBookmarked: async () => (await searching.preferred("bookmark")).has(id),
    Rank: rank,
  };
}
