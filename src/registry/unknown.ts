/**
 * What to answer for something that the facts do not know.
 *
 * Promises: it is absent, with the API error that the caller names, unless its repository lies on disk and was not
 * taken in yet (a first start on a foreign root, a lost database): then the answer is "try again", because a 404
 * would be believed.
 */
import type { LayoutState } from "../metadata/metadata.ts";
import { apiError, type ApiErrorName, type ApiError } from "../oci/errors.ts";
import { isOurs } from "./reconcile_layout.ts";
import type { Registry } from "./registry.ts";

/** Seconds that a client is asked to wait for a repository to be taken in. */
const retryAfterS = "5";

export async function unknownIn(
  registry: Registry,
  repository: string,
  reason: ApiErrorName,
  detail: unknown,
): Promise<ApiError> {
  if (!(await awaitsIntake(registry, repository))) return apiError(reason, { detail });
  return apiError("UNAVAILABLE", {
    message: "This repository lies on disk and is still being read; try again",
    headers: { "retry-after": retryAfterS },
  });
}

/** As `unknownIn`, with the API error that tells an unknown manifest from an unknown repository. */
export async function unknownReference(
  registry: Registry,
  repository: string,
  reference: string,
): Promise<ApiError> {
  const known = await registry.metadata.repositoryExists(repository);
  const detail = { name: repository, reference };
  return unknownIn(registry, repository, known ? "MANIFEST_UNKNOWN" : "NAME_UNKNOWN", detail);
}

async function awaitsIntake(registry: Registry, repository: string): Promise<boolean> {
  if (isProjected(await registry.metadata.layoutState(repository))) return false;
  const stamp = await registry.storage.indexStamp(repository);
  // Asked again after the disk: an index.json of ours is planned in the facts before anybody can see it.
  const state = await registry.metadata.layoutState(repository);
  return !isProjected(state) && !isOurs(stamp, state);
}

function isProjected(state: LayoutState | null): boolean {
  return state !== null && state.projected > 0;
}
