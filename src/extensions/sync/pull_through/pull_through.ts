/**
 * Pull-through: the origin of mirrored repositories (`src/registry/origin.ts`). Says which upstreams a name has, and
 * hands manifests, blobs and lists to those who know them.
 */
import { mirrors } from "../../../metadata/mirrors.ts";
import type { Holding } from "../../../metadata/metadata.ts";
import { recordCommit, type RecordCommit } from "../../../metadata/records.ts";
import type { Descriptor } from "../../../oci/descriptor.ts";
import type { Digest } from "../../../oci/digest.ts";
import { apiError, type ApiError } from "../../../oci/errors.ts";
import type { LocatedName } from "../../../oci/located_name.ts";
import type { Reference } from "../../../oci/reference.ts";
import type { Origin, Place, Pulled, PulledBlob, UpstreamList } from "../../../registry/origin.ts";
import type { Registry } from "../../../registry/registry.ts";
import { resolveBlob, resolveManifest, type ManifestHolding } from "../../../registry/resolve.ts";
import type { UploadStore } from "../../../storage/upload_store.ts";
import { MirroredBlobs, type BlobSettings } from "./blobs.ts";
import { hopsMax } from "../upstream/upstream_requests.ts";
import type { DownloadWatch } from "./download.ts";
import type { FetchTicks } from "./fetch_ticks.ts";
import { MirroredManifests, type PullWatch } from "./manifests.ts";
import type { MirroredName, MirrorNames } from "./mirror.ts";
import { UpstreamLists } from "./upstream_lists.ts";

export interface PullThroughParts {
  readonly registry: Registry;
  readonly uploads: UploadStore;
  readonly names: MirrorNames;
  readonly ticks: FetchTicks;
  readonly watch: PullWatch & DownloadWatch;
  readonly settings: BlobSettings;
}

/**
 * A request that came through mirrors says so to the next one. What it says is a client's own word: it is asked for
 * apart from what others ask, and one that says too much gets nothing by it.
 */
function through(source: MirroredName, said: number): MirroredName {
  const hops = Math.min(said, hopsMax + 1);
  if (hops === 0) return source;
  const { mirror } = source;
  return { ...source, hops, mirror: { ...mirror, upstream: mirror.upstream.withHops(hops) } };
}

/** What is from another upstream than the client means is not there for it. */
const hidden = { found: null, why: "no-repository" } as const;

export class PullThrough implements Origin {
  readonly #parts: PullThroughParts;
  readonly #manifests: MirroredManifests;
  readonly #blobs: MirroredBlobs;
  readonly #lists: UpstreamLists;

  constructor(parts: PullThroughParts) {
    const { registry, watch } = parts;
    this.#parts = parts;
    this.#manifests = new MirroredManifests(registry, watch);
    this.#blobs = new MirroredBlobs(parts, watch, parts.settings);
    this.#lists = new UpstreamLists(registry);
  }

  /** Other upstreams are in force: what was remembered of those before says nothing of them. */
  forget(): void {
    this.#manifests.forget();
    this.#lists.forget();
  }

  /** Downloads that run in this process. */
  get fetches(): number {
    return this.#blobs.fetches;
  }

  readonly locate = (
    name: string,
    namespace: string | null,
    as: "pull" | "push" | "delete",
  ): LocatedName | Promise<LocatedName> => {
    const { names } = this.#parts;
    const repository = names.canonical(name);
    if (as !== "pull") {
      const refused = as === "push" ? this.#pushRefused(repository) : null;
      const own = { repository, namespace: null, from: "any" } as const;
      return refused === null ? own : { ...own, refused };
    }
    if (namespace !== null) {
      const local = names.localName(namespace, name);
      if (local === null) return { repository: name, namespace, from: "own" };
      return { repository: local.repository, namespace, from: { host: local.host } };
    }
    const root = names.upstreamsOf(repository).length > 0 ? null : names.atRoot(name);
    if (root === null) return { repository, namespace: null, from: "any" };
    return this.#locateAtRoot(name, root);
  };

