/**
 * Rules that compare the untagged manifests of a repository with each other ("the newest three stay"): what they say of
 * all of them, asked once a round.
 */
import { collection } from "../../metadata/collection.ts";
import { retention } from "../../metadata/retention.ts";
import type { Registry } from "../registry.ts";
import { decideUntagged, type UntaggedFacts, type Verdict } from "../retention/decide.ts";
import { policyOf, rulesOf, type RetentionRules } from "../retention/rules.ts";

/**
 * Untagged manifests of a repository that are compared. Of more, those with the first digests: then a few more than
 * the rules say stay, and never fewer.
 */
const comparedMax = 10_000;

/** Manifests whose pulls are asked for at once. */
const pageMax = 256;

export class Compared {
  readonly #registry: Registry;
  readonly #verdicts = new Map<string, Promise<ReadonlyMap<string, Verdict> | null>>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** By digest; null where the rules look at each for itself. */
  verdictsIn(
    repository: string,
    given: { readonly rules: RetentionRules; readonly now: number },
  ): Promise<ReadonlyMap<string, Verdict> | null> {
    if (policyOf(given.rules, repository).keepUntagged === null) return Promise.resolve(null);
    const known = this.#verdicts.get(repository) ?? this.#decide(repository, given);
    this.#verdicts.set(repository, known);
    return known;
  }

  async #decide(
    repository: string,
    { rules, now }: { readonly rules: RetentionRules; readonly now: number },
  ): Promise<ReadonlyMap<string, Verdict>> {
    const reads = this.#registry.metadata.records(collection);
    const untagged = await reads.untaggedIn(repository, comparedMax);
    const pulledAt = await this.#pulls(
      repository,
      untagged.map(({ digest }) => digest),
    );
    const facts = untagged.map(({ digest, since, pushedAt }): UntaggedFacts => ({
      digest,
      since,
      pushedAt,
      pulledAt: pulledAt.get(digest) ?? null,
      subject: null,
    }));
    const waited = { ...rulesOf(rules, repository), delayMs: 0 };
    const verdicts = decideUntagged(repository, facts, { rules: waited, now });
    await this.#lookAgain(repository, [...verdicts.values()], now);
    return new Map([...verdicts].map(([{ digest }, verdict]) => [digest, verdict]));
  }

  async #pulls(repository: string, digests: readonly string[]): Promise<Map<string, number>> {
    const reads = this.#registry.metadata.records(retention);
    const found = new Map<string, number>();
    for (let from = 0; from < digests.length; from += pageMax) {
      const page = digests.slice(from, from + pageMax);
      for (const { digest, at } of await reads.pulls(repository, page)) found.set(digest, at);
    }
    return found;
  }

  /** What was kept before and goes now has its turn in this round. */
  async #lookAgain(repository: string, verdicts: readonly Verdict[], now: number): Promise<void> {
    if (!verdicts.some(({ decision }) => decision === "delete")) return;
    await this.#registry.metadata.commit({
      records: collection.name,
      changes: [{ kind: "look-again-in", repository, now }],
    });
  }
}
