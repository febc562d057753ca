/**
 * Content that a client was told is here must not be collected before the client has pushed the manifest that names it.
 */
import { collection } from "../../metadata/collection.ts";
import type { Holding } from "../../metadata/metadata.ts";
import { explainFailure } from "../explain_failure.ts";
import type { Registry } from "../registry.ts";
import { assuredMs } from "./assured.ts";

/** What has waited for longer than this, or a part of its time where that is short, begins to wait anew. */
const waitedMsMax = 10 * 60_000;
const waitedPart = 0.1;

/**
 * Has it wait anew if it, or what names it, has waited for a while: whoever was told has nearly the whole delay to push
 * the rest. Costs a read for all other content. False when it was collected at this moment.
 */
export async function keepFor(
  registry: Registry,
  content: Holding,
  as: "blob" | "manifest",
): Promise<boolean> {
  const { metadata, clock, retention, assured } = registry;
  const { repository, digest } = content;
  // Then collection is off: it takes no such delay.
  if (retention.gcDelayMs === 0) return true;
  // With shorter delays a clock that begins now would be nearly over while it is remembered.
  const remembers = Math.min(retention.gcDelayMs, retention.delayMs) > waitedMsMax + assuredMs;
  if (remembers && assured.has(content)) return true;
  const now = clock.now();
  const before = (delayMs: number): number => now - Math.min(waitedMsMax, delayMs * waitedPart);
  const since = { blob: before(retention.gcDelayMs), manifest: before(retention.delayMs) };
  if (!(await metadata.records(collection).isWaiting(repository, digest, as, since))) {
    if (remembers) assured.add(content);
    return true;
  }
  try {
    const { committed } = await metadata.commit({
      repository,
      preconditions: [{ kind: as === "blob" ? "blob-linked" : "manifest-exists", digest }],
      changes: [{ kind: "promise", digest, as }],
      by: null,
    });
    if (committed && remembers) assured.add(content);
    return committed;
  } catch (error) {
    // On a full disk the answer is still true: it is here.
    if (explainFailure(error) === null) throw error;
    return true;
  }
}
