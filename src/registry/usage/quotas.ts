/** What `storage.maxRepos` and `storage.quotas` of a configuration mean, for the metadata that enforce them. */
import type { Quota } from "../../metadata/usage.ts";

/** An entry of `storage.quotas`. */
interface QuotaEntry {
  readonly prefix?: string | undefined;
  readonly repositories?: readonly string[] | undefined;
  readonly bytes?: number | undefined;
  readonly tags?: number | undefined;
  readonly manifests?: number | undefined;
  readonly maxRepos?: number | undefined;
  readonly warnAt: number;
  readonly count: Quota["count"];
}

/** What the configuration says, with the limit of the whole registry first. */
export function quotasOf(storage: {
  readonly maxRepos: number;
  readonly quotas: readonly QuotaEntry[];
}): Quota[] {
  const { maxRepos, quotas } = storage;
  const whole: Quota[] =
    maxRepos === 0
      ? []
      : [
          {
            name: "storage.maxRepos",
            scope: { prefix: "" },
            limits: { bytes: null, tags: null, manifests: null, repositories: maxRepos },
            count: "linked",
            warnAt: 1,
            isMaxRepos: true,
          },
        ];
  return [...whole, ...quotas.map(quotaFrom)];
}

function quotaFrom(values: QuotaEntry): Quota {
  const { prefix, repositories = [], tags, manifests, maxRepos, warnAt, count: counts } = values;
  return {
    name: prefix ?? repositories.join(", "),
    scope: prefix === undefined ? { globs: repositories } : { prefix },
    limits: {
      bytes: values.bytes ?? null,
      tags: tags ?? null,
      manifests: manifests ?? null,
      repositories: maxRepos ?? null,
    },
    count: counts,
    warnAt,
    isMaxRepos: false,
  };
}
