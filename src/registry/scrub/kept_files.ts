/**
 * Files of damaged content in quarantine: they stay until a person lets them go, and no longer than that, since the
 * content is right again or gone by then.
 */
import { scrub } from "../../metadata/scrub.ts";
import { parseDigest, type Digest } from "../../oci/digest.ts";
import { apiError } from "../../oci/errors.ts";
import type { KeptFile } from "../../storage/blob_store.ts";
import type { Registry } from "../registry.ts";

/** Files that are told one by one. */
const keptToldMax = 100;

export interface ToldKept extends KeptFile {
  /** Null for what somebody else put there. */
  readonly digest: Digest | null;
  /** Some repository has not got the content back. */
  readonly isDamaged: boolean;
}

export interface KeptFiles {
  readonly files: number;
  readonly bytes: number;
  /** The first of them, in the order of the names. */
  readonly list: readonly ToldKept[];
}

export async function keptFiles(registry: Registry): Promise<KeptFiles> {
  const all = await registry.blobs.kept();
  const list: ToldKept[] = [];
  for (const file of all.slice(0, keptToldMax)) {
    const digest = digestIn(file.name);
    const isDamaged = digest !== null && (await damagedIn(registry, digest)).length > 0;
    list.push({ ...file, digest, isDamaged });
  }
  return { files: all.length, bytes: sum(all), list };
}

/**
 * Removes the files that are kept of a digest for good. @throws BLOB_UNKNOWN for none; STILL_DAMAGED while a repository
 * has not got the content back: what is kept may be all that is left of it.
 */
export async function forgetKept(
  registry: Registry,
  digest: Digest,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const kept = (await registry.blobs.kept()).filter(({ name }) => digestIn(name) === digest);
  if (kept.length === 0) {
    throw apiError("BLOB_UNKNOWN", {
      message: "Nothing is kept of damaged content with this digest",
      detail: { digest },
    });
  }
  const [repository, ...others] = await damagedIn(registry, digest);
  if (repository !== undefined) {
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    throw apiError("STILL_DAMAGED", {
      message: `The content is still damaged in ${repository}${more}: push it again, or delete it there, first`,
      detail: { digest, repository },
    });
  }
  const removed: KeptFile[] = [];
  for (const file of kept) if (await registry.blobs.removeKept(file.name)) removed.push(file);
  return { files: removed.length, bytes: sum(removed) };
}

async function damagedIn({ metadata }: Registry, digest: Digest): Promise<readonly string[]> {
  const marks = await metadata.records(scrub).damagedAs(digest);
  return marks.map(({ repository }) => repository);
}

/** Names are `<digest>.<time>`. */
function digestIn(name: string): Digest | null {
  return parseDigest(name.slice(0, Math.max(name.indexOf("."), 0)));
}

function sum(files: readonly KeptFile[]): number {
  return files.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
}
