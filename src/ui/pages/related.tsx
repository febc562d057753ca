/** Images that this one is built on, and those that are built on it, as search finds them by their layers. */
import { Problem, query } from "../core/http.ts";
import { numberOf } from "../core/lists.ts";
import { useLoad } from "../core/load.ts";
import { imageAddress, Link } from "../core/router.tsx";
import { Bytes, Empty, Shown, Time } from "../parts/basics.tsx";

interface Found {
  readonly Page: { readonly TotalCount: number } | null;
  readonly Results:
    | readonly {
        readonly RepoName: string | null;
        readonly Tag: string | null;
        readonly Size: string | null;
        readonly LastUpdated: string | null;
      }[]
    | null;
}

interface Related {
  readonly base: Found;
  readonly derived: Found;
}

const fields = "Page { TotalCount } Results { RepoName Tag Size LastUpdated }";
const text = `query($image: String!, $page: PageInput!) {
  base: BaseImageList(image: $image, requestedPage: $page) { ${fields} }
  derived: DerivedImageList(image: $image, requestedPage: $page) { ${fields} }
}`;
const shownMax = 50;

async function loadRelated(image: string, signal: AbortSignal): Promise<Related | null> {
  try {
    return await query<Related>(text, { image, page: { limit: shownMax, offset: 0 } }, signal);
  } catch (error) {
    // A registry without search knows nothing of it.
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

export function RelatedImages({
  repository,
  tag,
}: {
  readonly repository: string;
  readonly tag: string;
}) {
  const image = `${repository}:${tag}`;
  const related = useLoad(`related ${image}`, async (signal) => ({
    found: await loadRelated(image, signal),
  }));
  return (
    <Shown loaded={related}>
      {({ found }) =>
        found === null ? (
          <Empty icon="layers" title="This registry has no search">
            <p>
              <code>extensions.search</code> in its configuration finds images by their layers.
            </p>
          </Empty>
        ) : (
          <div class="sections">
            <List
              title="Built on"
              found={found.base}
              none="No image here is the beginning of this one."
            />
            <List
              title="Used by"
              found={found.derived}
              none="No image here begins with these layers."
            />
          </div>
        )
      }
    </Shown>
  );
}

function List({
  title,
  found,
  none,
}: {
  readonly title: string;
  readonly found: Found;
  readonly none: string;
}) {
  const images = found.Results ?? [];
  const total = found.Page?.TotalCount ?? images.length;
  return (
    <section class="card">
      <h2>{title}</h2>
      {images.length === 0 && <p class="dim">{none}</p>}
      <ul class="files">
        {images.map(({ RepoName, Tag, Size, LastUpdated }) => (
          <li key={`${RepoName ?? ""}:${Tag ?? ""}`} data-row="">
            <span class="what">
              <Link to={imageAddress(RepoName ?? "", Tag ?? "")}>
                {RepoName}:{Tag}
              </Link>
            </span>
            <span class="dim small">
              <Time at={LastUpdated} />
            </span>
            <span class="number">
              <Bytes count={numberOf(Size)} />
            </span>
          </li>
        ))}
      </ul>
      {total > images.length && <p class="dim">And {total - images.length} more.</p>}
    </section>
  );
}
