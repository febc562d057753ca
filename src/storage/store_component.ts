/** Which part of a repository's name says in which of several stores it lies (`storage.subPaths`). */

/**
 * The first component; null for a name of one component, which has none: as in zot, the repository `a` lies in the main
 * store, and `a/b` in that of `/a`.
 */
export function componentOf(repository: string): string | null {
  const end = repository.indexOf("/");
  return end === -1 ? null : repository.slice(0, end);
}
