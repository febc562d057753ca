/**
 * Content that a client was told is here must not be collected before the client has pushed the manifest that names it.
 */
import { collection } from "../../metadata/collection.ts";
import type { Holding } from "../../metadata/metadata.ts";
import { isCached } from "../../metadata/mirrors.ts";
import { explainFailure } from "../explain_failure.ts";
import type { Registry } from "../registry.ts";
import { rulesOf } from "../retention/rules.ts";
import { assuredMs } from "./assured.ts";

/** What has waited for longer than this, or a part of its time where that is short, begins to wait anew. */
const waitedMsMax = 10 * 60_000;
const waitedPart = 0.1;
/** Where content may be evicted, a promise of longer ago is made anew: eviction believes those of the last hour. */
const promisedMsMax = 10 * 60_000;

/**
 * Whether `keepFor` answered so a moment ago, and its answer still holds. Collection that is off keeps everything but
 * what came from an upstream: the limits of a cache apply without it.
 */
export function isKept(registry: Registry, content: Holding, nowMs: number): boolean {
  const { assured, origin } = registry;
  const retention = rulesOf(registry.retention, content.repository);
  if (retention.gcDelayMs === 0 && origin === null) return true;
  return remembers(retention) && assured.has(content, nowMs);
}

/** With shorter delays a clock that begins now would be nearly over while it is remembered. */
function remembers({ gcDelayMs, delayMs }: Registry["retention"]): boolean {
  return gcDelayMs === 0 || Math.min(gcDelayMs, delayMs) > waitedMsMax + assuredMs;
}

/**
 * Has it wait anew if it, or what names it, has waited for a while: whoever was told has nearly the whole delay to push
 * the rest. So has content of a mirrored repository, which may be evicted at any time. Costs a read for all other
 * content. False when it was collected at this moment.
 */
export async function keepFor(
  registry: Registry,
  content: Holding,
  as: "blob" | "manifest",
): Promise<boolean> {
  const { metadata, clock, assured } = registry;
  const { repository, digest } = content;
  const retention = rulesOf(registry.retention, repository);
  const nowMs = clock.monotonicMs();
  if (isKept(registry, content, nowMs)) return true;
  if (!(await isWaiting(registry, content, as)) && !(await mayBeEvicted(registry, content, as))) {
    if (remembers(retention)) assured.add(content, nowMs);
    return true;
  }
  try {
    const { committed } = await metadata.commit({
      repository,
      preconditions: [{ kind: as === "blob" ? "blob-linked" : "manifest-exists", digest }],
      changes: [{ kind: "promise", digest, as }],
      by: null,
    });
    if (committed && remembers(retention)) assured.add(content, nowMs);
    return committed;
  } catch (error) {
    // On a full disk the answer is still true: it is here.
    if (explainFailure(error) === null) throw error;
    return true;
  }
}

/** Whether collection may take it before the delay is nearly over. */
async function isWaiting(
  { metadata, clock, retention: rules }: Registry,
  { repository, digest }: Holding,
  as: "blob" | "manifest",
): Promise<boolean> {
  const retention = rulesOf(rules, repository);
  if (retention.gcDelayMs === 0) return false;
  const now = clock.now();
  const before = (delayMs: number): number => now - Math.min(waitedMsMax, delayMs * waitedPart);
  const since = { blob: before(retention.gcDelayMs), manifest: before(retention.delayMs) };
  return metadata.records(collection).isWaiting(repository, digest, as, since);
}

/** What an upstream gave goes for the limits of its cache, whatever names it, unless it was promised to somebody lately. */
async function mayBeEvicted(
  { metadata, clock, origin }: Registry,
  { repository, digest }: Holding,
  as: "blob" | "manifest",
): Promise<boolean> {
  if (origin === null || !(await isCached(metadata, repository))) return false;
  const found = await metadata.records(collection).candidate(repository, digest, as);
  return found === null || found.since <= clock.now() - promisedMsMax;
}
