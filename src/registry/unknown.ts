/**
 * Looking for something that the facts may not know yet, because another tool put its repository on disk (also: a first
 * start on a root of zot, a lost database).
 *
 * What is not found in such a repository is looked for again once it was taken in: the request itself asks the
 * primary to read it, and waits. Only when that takes too long is the answer "try again"; a 404 would be believed.
 */
import type { LayoutState } from "../metadata/metadata.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import { isOurs } from "./reconcile_layout.ts";
import type { Registry } from "./registry.ts";

/** How long a request waits for its repository to be taken in. */
const intakeWaitMs = 10_000;
const lookEveryMs = 50;
/** Seconds that a client is asked to wait after that. */
const retryAfterS = "5";

/** What `find` finds, now or once the repository was taken in. @throws UNAVAILABLE when that takes long. */
export async function findIn<T>(
  registry: Registry,
  repository: string,
  find: () => Promise<T | null>,
): Promise<T | null> {
  const found = await find();
  if (found !== null || !(await wasTakenIn(registry, repository))) return found;
  return find();
}

/** For a repository without what was looked for: whether it was taken in since. @throws as `findIn`. */
export async function wasTakenIn(registry: Registry, repository: string): Promise<boolean> {
  if (!(await awaitsIntake(registry, repository))) return false;
  // The fact that it exists is enough: its index.json is behind, and whoever writes it takes in what lies there.
  await registry.metadata.commit({
    repository,
    preconditions: [],
    changes: [{ kind: "create-repository" }],
    by: null,
  });
  const { clock } = registry;
  const endMs = clock.monotonicMs() + intakeWaitMs;
  while (clock.monotonicMs() < endMs) {
    if (!(await awaitsIntake(registry, repository))) return true;
    await clock.sleep(lookEveryMs);
  }
  throw apiError("UNAVAILABLE", {
    message: "This repository lies on disk and is still being read; try again",
    headers: { "retry-after": retryAfterS },
  });
}

/** The API error that tells an unknown manifest from an unknown repository. */
export async function unknownReference(
  registry: Registry,
  repository: string,
  reference: string,
): Promise<ApiError> {
  const known = await registry.metadata.repositoryExists(repository);
  const detail = { name: repository, reference };
  return apiError(known ? "MANIFEST_UNKNOWN" : "NAME_UNKNOWN", { detail });
}

async function awaitsIntake({ metadata, storage }: Registry, repository: string): Promise<boolean> {
  if (isProjected(await metadata.layoutState(repository))) return false;
  const stamp = await storage.indexStamp(repository);
  if (stamp === null || storage.hasEmptyIndex(repository)) return false;
  // Asked again after the disk: an index.json of ours is planned in the facts before anybody can see it.
  const state = await metadata.layoutState(repository);
  return !isProjected(state) && !isOurs(stamp, state);
}

function isProjected(state: LayoutState | null): boolean {
  return state !== null && state.projected > 0;
}
