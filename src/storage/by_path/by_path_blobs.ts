/**
 * Content of several stores, each asked for the repositories that lie in it. Nothing is shared between two of them: what
 * is mounted from one into another is copied, and proved (`copy_content.ts`).
 */
import type { Digest } from "../../oci/digest.ts";
import {
  StoreRefused,
  StoreUnavailable,
  type BlobStore,
  type ComparedBytes,
  type ContentCheck,
  type ContentLook,
  type ContentRange,
  type ContentStat,
  type Disk,
  type KeptFile,
  type OpenContent,
  type OpenHow,
  type PutHow,
  type Room,
  type ShareRequest,
  type UnnamedBytes,
} from "../blob_store.ts";
import { copyContent } from "../copy_content.ts";
import type { Places } from "./place.ts";

/** Copies between stores at once: whoever mounts beyond it sends the bytes, as where nothing can be mounted. */
const copiesMax = 4;

export class ByPathBlobs implements BlobStore {
  readonly disks: readonly Disk[];
  readonly #places: Places;
  #copying = 0;

  constructor(places: Places) {
    this.#places = places;
    this.disks = disksOf(places);
  }

  size(repository: string, digest: Digest): Promise<number | null> {
    return this.#of(repository).size(repository, digest);
  }

  stat(repository: string, digest: Digest): Promise<ContentStat | null> {
    return this.#of(repository).stat(repository, digest);
  }

  open(
    repository: string,
    digest: Digest,
    range: ContentRange | null,
    how?: OpenHow,
  ): Promise<OpenContent> {
    return this.#of(repository).open(repository, digest, range, how);
  }

  read(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null> {
    return this.#of(repository).read(repository, digest, bytesMax);
  }

  put(
    repository: string,
    digest: Digest,
    bytes: Uint8Array,
    how?: PutHow,
  ): Promise<UnnamedBytes | null> {
    return this.#of(repository).put(repository, digest, bytes, how);
  }

  async share(digest: Digest, request: ShareRequest): Promise<boolean> {
    const { from, to, mayCopy, copiedBytesMax = Number.POSITIVE_INFINITY } = request;
    const [source, target] = [this.#places.of(from), this.#places.of(to)];
    if (source === target) return source.stores.blobs.share(digest, request);
    if (!mayCopy || this.#copying >= copiesMax) return false;
    this.#copying += 1;
    try {
      if (((await source.stores.blobs.size(from, digest)) ?? 0) > copiedBytesMax) return false;
      const given = { stores: source.stores, from };
      return await copyContent(digest, given, { stores: target.stores, to });
    } catch (error) {
      // One of the two does not answer: others may have it, and whoever sends the bytes hears of it if it is the target.
      if (error instanceof StoreUnavailable || error instanceof StoreRefused) return false;
      throw error;
    } finally {
      this.#copying -= 1;
    }
  }

  compare(
    repository: string,
    digest: Digest,
    bytes: ComparedBytes,
  ): Promise<"equal" | "different" | "absent"> {
    return this.#of(repository).compare(repository, digest, bytes);
  }

  remove(repository: string, digest: Digest): Promise<boolean> {
    return this.#of(repository).remove(repository, digest);
  }

  lookAt(repository: string, digest: Digest): Promise<ContentLook | null> {
    return this.#of(repository).lookAt(repository, digest);
  }

  check(repository: string, digest: Digest): ContentCheck {
    return this.#of(repository).check(repository, digest);
  }

  /** Damaged content is kept where it lay. */
  copyBack(name: string, repository: string, digest: Digest): Promise<boolean> {
    return this.#of(repository).copyBack(name, repository, digest);
  }

  /** Two stores may keep files of one name: then it is there twice. */
  async kept(): Promise<readonly KeptFile[]> {
    const kept = await Promise.all(this.#each().map((blobs) => blobs.kept()));
    return kept.flat().toSorted((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Of several files of one name the first: the next call removes the next one. */
  async removeKept(name: string): Promise<boolean> {
    for (const blobs of this.#each()) if (await blobs.removeKept(name)) return true;
    return false;
  }

  async removeLeftovers(ageMs: number): Promise<number> {
    let removed = 0;
    for (const blobs of this.#each()) removed += await blobs.removeLeftovers(ageMs);
    return removed;
  }

  room(repository: string | null): Promise<Room | null> {
    return this.#places.of(repository).stores.blobs.room(repository);
  }

  /** Every store must take writes, but for those whose outage is told of elsewhere. */
  async probe(): Promise<void> {
    await Promise.all(
      this.#places.all.map(async ({ stores, onOutage }) => {
        if (onOutage === undefined) return stores.blobs.probe();
        const problem = await stores.blobs.probe().then(
          () => null,
          (error: unknown) => error,
        );
        onOutage(problem);
      }),
    );
  }

  #of(repository: string): BlobStore {
    return this.#places.of(repository).stores.blobs;
  }

  #each(): BlobStore[] {
    return this.#places.all.map(({ stores }) => stores.blobs);
  }
}

/** Places on one disk are one. */
function disksOf(places: Places): Disk[] {
  return [...new Set(places.all.map(({ disk }) => disk))].map((disk) => {
    const [first] = places.all.filter((place) => place.disk === disk);
    const component = first?.component ?? null;
    return {
      example: component === null ? null : `${component}/example`,
      has: (repository) => places.of(repository).disk === disk,
    };
  });
}
