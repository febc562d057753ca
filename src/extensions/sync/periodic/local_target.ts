/**
 * A repository of this registry as the target of a periodic copy. Blobs come by the downloads of pull-through, so that a
 * pull at the same moment costs the upstream nothing more; manifests are kept as what pull-through keeps.
 */
import { mirrors } from "../../../metadata/mirrors.ts";
import type { Digest } from "../../../oci/digest.ts";
import { readContent } from "../../../registry/content.ts";
import type { Registry } from "../../../registry/registry.ts";
import { resolveBlob, resolveManifest, type ManifestHolding } from "../../../registry/resolve.ts";
import type {
  ImageTarget,
  ManifestPlace,
  NamedBlob,
  Placed,
  PlacedManifest,
  ProvenContent,
} from "../../../transfer/image_place.ts";
import { BlobFetch, type FetchParts } from "../pull_through/blob_fetch.ts";
import { linkCached } from "../pull_through/link_cached.ts";
import type { MirroredName } from "../pull_through/mirror.ts";
import { setCachedTag, storeManifest } from "../pull_through/store_manifest.ts";
import { upstreamSize } from "../pull_through/upstream_size.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";

export interface LocalTargetOptions {
  readonly parts: FetchParts;
  readonly repository: string;
  readonly source: MirroredName;
  readonly parallel: number;
  /** Ends the waiting for blobs; a download that runs goes on. */
  readonly signal: AbortSignal;
  /** A tag stays as it is, because it was pushed here. */
  readonly onOwnTag: (tag: string) => void;
}

export class LocalTarget implements ImageTarget {
  readonly label: string;
  /** What pull-through keeps of an image may lack its layers. */
  readonly isWhole = false;
  readonly parallelMax: number;
  readonly #options: LocalTargetOptions;
  readonly #registry: Registry;

  constructor(options: LocalTargetOptions) {
    this.#options = options;
    this.#registry = options.parts.registry;
    this.label = options.repository;
    this.parallelMax = options.parallel;
  }

  async tagDigest(tag: string): Promise<string | null> {
    return (await this.#found({ kind: "tag", tag }))?.digest ?? null;
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return (await this.#found({ kind: "digest", digest })) !== null;
  }

  async manifest(digest: Digest): Promise<PlacedManifest | null> {
    const found = await this.#found({ kind: "digest", digest });
    if (found === null) return null;
    const bytes = await readContent(this.#registry, found);
    return { digest, mediaType: found.mediaType, bytes };
  }

  async hasBlob({ digest }: NamedBlob): Promise<boolean> {
    return (await resolveBlob(this.#registry, this.label, digest)).found !== null;
  }

  async putBlob({ digest, sizeBytes }: ProvenContent): Promise<Placed> {
    const { parts, source, repository, signal } = this.#options;
    signal.throwIfAborted();
    const { host } = source.mirror.upstream;
    const isUpstream = async (): Promise<boolean> =>
      (await upstreamSize(digest, [source])) !== null;
    const wanted = { repository, digest, host, isUpstream };
    if (await linkCached(this.#registry, wanted)) return "mounted";
    const fetch = new BlobFetch({ repository, digest, sizeBytes, sources: [source] }, parts);
    const leave = fetch.enter();
    const ended = Promise.withResolvers<never>();
    const end = (): void => ended.reject(signal.reason as Error);
    signal.addEventListener("abort", end, { once: true });
    try {
      await Promise.race([fetch.done, ended.promise]);
    } finally {
      signal.removeEventListener("abort", end);
      leave();
    }
    return "sent";
  }

  async putManifest(manifest: PlacedManifest, { tag }: ManifestPlace): Promise<void> {
    const { source, repository, onOwnTag } = this.#options;
    const { hosts } = source.mirror;
    const isThere = await this.hasManifest(manifest.digest);
    if (tag === null) {
      if (isThere) return;
      const untagged = { ...manifest, repository, hosts, tag: null };
      this.#requireKept(await storeManifest(this.#registry, untagged));
      return;
    }
    const before = await this.tagDigest(tag);
    if (before === manifest.digest) return;
    if (before !== null && !(await this.#isCached(tag, before))) {
      onOwnTag(tag);
      return;
    }
    const name = { name: tag, before: [before, manifest.digest] };
    const fetched = { ...manifest, repository, hosts, tag: name };
    const kept = isThere
      ? await setCachedTag(this.#registry, fetched)
      : await storeManifest(this.#registry, fetched);
    if (kept === "moved") onOwnTag(tag);
    else this.#requireKept(kept);
  }

  /** A pull of the same name may have made it a mirror of another upstream since this one was asked. */
  #requireKept(kept: unknown): void {
    if (kept !== "foreign") return;
    const words = `is not the upstream of ${this.label} any more; another was pulled under that name`;
    const { host } = this.#options.source.mirror.upstream;
    throw new UpstreamTrouble("broken", host, { words });
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {}

  async #found(reference: Parameters<typeof resolveManifest>[2]): Promise<ManifestHolding | null> {
    return (await resolveManifest(this.#registry, this.label, reference)).found;
  }

  /** Whether a tag is as its upstream had it, and not somebody's own. */
  async #isCached(tag: string, digest: string): Promise<boolean> {
    const cached = await this.#registry.metadata.records(mirrors).tag(this.label, tag);
    return cached?.digest === digest;
  }
}
