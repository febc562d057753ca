/** What becomes of manifests that nothing names, and why: for people who ask before it happens. */
import { setImmediate } from "node:timers/promises";
import { collection } from "../../metadata/collection.ts";
import { retention } from "../../metadata/retention.ts";
import type { Digest } from "../../oci/digest.ts";
import { wantedReason, wantedUntil } from "../collection/wanted_until.ts";
import type { Registry } from "../registry.ts";
import { absentError, resolveTags } from "../resolve.ts";
import { decideUntagged, type UntaggedFacts } from "./decide.ts";

/** Untagged manifests of a repository that one answer looks at, and those that it tells. */
export const lookedAtMax = 2_000;
export const untaggedToldMax = 200;
/** Manifests that are asked about at once. */
const pageMax = 256;
/** What the told manifests name, as far as it is summed up: beyond it no more manifests are told. */
export const summedPartsMax = 50_000;

/** A manifest without tag, index and subject. */
export interface UntaggedManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly artifactType: string | null;
  /** Of it and of what it names, each digest once. */
  readonly bytes: number;
  readonly pushedAt: number;
  readonly pushedBy: string | null;
  readonly pulledAt: number | null;
  /** When it lost its last name, or was pushed without one. */
  readonly since: number;
  readonly decision: "keep" | "delete";
  readonly reason: string;
  /** When time alone may change the decision; null for never. */
  readonly until: number | null;
}

export interface UntaggedExplanation {
  /** What lost its name last comes first. */
  readonly manifests: readonly UntaggedManifest[];
  /** There are more than these. */
  readonly isCutOff: boolean;
}

/** @throws NAME_UNKNOWN. */
export async function explainUntagged(
  registry: Registry,
  repository: string,
  partsMax = summedPartsMax,
): Promise<UntaggedExplanation> {
  const resolved = await resolveTags(registry, repository, { after: null, limit: 1 });
  if (resolved.found === null) {
    throw absentError(resolved.why, "MANIFEST_UNKNOWN", { name: repository });
  }
  const reads = registry.metadata.records(collection);
  const rows = await reads.untaggedIn(repository, lookedAtMax + 1);
  const looked = await factsOf(registry, repository, rows.slice(0, lookedAtMax));
  const now = registry.clock.now();
  const verdicts = decideUntagged(repository, looked, { rules: registry.retention, now });
  const latest = looked.toSorted((a, b) => b.since - a.since).slice(0, untaggedToldMax);
  const pins = await registry.metadata.past.pinnedUntil(
    repository,
    latest.map(({ digest }) => digest),
  );
  const pinned = new Map<string, number>(pins.map(({ digest, until }) => [digest, until]));
  const manifests: UntaggedManifest[] = [];
  let parts = 0;
  for (const facts of latest) {
    if (parts >= partsMax) break;
    // Other requests of the process come first.
    await setImmediate();
    const found = await reads.manifest(repository, facts.digest as Digest, 0);
    // It went a moment ago, or something names it again.
    if (found.sizeBytes === null || found.mediaType === null) continue;
    const { decision, reason, lookAgainAt } = verdicts.get(facts) ?? unknown(facts);
    const pin = kept(pinned.get(facts.digest) ?? null, "brought back by an undo", now);
    const wanted = kept(
      await wantedUntil(registry, { repository, digest: facts.digest }),
      wantedReason,
      now,
    );
    const below = await sumBelow(registry, repository, facts.digest);
    parts += below.parts;
    manifests.push({
      digest: facts.digest,
      mediaType: found.mediaType,
      artifactType: found.artifactType,
      bytes: found.sizeBytes + below.bytes,
      pushedAt: facts.pushedAt,
      pushedBy: found.pushedBy,
      pulledAt: facts.pulledAt,
      since: facts.since,
      ...(pin ?? wanted ?? { decision, reason, until: lookAgainAt }),
    });
  }
  return { manifests, isCutOff: rows.length > manifests.length };
}

function unknown({ digest }: UntaggedFacts): never {
  throw new Error(`retention: no verdict about ${digest}`);
}

/** Null for what does not keep it, or no longer. */
function kept(
  until: number | null,
  reason: string,
  now: number,
): Pick<UntaggedManifest, "decision" | "reason" | "until"> | null {
  return until === null || until <= now ? null : { decision: "keep", reason, until };
}

async function factsOf(
  { metadata }: Registry,
  repository: string,
  rows: readonly { readonly digest: string; readonly since: number; readonly pushedAt: number }[],
): Promise<UntaggedFacts[]> {
  const reads = metadata.records(retention);
  const pulledAt = new Map<string, number>();
  for (let from = 0; from < rows.length; from += pageMax) {
    const page = rows.slice(from, from + pageMax).map(({ digest }) => digest);
    for (const { digest, at } of await reads.pulls(repository, page)) pulledAt.set(digest, at);
  }
  return rows.map((row) => ({ ...row, pulledAt: pulledAt.get(row.digest) ?? null, subject: null }));
}

/** Of what a manifest names itself, as far as its size is known; and how much that is. */
async function sumBelow(
  { metadata }: Registry,
  repository: string,
  digest: string,
): Promise<{ readonly parts: number; readonly bytes: number }> {
  const children = await metadata.records(retention).children(repository, digest);
  const sizes = new Map(children.map((child) => [child.digest, child.sizeBytes ?? 0]));
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { parts: children.length, bytes };
}
