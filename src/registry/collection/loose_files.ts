/**
 * Files of blobs in a repository that holds nothing: a push that ended before its commit left them, or another tool that
 * has not written its index.json yet.
 *
 * The repository stays as long as they do. Else the next start would find a directory that no repository knows, and take
 * it for a layout of another tool whose blobs nothing names. The walk removes them (`file_walk.ts`).
 */
import { parseDigest } from "../../oci/digest.ts";
import { hasLayouts, type Registry } from "../registry.ts";

/** Whether any lies there, or may: a directory that cannot be read is not empty. Ask it where the metadata has none. */
export async function hasLooseFiles(registry: Registry, repository: string): Promise<boolean> {
  if (!hasLayouts(registry)) return false;
  const { layouts } = registry;
  let unreadable = false;
  const pages = layouts.blobNames(repository, () => (unreadable = true));
  for await (const { algorithm, names } of pages) {
    const isFile = names.some((name) => {
      const digest = parseDigest(`${algorithm}:${name}`);
      return digest !== null && layouts.lookAtBlob(repository, digest)?.lying === "file";
    });
    if (isFile) return true;
  }
  return unreadable;
}
