/**
 * Blobs of mirrored repositories: those that are here, those of another repository, and those that an upstream has and a
 * cached manifest names.
 *
 * A blob that no cached manifest of the repository names is not there: a mirror relays no other content. Small blobs
 * are answered when all of them is here; large ones as they come (`blob_fetch.ts`).
 */
import { MiB } from "../../../lib/bytes.ts";
import { collection } from "../../../metadata/collection.ts";
import type { Holding } from "../../../metadata/metadata.ts";
import { parseDigest, type Digest } from "../../../oci/digest.ts";
import { apiError } from "../../../oci/errors.ts";
import { openContent, readContent } from "../../../registry/content.ts";
import type { ArrivingBlob, Place, PulledBlob } from "../../../registry/origin.ts";
import { isBeingRead, resolveBlob, resolveManifest } from "../../../registry/resolve.ts";
import type { ContentRange, OpenContent } from "../../../storage/blob_store.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import { aheadBytesMax, streamOf } from "./arriving_blob.ts";
import { BlobFetch, type FetchParts } from "./blob_fetch.ts";
import type { FetchedBlob } from "./fetched_blob.ts";
import type { PullWatch } from "./manifests.ts";
import { linkCached } from "./link_cached.ts";
import { joinedBy, type MirroredName } from "./mirror.ts";
import { upstreamSize } from "./upstream_size.ts";
import { passThrough, type PassParts } from "./passed_through.ts";
import { isAbsence, troubleError } from "./upstream_answers.ts";

/** Blobs up to this size are answered when all of them is here, with their length. */
const wholeBytesMax = MiB;
/** Downloads of one worker at once; a request for another blob is answered 503. */
const fetchesMax = 1_000;
/** Ranges far ahead of their download that one worker passes through at once; others wait until they are here. */
const passesMax = 4;
/** How long a client waits for the first byte. */
const beginMs = 20_000;
/** A disk that is nearly full is told so often. */
const fullToldMs = 60_000;

export interface BlobSettings {
  /** The part of the disk that stays free: beyond it blobs are passed through and not kept. */
  readonly freePartMin: number;
}

export class MirroredBlobs {
  readonly #parts: FetchParts;
  readonly #watch: PullWatch;
  readonly #settings: BlobSettings;
  readonly #fetches = new Map<string, BlobFetch>();
  #fullToldMs = -Infinity;
  /** Ranges that are passed through now. */
  #passes = 0;

  constructor(parts: FetchParts, watch: PullWatch, settings: BlobSettings) {
    this.#parts = parts;
    this.#watch = watch;
    this.#settings = settings;
  }

  /** Downloads that run here. */
  get fetches(): number {
    return this.#fetches.size;
  }

  /** `sources` are those of the repository. */
  async pull(
    { repository }: Place,
    digest: Digest,
    sources: readonly MirroredName[],
  ): Promise<PulledBlob> {
    const resolved = await resolveBlob(this.#parts.registry, repository, digest);
    const [source] = sources;
    if (resolved.found !== null || source === undefined || isBeingRead(resolved)) return resolved;
    return this.#absent(repository, digest, sources);
  }

  /** A blob that is not linked here, or that the disk has lost. */
  async #absent(
    repository: string,
    digest: Digest,
    sources: readonly MirroredName[],
  ): Promise<PulledBlob> {
    const [source] = sources;
    const sizeBytes = await this.#namedSize(repository, digest);
    if (source === undefined || (sizeBytes === null && !source.mirror.relaysUnknownBlobs)) {
      return { found: null, why: "absent" };
    }
    const { host } = source.mirror.upstream;
    const isUpstream = async (): Promise<boolean> => (await upstreamSize(digest, sources)) !== null;
    if (await linkCached(this.#parts.registry, { repository, digest, host, isUpstream })) {
      this.#watch.pulled(host, "blob", "hit");
      const here = await resolveBlob(this.#parts.registry, repository, digest);
      if (here.found !== null) return { ...here, provenance: fromHere };
    }
    const size = sizeBytes ?? (await upstreamSize(digest, sources));
    if (size === null) return { found: null, why: "absent" };
    return {
      arriving: this.#arriving({ repository, digest, sizeBytes: size, sources }),
      provenance: missed,
    };
  }

  /** Content that the metadata have and the disk has lost. */
  async lost(content: Holding, sources: readonly MirroredName[]): Promise<PulledBlob | null> {
    if (sources.length === 0) return null;
    const { repository, digest, sizeBytes } = content;
    const arriving = this.#arriving({ repository, digest, sizeBytes, sources });
    return { arriving, provenance: missed };
  }

  /** As a cached manifest of the repository says that names it; null where none does. */
  async #namedSize(repository: string, digest: Digest): Promise<number | null> {
    const { registry } = this.#parts;
    const { parent } = await registry.metadata.records(collection).blob(repository, digest);
    const named = parent === null ? null : parseDigest(parent);
    if (named === null) return null;
    const reference = { kind: "digest", digest: named } as const;
    const { found } = await resolveManifest(registry, repository, reference);
    return found === null ? null : sizeIn(await readContent(registry, found), digest);
  }

  #arriving(blob: FetchedBlob & { readonly sizeBytes: number }): ArrivingBlob {
    const { digest, sizeBytes, sources } = blob;
    const takesPushes = sources[0]?.mirror.allowsPush === true;
    return { digest, sizeBytes, takesPushes, open: (range) => this.#open(blob, range) };
  }

  async #open(
    blob: FetchedBlob & { readonly sizeBytes: number },
    range: ContentRange | null,
  ): Promise<OpenContent> {
    const host = blob.sources[0]?.mirror.upstream.host ?? "";
    try {
      const opened = await this.#openNow(blob, range);
      this.#watch.pulled(host, "blob", "miss");
      return opened;
    } catch (error) {
      if (!(error instanceof UpstreamTrouble)) throw error;
      this.#watch.pulled(host, "blob", "refused");
      if (isAbsence(error) || error.status === 404) {
        throw apiError("BLOB_UNKNOWN", { message: error.message, detail: { digest: blob.digest } });
      }
      throw troubleError(error);
    }
  }

