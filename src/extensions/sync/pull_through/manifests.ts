/**
 * Manifests of mirrored repositories: checked by one HEAD when their time is over, fetched when they are not here, and
 * served from here when the upstream cannot be asked.
 *
 * Checks of one tag at the same time are one check, in each worker; what was found counts for a second at least, and for
 * all workers where checks are further apart than a minute. A check goes on when nobody waits for it any more, so that the next request finds its result.
 */
import type { Clock } from "../../../lib/clock.ts";
import { Lru } from "../../../lib/lru.ts";
import { mirrors, type CachedTag } from "../../../metadata/mirrors.ts";
import { parseDigest, type Digest } from "../../../oci/digest.ts";
import { apiError } from "../../../oci/errors.ts";
import type { Reference } from "../../../oci/reference.ts";
import type { Place, Provenance, Pulled } from "../../../registry/origin.ts";
import type { Registry } from "../../../registry/registry.ts";
import {
  beingRead,
  isBeingRead,
  resolveManifest,
  whyAbsent,
  type ManifestHolding,
} from "../../../registry/resolve.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import { Absences } from "./absences.ts";
import { checked, type CheckedManifest } from "./checked_manifest.ts";
import { askedOf, joinedBy, type Mirror, type MirroredName } from "./mirror.ts";
import { confirmTag, setCachedTag, storeManifest, type NotKept } from "./store_manifest.ts";
import { SignedContent } from "./signed_content.ts";
import { staleWarning, troubleError } from "./upstream_answers.ts";
import { eachOf, unsigned, type Answer } from "./upstream_question.ts";

/** Checks of one tag within this time are one. */
const sharedMs = 1_000;
/** That a tag was checked is recorded for all workers, and a restart, so often; in between each remembers its own. */
const recordedMs = 60_000;
/** Checks that a worker remembers so. */
const checksMax = 10_000;
/** How long a request waits for its upstream where it can be answered from here, and where it cannot. */
const cachedWaitMs = 10_000;
const waitMs = 20_000;
/** How long a tag or manifest that was deleted here does not come back. */
export const deletedMs = 10 * 60_000;

/** What is here of a reference. */
interface Known {
  readonly manifest: ManifestHolding | null;
  /** Null for what no upstream has said. */
  readonly cached: CachedTag | null;
  /** Where the tag points, whether that is here or not. */
  readonly pointsAt: string | null;
}

export interface PullWatch {
  /** `refused`: it is not here, and the upstream could not be used. */
  pulled(
    host: string,
    kind: "manifest" | "blob",
    result: Provenance["cache"] | "negative" | "refused",
  ): void;
  /** A blob was here, of any repository. */
  blobHit(repository: string): void;
  /** A download begins (1) or ends (-1) in this process. */
  fetching(host: string, change: 1 | -1): void;
  stale(host: string, ageMs: number | null): void;
}

export class MirroredManifests {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #watch: PullWatch;
  readonly #absences: Absences;
  readonly #signed: SignedContent;
  readonly #asking = new Map<string, Promise<Answer>>();
  /** When a tag was found where it points here, by what it points at. */
  readonly #checks = new Lru<string, number>({ entriesMax: checksMax });

  constructor(registry: Registry, watch: PullWatch) {
    this.#registry = registry;
    this.#clock = registry.clock;
    this.#watch = watch;
    this.#absences = new Absences(registry.clock);
    this.#signed = new SignedContent(registry);
  }

  /** What is not there may be there with another login; what was signed, another upstream may not have. */
  forget(): void {
    this.#absences.forgetAll();
    this.#signed.forget();
    this.#checks.clear();
  }

  /** `sources` are those of the repository, or its one origin. @throws an API error. */
  async pull(
    place: Place,
    reference: Reference,
    sources: readonly MirroredName[],
  ): Promise<Pulled<ManifestHolding>> {
    return reference.kind === "tag"
      ? this.#pullTag(place.repository, reference.tag, sources)
      : this.#pullDigest(place.repository, reference.digest, sources);
  }

