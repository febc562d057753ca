/** Removes the directory of a repository that is gone from the metadata. */
import { layoutStates } from "../../metadata/layout_states.ts";
import { recordCommit } from "../../metadata/records.ts";
import { hasLayouts, type Registry } from "../registry.ts";

/**
 * Removes what is empty, and nothing that another tool put there. `stamp` is that of our index.json. What cannot be
 * removed is reported: the next start takes it in as an empty repository, and it is collected again.
 */
export async function removeDirectory(
  registry: Registry,
  repository: string,
  stamp: string | null,
): Promise<void> {
  if (!hasLayouts(registry)) return;
  const { metadata, layouts, report } = registry;
  try {
    await layouts.removeRepository(repository, stamp);
  } catch (error) {
    report("error", "the directory of an empty repository could not be removed", {
      repository,
      error: String(error),
    });
  }
  // A push at this very moment made it anew: its index.json may be the one that was removed.
  if (!(await metadata.repositoryExists(repository))) return;
  await metadata.commit(
    recordCommit(layoutStates, { kind: "raise-generation", repository, generation: 0 }),
  );
}
