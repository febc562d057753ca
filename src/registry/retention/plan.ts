/**
 * What retention and collection would remove now, line by line, each with what must still hold when it is applied. The
 * same decisions as those of the jobs, which are asked and not carried out.
 */
import { setImmediate } from "node:timers/promises";
import { collection, type CandidatePlace } from "../../metadata/collection.ts";
import { collectionDueUntil } from "../collection/collection_clock.ts";
import { Compared } from "../collection/compared.ts";
import { decideCandidate } from "../collection/decide_candidate.ts";
import { mustWait, type Indexes } from "../collection/must_wait.ts";
import type { Registry } from "../registry.ts";
import { evaluationOf } from "./evaluate.ts";
import { readFacts } from "./facts.ts";
import { FreedBytes } from "./freed_bytes.ts";
import { everyRules, mayRemove, policyOf, rulesOf, type RetentionRules } from "./rules.ts";

/** Repositories, or candidates, that are read at once. */
const pageMax = 256;

interface LineBase {
  readonly repository: string;
  readonly digest: string;
  readonly reason: string;
  /** Beyond what the lines before it free. */
  readonly bytesFreed: number;
}

export type PlanLine =
  /** Applied while the tag points at the digest. */
  | (LineBase & { readonly kind: "tag"; readonly tag: string })
  /** Applied while nothing has named it since then. */
  | (LineBase & { readonly kind: "manifest" | "blob"; readonly since: number });

/** All lines: tags by repository, then manifests and blobs that have waited for long enough. */
export async function* planLines(registry: Registry): AsyncGenerator<PlanLine> {
  const freed = new FreedBytes(registry);
  yield* tagLines(registry, freed);
  yield* candidateLines(registry, "manifest", freed);
  yield* candidateLines(registry, "blob", freed);
}

async function* tagLines(registry: Registry, freed: FreedBytes): AsyncGenerator<PlanLine> {
  const { metadata, retention: rules, clock } = registry;
  for (let after: string | null = null; ;) {
    const page: string[] = await metadata.repositories({ after, limit: pageMax });
    for (const repository of page) {
      if (!mayRemove(policyOf(rules, repository))) continue;
      await setImmediate();
      const facts = await readFacts(metadata, repository);
      if (facts === null) continue;
      for (const { tag, digest, reason } of evaluationOf(facts, rules, clock.now()).deleted) {
        const bytesFreed = await freed.ofTag(repository, { tag, digest });
        yield { kind: "tag", repository, tag, digest, reason, bytesFreed };
      }
    }
    if (page.length < pageMax) return;
    after = page.at(-1) ?? null;
  }
}

async function* candidateLines(
  registry: Registry,
  kind: "manifest" | "blob",
  freed: FreedBytes,
): AsyncGenerator<PlanLine> {
  const { retention: rules, clock } = registry;
  const now = clock.now();
  const delayIn = (of: RetentionRules): number => (kind === "manifest" ? of.delayMs : of.gcDelayMs);
  const until = await collectionDueUntil(registry, Math.min(...everyRules(rules).map(delayIn)));
  const reads = registry.metadata.records(collection);
  const compared = new Compared(registry);
  const comparedIn = (name: string) => compared.verdictsIn(name, { rules, now });
  for (let after: CandidatePlace | null = null; ;) {
    const page = await reads.due(kind, until, after, pageMax);
    const indexes: Indexes = new Map();
    for (const candidate of page) {
      const delayMs = delayIn(rulesOf(rules, candidate.repository));
      if (candidate.since > (await collectionDueUntil(registry, delayMs))) continue;
      if ((await mustWait(registry, candidate, { delayMs, indexes })) !== null) continue;
      const deciding = { registry, rules, now, stamp: null, comparedIn };
      const decision = await decideCandidate(deciding, candidate);
      if (decision.kind !== "collected") continue;
      const { repository, digest, since } = candidate;
      const bytesFreed =
        kind === "manifest"
          ? await freed.ofManifest(repository, digest)
          : await freed.ofBlob(repository, digest, decision.sizeBytes);
      yield { kind, repository, digest, since, reason: decision.reason, bytesFreed };
    }
    if (page.length < pageMax) return;
    await setImmediate();
    after = page.at(-1) ?? null;
  }
}
