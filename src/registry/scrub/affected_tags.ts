/** The tags that lead to content: through images, indexes, and what is about them. */
import { scrub } from "../../metadata/scrub.ts";
import { parseDigest, type Digest } from "../../oci/digest.ts";
import type { Registry } from "../registry.ts";

/** Manifests that are looked at; the answer says when there are more. */
const looksMax = 1_000;
/** Parents and referrers that are asked for at once. */
const namesMax = 100;

export interface AffectedTags {
  /** By byte order. */
  readonly tags: readonly string[];
  /** Manifests that lead to it and that no tag names. */
  readonly untagged: number;
  /** There may be more than these. */
  readonly isCutOff: boolean;
}

/** Goes up from a digest. At most `tagsMax` tags are told. */
export async function affectedTags(
  { metadata }: Registry,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
  tagsMax: number,
): Promise<AffectedTags> {
  const tags = new Set<string>();
  const seen = new Set<Digest>([digest]);
  const queue: Digest[] = [digest];
  let untagged = 0;
  let isCutOff = false;
  const reads = metadata.records(scrub);
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    const own = await metadata.tagsOf(repository, at, tagsMax + 1);
    const isManifest = own.length > 0 || (await reads.manifestsIn(repository, at)).length > 0;
    if (own.length === 0 && isManifest) untagged += 1;
    for (const tag of own) tags.add(tag);
    const above = await reads.above(repository, at, namesMax);
    isCutOff ||= above.length >= namesMax;
    for (const text of above) {
      const next = parseDigest(text);
      if (next === null || seen.has(next)) continue;
      if (seen.size >= looksMax || tags.size > tagsMax) {
        isCutOff = true;
        continue;
      }
      seen.add(next);
      queue.push(next);
    }
  }
  const sorted = [...tags].toSorted((a, b) => (a < b ? -1 : 1));
  return { tags: sorted.slice(0, tagsMax), untagged, isCutOff: isCutOff || tags.size > tagsMax };
}
