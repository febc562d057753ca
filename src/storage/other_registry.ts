/**
 * Checks whether a root directory belongs to another registry, whose layout is not served, so that the operator learns
 * why its images are missing. It changes nothing.
 */
import { statSync } from "node:fs";
import { join } from "node:path";

/** Where docker-registry (distribution) keeps everything, from its `rootdirectory` on. */
const dockerRegistryPath = "docker/registry/v2";

/** One line of advice for the operator; null for a directory that is empty, ours, or of layouts. */
export function otherRegistryAdvice(
  rootDirectory: string,
  option = "storage.rootDirectory",
): string | null {
  const places = [join(rootDirectory, dockerRegistryPath), rootDirectory];
  const found = places.find(isDockerRegistry);
  if (found === undefined) return null;
  return (
    `${option}: ${found} holds what docker-registry keeps there, in a layout that is not served: its images ` +
    "are not in this registry; give it a directory of its own, and bring them there by 'zot migrate distribution:…' " +
    "(docs/guides/migrate.md, From docker-registry and others)"
  );
}

/** A repository of ours may have the same name: it is an OCI image layout, and has no such directory. */
function isDockerRegistry(path: string): boolean {
  return (
    isDirectory(join(path, "repositories")) &&
    isDirectory(join(path, "blobs")) &&
    statSync(join(path, "oci-layout"), { throwIfNoEntry: false }) === undefined
  );
}

/** False, too, for what this user may not look at. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
