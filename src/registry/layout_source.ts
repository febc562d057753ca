/**
 * The source of repositories that lie on disk and are not in the metadata yet, because another tool put them there
 * (also: a first start on a root of zot, a lost database).
 *
 * A request that misses something asks the primary to read the layout, and waits until that is done.
 */
import { layoutStates, type LayoutState } from "../metadata/layout_states.ts";
import { isOurs } from "./reconcile_layout.ts";
import type { Brought, Registry } from "./registry.ts";

/** How long a request waits for its repository to be read in. */
const intakeWaitMs = 10_000;
const lookEveryMs = 50;

/** Has the layout of a repository read in, if it was not. */
export async function layoutSource(registry: Registry, repository: string): Promise<Brought> {
  if (!(await awaitsIntake(registry, repository))) return "nothing";
  // That the repository exists is enough: its index.json is behind, and the job that writes it reads the layout in.
  await registry.metadata.commit({
    repository,
    preconditions: [],
    changes: [{ kind: "create-repository" }],
    by: null,
  });
  const { clock } = registry;
  const endMs = clock.monotonicMs() + intakeWaitMs;
  while (clock.monotonicMs() < endMs) {
    if (!(await awaitsIntake(registry, repository))) return "brought";
    await clock.sleep(lookEveryMs);
  }
  return "later";
}

async function awaitsIntake({ metadata, layouts }: Registry, repository: string): Promise<boolean> {
  if (layouts === null) return false;
  const states = metadata.records(layoutStates);
  if (isProjected(await states.state(repository))) return false;
  const stamp = await layouts.indexStamp(repository);
  if (stamp === null || layouts.hasEmptyIndex(repository)) return false;
  // Asked again after the disk: an index.json of ours is planned in the metadata before it can be read.
  const state = await states.state(repository);
  return !isProjected(state) && !isOurs(stamp, state);
}

function isProjected(state: LayoutState | null): boolean {
  return state !== null && state.projected > 0;
}
