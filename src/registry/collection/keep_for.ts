/**
 * What somebody who pushes was told to be here must not be collected before they have pushed the manifest that names it.
 */
import { collection } from "../../metadata/collection.ts";
import type { Holding } from "../../metadata/metadata.ts";
import { explainFailure } from "../explain_failure.ts";
import type { Registry } from "../registry.ts";
import { assuredMs } from "./assured.ts";

/** What has less time left than this begins to wait anew. */
const leftMsMin = 10 * 60_000;

/**
 * Has it wait anew if its time, or that of what names it, is nearly over. Costs a read for all other content. False
 * when it was collected at this moment.
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
  const remembers = Math.min(retention.gcDelayMs, retention.delayMs) > leftMsMin + assuredMs;
  if (remembers && assured.has(content)) return true;
  const now = clock.now();
  const leftMs = remembers ? leftMsMin + assuredMs : leftMsMin;
  const nearly = (delayMs: number): number => now - delayMs + Math.min(leftMs, delayMs);
  const since = { blob: nearly(retention.gcDelayMs), manifest: nearly(retention.delayMs) };
  if (!(await metadata.records(collection).isWaiting(repository, digest, since))) {
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
