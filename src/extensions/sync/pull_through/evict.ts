/**
 * Removes cached content that nobody pulled for long, or that is more than its mirror may have: what was pulled longest
 * ago first. A manifest goes with its tags here, and its blobs go with it; nothing is held for an undo, since all of it
 * can be fetched again.
 *
 * What was pulled within a day stays, and so do what a policy of retention keeps by name, what an undo brought back, and
 * what a push has named or is about to name. A child stays while an index here lists it.
 */
import { collection } from "../../../metadata/collection.ts";
import type { Precondition } from "../../../metadata/metadata.ts";
import { mirrors } from "../../../metadata/mirrors.ts";
import { recordCommit } from "../../../metadata/records.ts";
import { retention } from "../../../metadata/retention.ts";
import { parseDigest, type Digest } from "../../../oci/digest.ts";
import type { Registry } from "../../../registry/registry.ts";
import { protectionOf } from "../../../registry/retention/decide.ts";
import { policyOf } from "../../../registry/retention/rules.ts";
import { mirrorActor } from "./store_manifest.ts";

/** What was pulled within this time stays, however much there is. */
const pinnedMs = 24 * 60 * 60_000;
/** Whoever pushed a blob, or was told that it is here, has so long to name it; then the collection of garbage takes it. */
const namedWithinMs = 60 * 60_000;
/** Repositories and manifests that are read at once. */
const pageMax = 500;
/** Manifests that one run looks at, and removes, at most: the next one goes on. */
const manifestsMax = 100_000;
const evictedMax = 1_000;
/** Tags of one manifest; one with more stays. */
const tagsMax = 1_000;

export interface CacheLimits {
  /** 0 for no limit. */
  readonly maxBytes: number;
  readonly unpulledForMs: number;
}

export interface EvictOptions {
  /** The mirror that a repository belongs to, and its limits; null for one that has none. */
  readonly limitsOf: (
    repository: string,
  ) => { readonly of: string; readonly limits: CacheLimits } | null;
  /** What has to go whatever the limits are, since a disk is short; of all mirrors what is oldest. */
  readonly relief?: readonly DiskRelief[];
  readonly onEvicted: (host: string, bytes: number, repository: string) => void;
  readonly signal: AbortSignal;
}

/** So many bytes have to go of what lies on a disk. */
export interface DiskRelief {
  readonly bytes: number;
  readonly has: (repository: string) => boolean;
}

interface Cached {
  readonly repository: string;
  readonly host: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly usedAt: number;
}

interface Cache {
  readonly limits: CacheLimits;
  readonly manifests: Cached[];
  bytes: number;
}

/** One run; true where there is more to remove. */
export async function evict(registry: Registry, options: EvictOptions): Promise<boolean> {
  const caches = [...(await readCaches(registry, options)).values()];
  const run = new Run(registry, options);
  for (const cache of caches) {
    if (!(await run.remove([cache], (cached) => isTooMuch(cache, cached, run.now)))) return true;
  }
  for (const { bytes, has } of options.relief ?? []) {
    const lying = caches.map((cache) => withIn(cache, has));
    if (!(await run.remove(lying, () => run.freedBytesIn(has) < bytes))) return true;
  }
  return false;
}

/** The part of a cache that lies on a disk. */
function withIn(cache: Cache, has: DiskRelief["has"]): Cache {
  return { ...cache, manifests: cache.manifests.filter(({ repository }) => has(repository)) };
}

class Run {
  readonly now: number;
  readonly #freed = new Map<string, number>();
  readonly #registry: Registry;
  readonly #options: EvictOptions;
  #evicted = 0;

  constructor(registry: Registry, options: EvictOptions) {
    this.#registry = registry;
    this.#options = options;
    this.now = registry.clock.now();
  }

