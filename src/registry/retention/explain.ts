/** What retention decides about tags, and why: for people who ask before it happens. */
import { apiError } from "../../oci/errors.ts";
import type { Registry } from "../registry.ts";
import { absentError, resolveTags, whyAbsent } from "../resolve.ts";
import { decisionsInTurns, type Decision } from "./evaluate.ts";
import { readFacts } from "./facts.ts";
import { componentOf } from "../../storage/store_component.ts";
import { policyOf, rulesOf, type Policy } from "./rules.ts";

/** Tags of a repository that are explained: more would keep other requests of the process waiting. */
const explainedTagsMax = 20_000;

export interface Explanation {
  readonly repository: string;
  /** Place of the policy in the configuration, from 0 on; null where none fits. */
  /** The key of `storage.subPaths` whose rules hold; null for those of `storage.retention`. */
  readonly subPath: string | null;
  readonly policy: number | null;
  readonly dryRun: boolean;
  /** By the order of the alphabet. */
  readonly decisions: readonly Decision[];
}

/** @throws NAME_UNKNOWN, MANIFEST_UNKNOWN for a tag that is not there, TOO_COSTLY. */
export async function explainTags(
  registry: Registry,
  repository: string,
  tag: string | null,
): Promise<Explanation> {
  const resolved = await resolveTags(registry, repository, { after: null, limit: 1 });
  if (resolved.found === null) {
    throw absentError(resolved.why, "MANIFEST_UNKNOWN", { name: repository });
  }
  const facts = await readFacts(registry.metadata, repository, explainedTagsMax);
  if (facts === null) {
    throw apiError("TOO_COSTLY", {
      message: `The repository has more than ${explainedTagsMax} tags; zot gc plan lists what would go`,
    });
  }
  const all = await decisionsInTurns(facts, registry.retention, registry.clock.now());
  const decisions = tag === null ? all : all.filter((each) => each.tag === tag);
  if (tag !== null && decisions.length === 0) {
    const why = await whyAbsent(registry, repository);
    throw absentError(why, "MANIFEST_UNKNOWN", { name: repository, reference: tag });
  }
  return {
    repository,
    subPath: subPathOf(registry, repository),
    policy: placeOf(registry, repository),
    dryRun: rulesOf(registry.retention, repository).dryRun,
    decisions,
  };
}

/** The key of `storage.subPaths` whose rules hold; null for those of `storage.retention`. */
function subPathOf({ retention }: Registry, repository: string): string | null {
  const component = componentOf(repository);
  return component !== null && retention.apart.has(component) ? `/${component}` : null;
}

function placeOf({ retention }: Registry, repository: string): number | null {
  const policy: Policy = policyOf(retention, repository);
  const place = rulesOf(retention, repository).policies.indexOf(policy);
  return place === -1 ? null : place;
}
