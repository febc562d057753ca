/** What collection has done and when it is to do more, for people who ask. */
import { collection } from "../../metadata/collection.ts";
import type { Registry } from "../registry.ts";
import { everyRules } from "../retention/rules.ts";
import { collectionDueUntil } from "./collection_clock.ts";
import type { CollectedTotals } from "./collected.ts";

/** What the last round removed that removed anything; a value of the metadata, as JSON. */
export interface Removal extends CollectedTotals {
  readonly at: number;
}

export interface CollectionStatus {
  /** Null where nothing was ever removed. */
  readonly last: Removal | null;
  /** When the next candidate may go; null where none waits. */
  readonly nextAt: number | null;
  /** Rules and delays decide, and nothing is removed: so it is in every store. */
  readonly dryRun: boolean;
}

const kinds = ["manifest", "blob", "repository"] as const;

export async function collectionStatus(registry: Registry): Promise<CollectionStatus> {
  const { metadata, clock } = registry;
  const stores = everyRules(registry.retention);
  const reads = metadata.records(collection);
  const last = await reads.value("last removal");
  const moments: number[] = [];
  for (const kind of kinds) {
    // Of several stores the shortest: nothing goes before.
    const delays = stores.map((of) => (kind === "manifest" ? of.delayMs : of.gcDelayMs));
    const delayMs = Math.min(...delays);
    const lookAt = await reads.nextLook(kind);
    if (lookAt === null) continue;
    moments.push(clock.now() + lookAt - (await collectionDueUntil(registry, delayMs)));
  }
  return {
    last: last === null ? null : (JSON.parse(last) as Removal),
    nextAt: moments.length === 0 ? null : Math.min(...moments),
    dryRun: stores.every(({ dryRun }) => dryRun),
  };
}
