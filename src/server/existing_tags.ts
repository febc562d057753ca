/** What the rules of retention say of the tags that are there: for a person who checks a configuration before it serves. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { SqliteMetadata } from "../metadata/sqlite/sqlite_metadata.ts";
import { PatternsOnTags } from "../registry/retention/check_rules.ts";
import { compileRules, policyOf } from "../registry/retention/rules.ts";
import { metadataFile } from "../storage/layout.ts";

/** Repositories, and tags of each, that are looked at. */
const repositoriesMax = 1_000;
const tagsMax = 1_000;

/** Warnings about patterns that fit more of the tags that are there than they seem to. */
export async function patternWarnings({ storage }: Config): Promise<string[]> {
  const path = join(storage.rootDirectory, metadataFile);
  if (storage.retention.policies.length === 0 || !existsSync(path)) return [];
  const rules = compileRules(storage.retention, storage.gcDelay);
  const seen = new PatternsOnTags(storage.retention);
  const commit = () => Promise.reject(new Error("a check commits nothing"));
  const metadata = new SqliteMetadata(path, { commit });
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
