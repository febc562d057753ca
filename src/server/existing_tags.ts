/**
 * What the rules of retention and quotas say of the repositories and tags that are there: for a person who checks a
 * configuration before it serves.
 */
import type { Config } from "../config/schema.ts";
import { systemClock } from "../lib/clock.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { PatternsOnTags } from "../registry/retention/check_options.ts";
import { scopeTest } from "../metadata/usage.ts";
import { compileStores, policyOf, rulesOf } from "../registry/retention/rules.ts";
import type { RetentionValues } from "../registry/retention/options.ts";
import { everyStore, keyOf, subPathPlace } from "../registry/store_settings.ts";
import { DirectoryRoot } from "./directory_root.ts";

interface StoreRules {
  readonly retention: RetentionValues;
}

/** The rules of every store, with the key of the store and where they stand. */
function retentionPlaces({
  retention,
  subPaths,
}: Config["storage"]): [key: string | null, values: RetentionValues, place: string][] {
  const apart = Object.entries(subPaths).map(([key, values]): [string, RetentionValues, string] => [
    key,
    values.retention,
    `${subPathPlace(key)}.retention`,
  ]);
  return [[null, retention, "storage.retention"], ...apart];
}

/** Repositories, and tags of each, that are looked at. */
const repositoriesMax = 1_000;
const tagsMax = 1_000;

/** Warnings about patterns that fit more of the tags that are there than they seem to. */
export async function patternWarnings({ storage }: Pick<Config, "storage">): Promise<string[]> {
  if (everyStore<StoreRules>(storage).every(({ retention }) => retention.policies.length === 0)) {
    return [];
  }
  const rules = compileStores(storage);
  const seen = new Map(
    retentionPlaces(storage).map(([key, values, place]) => [
      key,
      new PatternsOnTags(values, place),
    ]),
  );
  const metadata = openExisting({ storage });
  if (metadata === null) return [];
  try {
    const page = { after: null, limit: repositoriesMax };
    for (const repository of await metadata.repositories(page)) {
      const own = rulesOf(rules, repository);
      const policy = own.policies.indexOf(policyOf(rules, repository));
      if (policy === -1) continue;
      for (const tag of await metadata.tags(repository, { after: null, limit: tagsMax })) {
        seen.get(keyOf<StoreRules>(storage, repository))?.see({ policy, repository, tag });
      }
    }
    return [...seen.values()].flatMap((patterns) => patterns.warnings());
  } catch (error) {
    return [`storage.retention: tags that are there could not be looked at: ${String(error)}`];
  } finally {
    await metadata.close();
  }
}

/** Names that are asked for at once, and looked at in all. */
const namesAtOnce = 1_000;
const namesMax = 100_000;

/** Warnings about quotas and policies that are about no repository that is there. */
export async function scopeWarnings({ storage }: Pick<Config, "storage">): Promise<string[]> {
  const { quotas } = storage;
  const unmet = new Map<string, (name: string) => boolean>();
  for (const [at, { prefix, repositories = [] }] of quotas.entries()) {
    const fits = scopeTest(prefix === undefined ? { globs: repositories } : { prefix });
    unmet.set(`storage.quotas[${at}]`, fits);
  }
  for (const [, { policies }, place] of retentionPlaces(storage)) {
    for (const [at, { repositories }] of policies.entries()) {
      unmet.set(`${place}.policies[${at}]`, scopeTest({ globs: repositories }));
    }
  }
  const metadata = unmet.size === 0 ? null : openExisting({ storage });
  if (metadata === null) return [];
  try {
    let [seen, after]: [number, string | null] = [0, null];
    do {
      const names: string[] = await metadata.repositories({ after, limit: namesAtOnce });
      for (const [place, fits] of unmet) if (names.some(fits)) unmet.delete(place);
      seen += names.length;
      after = names.length < namesAtOnce ? null : (names.at(-1) ?? null);
    } while (after !== null && unmet.size > 0 && seen < namesMax);
    // Of none, or too many, nothing can be said.
    if (seen === 0 || after !== null) return [];
    return [...unmet.keys()].map(
      (place) => `${place}: none of the ${seen} repositories that are there fits it`,
    );
  } catch (error) {
    return [`storage: repositories that are there could not be looked at: ${String(error)}`];
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
