/** Uploads of several stores: each grows where its repository lies, so that it becomes content without moving a byte. */
import type { FollowedUpload, HeldUpload, UploadInfo, UploadStore } from "../upload_store.ts";
import type { Places } from "./place.ts";

export class ByPathUploads implements UploadStore {
  readonly #places: Places;

  constructor(places: Places) {
    this.#places = places;
  }

  create(id: string, repository: string): Promise<void> {
    return this.#of(repository).create(id, repository);
  }

  async hold(id: string, repository: string | null): Promise<HeldUpload | "busy" | null> {
    if (repository !== null) return this.#of(repository).hold(id, repository);
    for (const uploads of this.#each()) {
      const found = await uploads.hold(id, null);
      if (found !== null) return found;
    }
    return null;
  }

  follow(id: string, repository: string): Promise<FollowedUpload | null> {
    return this.#of(repository).follow(id, repository);
  }

  async stat(id: string, repository: string | null): Promise<UploadInfo | null> {
    if (repository !== null) return this.#of(repository).stat(id, repository);
    for (const uploads of this.#each()) {
      const found = await uploads.stat(id, null);
      if (found !== null) return found;
    }
    return null;
  }

  async ids(): Promise<string[]> {
    // Sessions of replicas stand beside the metadata, which all stores share.
    return [...new Set((await Promise.all(this.#each().map((uploads) => uploads.ids()))).flat())];
  }

  /** Of the store that wants the longest ones. */
  get chunkBytesMin(): number {
    return Math.max(...this.#each().map(({ chunkBytesMin = 0 }) => chunkBytesMin));
  }

  async removeStale(): Promise<number> {
    const removed = this.#each().map(async (uploads) => (await uploads.removeStale?.()) ?? 0);
    return (await Promise.all(removed)).reduce((sum, each) => sum + each, 0);
  }

  #of(repository: string): UploadStore {
    return this.#places.of(repository).stores.uploads;
  }

  #each(): UploadStore[] {
    return this.#places.all.map(({ stores }) => stores.uploads);
  }
}
