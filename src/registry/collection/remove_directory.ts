/**
 * The directory of a repository that holds nothing. It is removed before the repository is: a process that ends in
 * between leaves a candidate, and the next round goes on.
 */
import { layoutStates } from "../../metadata/layout_states.ts";
import { recordCommit } from "../../metadata/records.ts";
import { hasLayouts, type Registry } from "../registry.ts";

/**
 * Removes what is empty, and nothing that another tool put there. `stamp` is that of our index.json. What cannot be
 * removed is reported, and stays as an empty layout.
 */
export async function removeDirectory(
  registry: Registry,
  repository: string,
  stamp: string | null,
): Promise<void> {
  if (!hasLayouts(registry)) return;
  const { layouts, report } = registry;
  try {
    await layouts.removeRepository(repository, stamp);
  } catch (error) {
    report("error", "the directory of an empty repository could not be removed", {
      repository,
      error: String(error),
    });
  }
}

/** A push at this very moment needs its index.json, which may have been removed. */
export async function restoreDirectory(registry: Registry, repository: string): Promise<void> {
  if (!hasLayouts(registry)) return;
  const { metadata } = registry;
  if (!(await metadata.repositoryExists(repository))) return;
  await metadata.commit(
    recordCommit(layoutStates, { kind: "raise-generation", repository, generation: 0 }),
  );
}