  async manifest(place: Place, reference: Reference): Promise<Pulled<ManifestHolding>> {
    const sources = await this.#sourcesOf(place);
    if (sources === "hidden") return hidden;
    if (sources.length === 0) {
      return resolveManifest(this.#parts.registry, place.repository, reference);
    }
    return this.#manifests.pull(place, reference, sources);
  }

  async blob(place: Place, digest: Digest): Promise<PulledBlob> {
    const { registry } = this.#parts;
    if (place.from === "any") {
      const here = await resolveBlob(registry, place.repository, digest);
      if (here.found !== null) {
        this.#parts.watch.blobHit(place.repository);
        return here;
      }
    }
    const sources = await this.#sourcesOf(place);
    if (sources === "hidden") return { found: null, why: "absent" };
    if (sources.length === 0) return resolveBlob(registry, place.repository, digest);
    return this.#blobs.pull(place, digest, sources);
  }

  async lost(content: Holding): Promise<PulledBlob | null> {
    const { repository } = content;
    const sources = await this.#sourcesOf({ repository, from: "any", hops: 0 });
    if (sources === "hidden" || !(await this.#hasOrigin(repository))) return null;
    return this.#blobs.lost(content, sources);
  }

  async tags(place: Place): Promise<UpstreamList<string> | null> {
    const sources = await this.#listed(place);
    return sources.length === 0 ? null : this.#lists.tags(place.repository, sources);
  }

  async referrers(place: Place, subject: string): Promise<UpstreamList<Descriptor> | null> {
    const sources = await this.#listed(place);
    return sources.length === 0 ? null : this.#lists.referrers(place.repository, subject, sources);
  }

  pushed(repository: string, digest: string, tags: readonly string[]): readonly RecordCommit[] {
    const forget = tags.map((tag) => ({ kind: "forget-tag", repository, tag }) as const);
    return [recordCommit(mirrors, { kind: "own-manifest", repository, digest }, ...forget)];
  }

  deleted(repository: string, reference: string): readonly RecordCommit[] {
    const { names, registry } = this.#parts;
    if (names.upstreamsOf(repository).length === 0) return [];
    const checkedAt = registry.clock.now();
    // No digest: it is known to be gone.
    const gone = { kind: "cache-tag", repository, tag: reference, digest: "", checkedAt } as const;
    if (!reference.includes(":")) return [recordCommit(mirrors, gone)];
    const forget = { kind: "forget-manifest", repository, digest: reference } as const;
    return [recordCommit(mirrors, forget, gone)];
  }

  /** A name of this registry's own comes before the same name of Docker Hub. */
  async #locateAtRoot(name: string, root: string): Promise<LocatedName> {
    const isOwn = await this.#parts.registry.metadata.repositoryExists(name);
    return { repository: isOwn ? name : root, namespace: null, from: "any" };
  }

  #pushRefused(repository: string): ApiError | null {
    const [source] = this.#parts.names.upstreamsOf(repository);
    if (source === undefined || source.mirror.allowsPush) return null;
    const { host } = source.mirror.upstream;
    return apiError("DENIED", {
      message: `This repository is a mirror of ${host}; push to another name`,
    });
  }

  /** The upstreams that may answer for a place; none where no upstream is concerned. */
  async #sourcesOf({ repository, from, hops }: Place): Promise<readonly MirroredName[] | "hidden"> {
    const { names, registry } = this.#parts;
    const all = names.upstreamsOf(repository).map((source) => through(source, hops));
    if (from === "any" && all.length === 0) return all;
    const origin = await registry.metadata.records(mirrors).origin(repository);
    if (from === "own") return origin === null ? [] : "hidden";
    const asked =
      from === "any" ? all : all.filter(({ mirror }) => mirror.hosts.includes(from.host));
    if (origin === null) return asked;
    const own = asked.filter(({ mirror }) => mirror.hosts.includes(origin));
    // What came from an upstream that is not mirrored any more stays here, as it is.
    return own.length === 0 && from !== "any" ? "hidden" : own;
  }

  async #hasOrigin(repository: string): Promise<boolean> {
    return (await this.#parts.registry.metadata.records(mirrors).origin(repository)) !== null;
  }

  async #listed(place: Place): Promise<readonly MirroredName[]> {
    const sources = await this.#sourcesOf(place);
    if (sources === "hidden") throw apiError("NAME_UNKNOWN");
    return sources;
  }
}
