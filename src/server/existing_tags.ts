/** What the rules of retention say of the tags that are there: for a person who checks a configuration before it serves. */
import type { Config } from "../config/schema.ts";
import { systemClock } from "../lib/clock.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { PatternsOnTags } from "../registry/retention/check_options.ts";
import { compileRules, policyOf } from "../registry/retention/rules.ts";
import { DirectoryRoot } from "./directory_root.ts";

/** Repositories, and tags of each, that are looked at. */
const repositoriesMax = 1_000;
const tagsMax = 1_000;

/** Warnings about patterns that fit more of the tags that are there than they seem to. */
export async function patternWarnings({ storage }: Pick<Config, "storage">): Promise<string[]> {
  if (storage.retention.policies.length === 0) return [];
  const rules = compileRules(storage.retention, storage.gcDelay);
  const seen = new PatternsOnTags(storage.retention);
  const metadata = openExisting({ storage });
  if (metadata === null) return [];
  try {
    const page = { after: null, limit: repositoriesMax };
    for (const repository of await metadata.repositories(page)) {
      const policy = rules.policies.indexOf(policyOf(rules, repository));
      if (policy === -1) continue;
      for (const tag of await metadata.tags(repository, { after: null, limit: tagsMax })) {
        seen.see({ policy, repository, tag });
      }
    }
    return seen.warnings();
  } catch (error) {
    return [`storage.retention: tags that are there could not be looked at: ${String(error)}`];
  } finally {
    await metadata.close();
  }
}

/** Null where no server has kept anything yet. */
function openExisting(config: Pick<Config, "storage">): Metadata | null {
  const commit = () => Promise.reject(new Error("a check commits nothing"));
  try {
    const root = new DirectoryRoot(config, systemClock);
    return root.openMetadata({ committer: { commit }, remembers: false, onLookup: undefined });
  } catch {
    return null;
  }
}