  async #pullTag(
    repository: string,
    tag: string,
    sources: readonly MirroredName[],
  ): Promise<Pulled<ManifestHolding>> {
    const [source] = sources;
    const known = await this.#known(repository, tag);
    const { manifest, cached } = known;
    if (source === undefined)
      return resolveManifest(this.#registry, repository, { kind: "tag", tag });
    const { mirror } = source;
    if (manifest !== null && cached === null && mirror.allowsPush) return { found: manifest };
    const ageMs = cached === null ? null : this.#ageOf(repository, tag, cached);
    if (manifest !== null && ageMs !== null) {
      if (ageMs < Math.max(mirror.manifestCheckMs, sharedMs)) {
        return this.#answer(mirror, manifest, {
          cache: "hit",
          ageS: seconds(ageMs),
          warning: null,
        });
      }
    }
    if (manifest === null && this.#isDeleted(cached, ageMs))
      return unknown(this.#registry, repository);
    const place = askedOf(`${repository}:${tag}`, sources);
    if (manifest === null && this.#absences.has(place)) {
      this.#watch.pulled(mirror.upstream.host, "manifest", "negative");
      return unknown(this.#registry, repository);
    }
    const answer = await this.#ask(place, manifest !== null, sources, () =>
      this.#check(repository, tag, known, sources),
    );
    return this.#settle(repository, { place, kind: "tag", known, source, ageMs }, answer);
  }

  async #pullDigest(
    repository: string,
    digest: Digest,
    sources: readonly MirroredName[],
  ): Promise<Pulled<ManifestHolding>> {
    const registry = this.#registry;
    const resolved = await resolveManifest(registry, repository, { kind: "digest", digest });
    const [source] = sources;
    if (source === undefined || isBeingRead(resolved)) return resolved;
    const { mirror } = source;
    if (resolved.found !== null && (await this.#isStored(resolved.found))) {
      if (!(await registry.metadata.records(mirrors).isFetched(repository, digest)))
        return resolved;
      return this.#answer(mirror, resolved.found, { cache: "hit", ageS: null, warning: null });
    }
    const place = askedOf(`${repository}@${digest}`, sources);
    if (this.#absences.has(place) || (await this.#wasDeleted(repository, digest))) {
      this.#watch.pulled(mirror.upstream.host, "manifest", "negative");
      return unknown(registry, repository);
    }
    const answer = await this.#ask(place, false, sources, () =>
      this.#fetch(repository, digest, sources),
    );
    const known = { manifest: null, cached: null, pointsAt: null };
    return this.#settle(repository, { place, kind: "digest", known, source, ageMs: null }, answer);
  }

  /** What is here of a tag; a manifest that the disk has lost is not. */
  async #known(repository: string, tag: string): Promise<Known> {
    const { metadata } = this.#registry;
    const resolved = await resolveManifest(this.#registry, repository, { kind: "tag", tag });
    // It may be a tag that was pushed here, which no upstream has a say in.
    if (isBeingRead(resolved)) throw beingRead();
    const { found } = resolved;
    const row = await metadata.records(mirrors).tag(repository, tag);
    if (found === null) return { manifest: null, cached: row, pointsAt: null };
    const cached = row !== null && row.digest === found.digest ? row : null;
    const manifest = (await this.#isStored(found)) ? found : null;
    return { manifest, cached, pointsAt: found.digest };
  }

  /** Whether its bytes are where they should be; of what is in memory nobody asks the disk. */
  async #isStored(manifest: ManifestHolding): Promise<boolean> {
    const { repository, digest, sizeBytes, damagedSince } = manifest;
    const { contentCache, blobs } = this.#registry;
    // Nobody is given it, though its right bytes may be in memory: it is fetched again, which heals it.
    if (damagedSince !== undefined) return false;
    if (contentCache.get(digest) !== null) return true;
    return (await blobs.size(repository, digest)) === sizeBytes;
  }

  /** Since the last check; null where nobody knows of one. */
  #ageOf(repository: string, tag: string, { digest, checkedAt }: CachedTag): number | null {
    const seenAt = this.#checks.get(`${repository}:${tag}@${digest}`) ?? checkedAt;
    if (seenAt === null) return null;
    return Math.max(0, this.#clock.now() - Math.max(seenAt, checkedAt ?? seenAt));
  }

  #isDeleted(cached: CachedTag | null, ageMs: number | null): boolean {
    return cached !== null && cached.digest === "" && ageMs !== null && ageMs < deletedMs;
  }

  async #wasDeleted(repository: string, digest: Digest): Promise<boolean> {
    const row = await this.#registry.metadata.records(mirrors).tag(repository, digest);
    const checkedAt = row?.checkedAt ?? null;
    return this.#isDeleted(row, checkedAt === null ? null : this.#clock.now() - checkedAt);
  }

  /** One question at a time about a reference, for as long as this request may wait. */
  async #ask(
    place: string,
    isHere: boolean,
    [source]: readonly MirroredName[],
    ask: () => Promise<Answer>,
  ): Promise<Answer> {
    const key = source === undefined ? place : joinedBy(place, source);
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = ask().finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    const waited = new AbortController();
    const silent = this.#clock
      .sleep(isHere ? cachedWaitMs : waitMs, waited.signal)
      .then((): Answer | null => {
        if (source === undefined || waited.signal.aborted) return null;
        const trouble = new UpstreamTrouble("silent", source.mirror.upstream.host);
        return { kind: "trouble", trouble, mirror: source.mirror };
      });
    try {
      return (await Promise.race([asking, silent])) ?? (await asking);
    } finally {
      waited.abort();
      asking.catch(() => {});
    }
  }

  /** Turns what was said into an answer. */
  async #settle(
    repository: string,
    asked: {
      readonly place: string;
      readonly kind: "tag" | "digest";
      readonly known: Known;
      readonly source: MirroredName;
      readonly ageMs: number | null;
    },
    answer: Answer,
  ): Promise<Pulled<ManifestHolding>> {
    const { place, kind, known, source, ageMs } = asked;
    const { mirror, hops = 0 } = source;
    const { manifest } = known;
    const { host } = mirror.upstream;
    if ("manifest" in answer) {
      const cache = answer.kind === "same" ? "fresh" : "miss";
      return this.#answer(mirror, answer.manifest, { cache, ageS: 0, warning: null });
    }
    if (answer.kind === "absent") {
      if (manifest === null || mirror.propagatesDeletes) {
        this.#absences.add(place, kind);
        return unknown(this.#registry, repository);
      }
      return this.#stale(mirror, manifest, `${host} has it no more`, ageMs);
    }
    if (answer.kind === "unsigned") {
      // A signature may come any moment.
      this.#absences.add(place, "tag");
      this.#watch.pulled(host, "manifest", "refused");
      throw apiError("MANIFEST_UNKNOWN", {
        message: `${answer.host} has no signature of this image, and only signed ones are mirrored`,
      });
    }
    const { trouble } = answer;
    // Who asked is a mirror, too, and knows best what to do when nobody could be asked; what is here may come from there.
    if (trouble.kind === "loop" && hops > 0) throw troubleError(trouble);
    const mayServe = trouble.kind === "denied" ? mirror.onDenied === "serve" : mirror.serveStale;
    if (manifest === null || !mayServe) {
      this.#watch.pulled(host, "manifest", "refused");
      throw troubleError(trouble);
    }
    return this.#stale(mirror, manifest, trouble.message, ageMs);
  }

  #stale(
    mirror: Mirror,
    manifest: ManifestHolding,
    reason: string,
    ageMs: number | null,
  ): Pulled<ManifestHolding> {
    this.#watch.stale(mirror.upstream.host, ageMs);
    const warning = staleWarning(reason, ageMs);
    const ageS = ageMs === null ? null : seconds(ageMs);
    return this.#answer(mirror, manifest, { cache: "stale", ageS, warning });
  }

  #answer(
    { upstream }: Mirror,
    found: ManifestHolding,
    provenance: Provenance,
  ): Pulled<ManifestHolding> {
    this.#watch.pulled(upstream.host, "manifest", provenance.cache);
    return { found, provenance };
  }

  /** Asks the upstreams of a tag in turn, until one has it. */
  async #check(
    repository: string,
    tag: string,
    known: Known,
    sources: readonly MirroredName[],
  ): Promise<Answer> {
    return eachOf(sources, async (source) => this.#checkAt(repository, tag, known, source));
  }

  async #fetch(
    repository: string,
    digest: Digest,
    sources: readonly MirroredName[],
  ): Promise<Answer> {
    return eachOf(sources, async (source) => {
      const { mirror, name } = source;
      const got = await mirror.upstream.getManifest(name, digest);
      if (got === null || got === "unchanged") return null;
      if (!(await this.#signed.hasManifest(source, repository, digest, got.bytes))) {
        return unsigned(source);
      }
      return this.#store(repository, source, checked(got, mirror, digest), null);
    });
  }

  /** Null: this upstream does not have the tag. */
  async #checkAt(
    repository: string,
    tag: string,
    known: Known,
    source: MirroredName,
  ): Promise<Answer | null> {
    const { mirror, name } = source;
    const { manifest } = known;
    const { upstream } = mirror;
    const head = await upstream.headManifest(name, tag);
    if (head === null) return null;
    // An upstream that cannot answer HEAD is not asked so again for a while: its client knows.
    const digest = head.digest === null ? null : parseDigest(head.digest);
    if (digest === null) return this.#getTag(repository, tag, known, source);
    if (!(await this.#signed.hasTag(source, tag, digest))) return unsigned(source);
    const here =
      manifest?.digest === digest ? manifest : await this.#cachedHere(repository, digest);
    if (here !== null && here === manifest)
      return this.#confirm(repository, source, { tag, known }, here);
    if (here !== null) return this.#point(repository, source, here, { tag, known });
    const got = await upstream.getManifest(name, digest);
    if (got === null || got === "unchanged") {
      return this.#getTag(repository, tag, known, source);
    }
    return this.#store(repository, source, checked(got, mirror, digest), { tag, known });
  }

  /** For upstreams whose HEAD does not tell. */
  async #getTag(
    repository: string,
    tag: string,
    known: Known,
    source: MirroredName,
  ): Promise<Answer | null> {
    const { mirror, name } = source;
    const { manifest } = known;
    const options = manifest === null ? {} : { ifNoneMatch: manifest.digest };
    const got = await mirror.upstream.getManifest(name, tag, options);
    if (got === null) return null;
    const digest = got === "unchanged" ? manifest?.digest : got.digest;
    if (digest !== undefined && !(await this.#signed.hasTag(source, tag, digest))) {
      return unsigned(source);
    }
    const isSame = got === "unchanged" || got.digest === manifest?.digest;
    if (isSame && manifest !== null)
      return this.#confirm(repository, source, { tag, known }, manifest);
    if (got === "unchanged") return null;
    return this.#store(repository, source, checked(got, mirror, null), { tag, known });
  }

  async #cachedHere(repository: string, digest: Digest): Promise<ManifestHolding | null> {
    const reference = { kind: "digest", digest } as const;
    const { found } = await resolveManifest(this.#registry, repository, reference);
    return found !== null && (await this.#isStored(found)) ? found : null;
  }

  /** The upstream has the same as we. */
  async #confirm(
    repository: string,
    { mirror }: MirroredName,
    { tag, known }: { readonly tag: string; readonly known: Known },
    manifest: ManifestHolding,
  ): Promise<Answer> {
    const { hosts } = mirror;
    const { digest } = manifest;
    const now = this.#clock.now();
    const checkedAt = known.cached?.checkedAt ?? null;
    if (checkedAt !== null && now - checkedAt < recordedMs) {
      this.#checks.set(`${repository}:${tag}@${digest}`, now);
      return { kind: "same", manifest };
    }
    const isOurs = await confirmTag(this.#registry, { repository, hosts, digest, tag });
    return isOurs ? { kind: "same", manifest } : { kind: "absent" };
  }

  /** The tag moved to what is here already. */
  async #point(
    repository: string,
    { mirror }: MirroredName,
    manifest: ManifestHolding,
    at: { readonly tag: string; readonly known: Known },
  ): Promise<Answer> {
    const { hosts } = mirror;
    const { digest } = manifest;
    const tag = { name: at.tag, before: [at.known.pointsAt, digest] };
    const set = await setCachedTag(this.#registry, { repository, hosts, digest, tag });
    return set === "set" ? { kind: "fetched", manifest } : this.#notKept(repository, set, at.tag);
  }

  async #store(
    repository: string,
    { mirror }: MirroredName,
    { digest, mediaType, bytes }: CheckedManifest,
    at: { readonly tag: string; readonly known: Known } | null,
  ): Promise<Answer> {
    const { hosts } = mirror;
    const tag = at === null ? null : { name: at.tag, before: [at.known.pointsAt, digest] };
    const fetched = { repository, hosts, digest, mediaType, bytes, tag };
    const stored = await storeManifest(this.#registry, fetched);
    if (typeof stored !== "string") return { kind: "fetched", manifest: stored };
    return this.#notKept(repository, stored, at?.tag ?? "");
  }

  /**
   * Another upstream of the name may have answered first: the repository is of that one now. Or somebody set the tag
   * while its upstream was asked: that is what it points at.
   */
  async #notKept(repository: string, why: NotKept, tag: string): Promise<Answer> {
    if (why === "foreign") return { kind: "absent" };
    const { found } = await resolveManifest(this.#registry, repository, { kind: "tag", tag });
    return found === null ? { kind: "absent" } : { kind: "same", manifest: found };
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

async function unknown(registry: Registry, repository: string): Promise<Pulled<ManifestHolding>> {
  return { found: null, why: await whyAbsent(registry, repository) };
}
