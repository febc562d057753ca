/** The layouts of several stores: a directory that another store's repositories would have is none of ours. */
import type { Digest } from "../../oci/digest.ts";
import type { LayoutDirectory, LooseFile, OpenIndex, Unreadable } from "../layout_directory.ts";
import { noLayouts } from "./no_layouts.ts";
import type { Places } from "./place.ts";

export class ByPathLayouts implements LayoutDirectory {
  readonly #places: Places;

  constructor(places: Places) {
    this.#places = places;
  }

  async *repositories(unreadable?: Unreadable): AsyncIterable<string> {
    for (const place of this.#places.all) {
      for await (const repository of place.stores.layouts?.repositories(unreadable) ?? []) {
        if (this.#places.of(repository) === place) yield repository;
      }
    }
  }

  removeRepository(repository: string, stamp: string | null): Promise<boolean> {
    return this.#of(repository).removeRepository(repository, stamp);
  }

  hasBlobs(repository: string): Promise<boolean> {
    return this.#of(repository).hasBlobs(repository);
  }

  adoptMarker(repository: string): Promise<string | null> {
    return this.#of(repository).adoptMarker(repository);
  }

  hasEmptyIndex(repository: string): boolean {
    return this.#of(repository).hasEmptyIndex(repository);
  }

  openIndex(repository: string): Promise<OpenIndex | null> {
    return this.#of(repository).openIndex(repository);
  }

  flushIndex(repository: string): Promise<void> {
    return this.#of(repository).flushIndex(repository);
  }

  indexStamp(repository: string): Promise<string | null> {
    return this.#of(repository).indexStamp(repository);
  }

  writeIndex(
    repository: string,
    text: () => Iterable<string>,
    planned: (stamp: string) => Promise<void>,
  ): Promise<string> {
    return this.#of(repository).writeIndex(repository, text, planned);
  }

  quarantineIndex(repository: string, how: "copy" | "move", at: number): Promise<string> {
    return this.#of(repository).quarantineIndex(repository, how, at);
  }

  blobNames(repository: string, unreadable?: Unreadable) {
    return this.#of(repository).blobNames(repository, unreadable);
  }

  hasBlob(repository: string, digest: Digest): boolean {
    return this.#of(repository).hasBlob(repository, digest);
  }

  lookAtBlob(repository: string, digest: Digest): LooseFile | null {
    return this.#of(repository).lookAtBlob(repository, digest);
  }

  replaceLink(repository: string, digest: Digest): Promise<boolean> {
    return this.#of(repository).replaceLink(repository, digest);
  }

  readBlob(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null> {
    return this.#of(repository).readBlob(repository, digest, bytesMax);
  }

  blobPieces(repository: string, digest: Digest): AsyncIterable<Uint8Array> {
    return this.#of(repository).blobPieces(repository, digest);
  }

  flushBlobs(repository: string, digests: readonly Digest[]): Promise<void> {
    return this.#of(repository).flushBlobs(repository, digests);
  }

  #of(repository: string): LayoutDirectory {
    return this.#places.of(repository).stores.layouts ?? noLayouts;
  }
}
