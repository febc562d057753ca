/** What is about a manifest: signatures, SBOMs, attestations, and anything else that names it as its subject. */
import { resolveReferrers } from "../../registry/resolve.ts";
import type { Searching } from "./searching.ts";
import { int } from "./values.ts";

/** Referrers that are read in one turn, and their annotations. */
const page = { limit: 500, bytesMax: 4 * 1024 * 1024 };

export interface ReferrerView {
  readonly MediaType: string;
  readonly ArtifactType: string;
  readonly Size: number;
  readonly Digest: string;
  readonly Annotations: readonly { readonly Key: string; readonly Value: string }[];
}

/** Of these artifact types; of all for none. */
export async function referrersOf(
  searching: Searching,
  repository: string,
  subject: string,
  types: readonly string[],
): Promise<readonly ReferrerView[]> {
  const views: ReferrerView[] = [];
  for (let after: string | null = null; ;) {
    const { found } = await resolveReferrers(searching.registry, repository, subject, {
      ...page,
      after,
      artifactTypes: types,
    });
    // A layout that is being read in has none yet.
    if (found === null) return views;
    const told = found.records.slice(0, searching.takeReferrers(found.records.length));
    for (const { mediaType, artifactType, sizeBytes, digest, annotations } of told) {
      searching.takeTexts(annotations?.length ?? 0);
      views.push({
        MediaType: mediaType,
        ArtifactType: artifactType ?? "",
        Size: int(sizeBytes),
        Digest: digest,
        Annotations: annotationsOf(annotations),
      });
    }
    if (found.next === null || told.length < found.records.length) return views;
    after = found.next;
  }
}

function annotationsOf(text: string | null): ReferrerView["Annotations"] {
  // Written by the push, which took texts alone.
  const annotations = text === null ? {} : (JSON.parse(text) as Record<string, string>);
  return Object.entries(annotations).map(([Key, Value]) => ({ Key, Value }));
}