  freedBytesIn(has: DiskRelief["has"]): number {
    let bytes = 0;
    for (const [repository, freed] of this.#freed) if (has(repository)) bytes += freed;
    return bytes;
  }

  /** Removes what was used longest ago while `isToGo`; false where that is more than one run removes. */
  async remove(caches: readonly Cache[], isToGo: (cached: Cached) => boolean): Promise<boolean> {
    const { signal, onEvicted } = this.#options;
    const all = caches.flatMap((cache) => cache.manifests.map((cached) => ({ cache, cached })));
    all.sort((one, other) => one.cached.usedAt - other.cached.usedAt);
    for (const { cache, cached } of all) {
      signal.throwIfAborted();
      if (cached.usedAt > this.now - pinnedMs || !isToGo(cached)) return true;
      if (this.#evicted >= evictedMax) return false;
      const freed = await evictManifest(this.#registry, cached);
      if (freed === 0) continue;
      this.#evicted += 1;
      const { repository } = cached;
      this.#freed.set(repository, (this.#freed.get(repository) ?? 0) + freed);
      cache.bytes -= freed;
      onEvicted(cached.host, freed, repository);
    }
    return true;
  }
}

function isTooMuch({ limits, bytes }: Cache, { usedAt }: Cached, now: number): boolean {
  const { maxBytes, unpulledForMs } = limits;
  if (unpulledForMs > 0 && usedAt <= now - unpulledForMs) return true;
  return maxBytes > 0 && bytes > maxBytes;
}

async function readCaches(
  { metadata }: Registry,
  { limitsOf, signal }: EvictOptions,
): Promise<Map<string, Cache>> {
  const reads = metadata.records(mirrors);
  const caches = new Map<string, Cache>();
  let left = manifestsMax;
  for (let after = ""; ;) {
    signal.throwIfAborted();
    const page = await reads.repositories(after, pageMax);
    for (const { repository, host } of page) {
      const found = limitsOf(repository);
      if (found === null) continue;
      const cache = caches.get(found.of) ?? { limits: found.limits, manifests: [], bytes: 0 };
      caches.set(found.of, cache);
      cache.bytes += await reads.usage(repository);
      for (let digest = ""; left > 0;) {
        const manifests = await reads.manifests(repository, digest, Math.min(pageMax, left));
        cache.manifests.push(...manifests.map((each) => ({ ...each, repository, host })));
        left -= manifests.length;
        const last = manifests.at(-1);
        if (manifests.length < pageMax || last === undefined) break;
        digest = last.digest;
      }
    }
    const last = page.at(-1);
    if (page.length < pageMax || last === undefined) return caches;
    after = last.repository;
  }
}

/** Bytes that were freed; 0 where it stays. */
async function evictManifest(registry: Registry, cached: Cached): Promise<number> {
  const { metadata } = registry;
  const { repository, sizeBytes } = cached;
  const digest = parseDigest(cached.digest);
  if (digest === null) return 0;
  const tags = await metadata.tagsOf(repository, digest, tagsMax);
  if (tags.length >= tagsMax || isKept(registry, repository, digest, tags)) return 0;
  if (await isPushed(registry, repository, digest)) return 0;
  const children = await metadata.records(retention).children(repository, digest);
  const blobs = children.filter(({ target }) => target === "blob");
  const awaited = await awaitedOf(registry, repository, [{ digest, target: "manifest" }, ...blobs]);
  if (awaited.digests.has(digest)) return 0;
  const { committed } = await metadata.commit({
    repository,
    preconditions: [
      { kind: "manifest-exists", digest },
      { kind: "unprotected", digest },
      { kind: "tags-are", digest, tags },
      // A push may have set one of these tags meanwhile, or put a signature.
      { kind: "mirror-owned", digest },
      ...awaited.preconditions,
    ],
    changes: [{ kind: "remove-manifest", digest }],
    by: mirrorActor,
    records: [recordCommit(mirrors, { kind: "forget-manifest", repository, digest })],
  });
  if (!committed) return 0;
  let freed = sizeBytes;
  for (const child of blobs) {
    const blob = parseDigest(child.digest);
    if (blob === null || child.sizeBytes === null || awaited.digests.has(blob)) continue;
    if (await evictBlob(registry, repository, blob)) freed += child.sizeBytes;
  }
  return freed;
}

/** Whether a push has named it, or an undo brought it back. */
async function isPushed(
  { metadata, clock }: Registry,
  repository: string,
  digest: Digest,
): Promise<boolean> {
  if (await metadata.records(mirrors).hasOwn(repository, digest)) return true;
  const { pinnedUntil } = await metadata.records(collection).manifest(repository, digest, 1);
  return pinnedUntil !== null && pinnedUntil > clock.now();
}

/**
 * What somebody who pushes was told lately to be here: such a promise is a candidate with a new clock. The preconditions
 * say that nobody was told since.
 */
async function awaitedOf(
  { metadata, clock }: Registry,
  repository: string,
  content: readonly { readonly digest: string; readonly target: "blob" | "manifest" }[],
): Promise<{ digests: ReadonlySet<string>; preconditions: readonly Precondition[] }> {
  const digests = new Set<string>();
  const preconditions: Precondition[] = [];
  for (const { digest, target: as } of content) {
    const found = await metadata.records(collection).candidate(repository, digest, as);
    const since = found?.since ?? null;
    if (since !== null && since > clock.now() - namedWithinMs) digests.add(digest);
    else preconditions.push({ kind: "candidate-since", digest, as, since });
  }
  return { digests, preconditions };
}

/** By a policy of retention that names its tags, or protects it. */
function isKept(
  registry: Registry,
  repository: string,
  digest: Digest,
  tags: readonly string[],
): boolean {
  const policy = policyOf(registry.retention, repository);
  if (protectionOf(policy, { tag: null, digest }) !== null) return true;
  return tags.some(
    (tag) =>
      policy.keepTags.some(({ matches }) => matches(tag)) ||
      policy.isImmutable(tag) ||
      protectionOf(policy, { tag, digest }) !== null,
  );
}

/** A blob that no other manifest names, and that nobody pushed lately. */
async function evictBlob(
  { metadata, clock }: Registry,
  repository: string,
  digest: Digest,
): Promise<boolean> {
  const reads = metadata.records(collection);
  // A push after this look begins its time anew.
  const since = (await reads.candidate(repository, digest, "blob"))?.since ?? null;
  const { linkedAt, pinnedUntil } = await reads.blob(repository, digest);
  const isPinned = pinnedUntil !== null && pinnedUntil > clock.now();
  if (isPinned || (linkedAt ?? 0) > clock.now() - namedWithinMs) return false;
  const { committed } = await metadata.commit({
    repository,
    preconditions: [
      { kind: "blob-linked", digest },
      { kind: "unreferenced", digest },
      { kind: "candidate-since", digest, as: "blob", since },
    ],
    changes: [{ kind: "unlink-blob", digest }],
    by: mirrorActor,
  });
  return committed;
}