  async #openNow(
    blob: FetchedBlob & { readonly sizeBytes: number },
    range: ContentRange | null,
  ): Promise<OpenContent> {
    const { sizeBytes } = blob;
    const wanted = range ?? { first: 0, last: sizeBytes - 1 };
    if (await this.#isFull(blob.repository)) return passThrough(blob, range, this.#passParts());
    const fetch = this.#fetchOf(blob);
    if (sizeBytes <= wholeBytesMax) {
      await fetch.done;
      return openContent(this.#parts.registry, blob, range);
    }
    // Bytes are read from this moment on: nobody may let go of them.
    const leave = fetch.enter();
    try {
      await this.#begun(fetch, blob);
      const isFarAhead = fetch.isArriving && wanted.first > fetch.hereBytes + aheadBytesMax;
      if (isFarAhead && this.#passes < passesMax) return await this.#passRange(blob, wanted);
      return streamOf(fetch, wanted);
    } finally {
      leave();
    }
  }

  async #passRange(blob: FetchedBlob, range: ContentRange): Promise<OpenContent> {
    this.#passes += 1;
    const onEnd = (): void => {
      this.#passes -= 1;
    };
    try {
      return await passThrough(blob, range, this.#passParts(onEnd));
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  #passParts(onEnd?: () => void): PassParts {
    const { watch, registry } = this.#parts;
    const { report, clock } = registry;
    return { watch, report, clock, ...(onEnd === undefined ? {} : { onEnd }) };
  }

  async #begun(fetch: BlobFetch, { sources }: FetchedBlob): Promise<void> {
    const waited = new AbortController();
    const silent = this.#parts.registry.clock.sleep(beginMs, waited.signal).then(() => {
      if (waited.signal.aborted) return;
      throw new UpstreamTrouble("silent", sources[0]?.mirror.upstream.host ?? "");
    });
    try {
      await Promise.race([fetch.begun, silent]);
    } finally {
      waited.abort();
      silent.catch(() => {});
    }
  }

  #fetchOf(blob: FetchedBlob): BlobFetch {
    const [first] = blob.sources;
    const asked = `${blob.repository} ${blob.digest}`;
    const key = first === undefined ? asked : joinedBy(asked, first);
    const running = this.#fetches.get(key);
    if (running !== undefined) return running;
    if (this.#fetches.size >= fetchesMax) {
      throw apiError("UNAVAILABLE", {
        message: "Too many blobs are being fetched; try again later",
      });
    }
    const fetch = new BlobFetch(blob, this.#parts);
    this.#fetches.set(key, fetch);
    const host = first?.mirror.upstream.host ?? "";
    this.#watch.fetching(host, 1);
    const forget = (): void => {
      this.#fetches.delete(key);
      this.#watch.fetching(host, -1);
    };
    fetch.done.then(forget, forget);
    return fetch;
  }

  async #isFull(repository: string): Promise<boolean> {
    const { uploads } = this.#parts;
    const { blobs, clock, report } = this.#parts.registry;
    // Where content lies elsewhere, what comes lies on this disk until it is whole.
    const room = (await blobs.room(repository)) ?? (await uploads.room?.()) ?? null;
    if (room === null) return false;
    const { freeBytes, totalBytes } = room;
    if (freeBytes >= totalBytes * this.#settings.freePartMin) return false;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#fullToldMs >= fullToldMs) {
      this.#fullToldMs = nowMs;
      report(
        "warn",
        "the disk is nearly full: blobs of upstreams are passed through, and not kept",
        {
          freeBytes,
        },
      );
    }
    return true;
  }
}

const fromHere = { cache: "hit", ageS: null, warning: null } as const;
const missed = { cache: "miss", ageS: null, warning: null } as const;

interface LooseDescriptor {
  readonly digest?: unknown;
  readonly size?: unknown;
}

/** The size that a manifest gives a digest; null where it gives none. */
function sizeIn(manifest: Uint8Array, digest: Digest): number | null {
  const document = JSON.parse(new TextDecoder().decode(manifest)) as Record<string, unknown>;
  const descriptors = Object.values(document).flat() as (LooseDescriptor | null)[];
  const found = descriptors.find((each) => typeof each === "object" && each?.digest === digest);
  return typeof found?.size === "number" && Number.isSafeInteger(found.size) && found.size >= 0
    ? found.size
    : null;
}
