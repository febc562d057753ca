/** Until when manifests that came from an upstream are no garbage though nothing names them. */
import { mirrors } from "../../metadata/mirrors.ts";
import type { Registry } from "../registry.ts";

/** Manifests that clients pull by digest have no tag here, and their upstream may be gone. */
const wantedMs = 7 * 24 * 60 * 60_000;

export const wantedReason = "cached from its upstream, and pulled lately";

/** Null for one that came from no upstream. */
export async function wantedUntil(
  { metadata }: Pick<Registry, "metadata">,
  { repository, digest }: { readonly repository: string; readonly digest: string },
): Promise<number | null> {
  const usedAt = await metadata.records(mirrors).usedAt(repository, digest);
  return usedAt === null ? null : usedAt + wantedMs;
}
