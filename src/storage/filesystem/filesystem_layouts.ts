/**
 * Repositories as OCI image layouts below the root directory: `oci-layout`, `index.json`, and the files under `blobs`.
 *
 * A repository's directory is a layout from its first blob on (`ensureRepository`).
 */
import { dirname } from "node:path";
import { Lru } from "../../lib/lru.ts";
import { KiB, MiB } from "../../lib/bytes.ts";
import { algorithms, type Digest } from "../../oci/digest.ts";
import { emptyIndexText, ociLayoutText } from "../../oci/layout_index.ts";
import { StorageFull } from "../blob_store.ts";
import {
  quarantineKey,
  blobKey,
  blobsKey,
  indexKey,
  markerKey,
  repositoryKey,
  repositoryOfKey,
} from "../layout.ts";
import type { LayoutDirectory, LooseFile, OpenIndex, Unreadable } from "../layout_directory.ts";
import { codeOf } from "./durable_files.ts";
import type { KeyedFiles } from "./keyed_files.ts";
import type { FileReserve } from "./reserve.ts";

/** An index.json beyond this is not read: 100,000 tags make about 30 MiB. */
const indexBytesMax = 512 * MiB;
/** Repositories whose `oci-layout` is known to be there. */
const knownRepositoriesMax = 10_000;

const markerBytesMax = 64 * KiB;
/** Names of blobs that are given at once. */
const pageNames = 512;
/** Text that is encoded at once. */
const encodedMax = 64 * KiB;

const emptyIndexBytes = new TextEncoder().encode(emptyIndexText);

export class FilesystemLayouts implements LayoutDirectory {
  readonly #files: KeyedFiles;
  readonly #reserve: FileReserve | null;
  readonly #marked = new Lru<string, true>({ entriesMax: knownRepositoriesMax });

  /** With a reserve, an index.json that finds no room may have its space. */
  constructor(files: KeyedFiles, reserve: FileReserve | null) {
    this.#files = files;
    this.#reserve = reserve;
  }

  /** Makes the repository's directory a layout that any tool reads, if it is none yet. */
  async ensureRepository(repository: string): Promise<void> {
    if (this.#marked.get(repository) === true) return;
    await this.#ensureMarker(repository);
    const key = indexKey(repository);
    if (this.#files.lookNow(key) === null) await this.#files.create(key, emptyIndexBytes);
    this.#marked.set(repository, true);
  }

  async #ensureMarker(repository: string): Promise<void> {
    const key = markerKey(repository);
    // Another tool's may be empty after a crash of the machine: it was not flushed.
    if ((this.#files.lookNow(key)?.sizeBytes ?? 0) > 0) return;
    await this.#files.replace(key, new TextEncoder().encode(ociLayoutText));
  }

  async removeRepository(repository: string, stamp: string | null): Promise<boolean> {
    this.#marked.delete(repository);
    const blobs = Object.keys(algorithms).map((algorithm) => blobsKey(repository, algorithm));
    for (const key of [...blobs, blobsKey(repository)]) {
      // A push has put something there meanwhile.
      if (!(await this.#files.removeDirectory(key))) return false;
    }
    if ((await this.indexStamp(repository)) !== stamp) return false;
    for (const key of [indexKey(repository), markerKey(repository)]) await this.#files.remove(key);
    let key = repositoryKey(repository);
    if (!(await this.#files.removeDirectory(key))) return false;
    for (key = dirname(key); key !== "."; key = dirname(key)) {
      if (!(await this.#files.removeDirectory(key))) break;
    }
    return true;
  }

  async hasBlobs(repository: string): Promise<boolean> {
    return (await this.#files.stat(blobsKey(repository))) !== null;
  }

  async adoptMarker(repository: string): Promise<string | null> {
    const key = markerKey(repository);
    // To open a pipe would wait for ever.
    if (this.#files.lookNow(key)?.lying !== "file") return null;
    const bytes = await this.#files.read(key, markerBytesMax);
    if (bytes === null) return null;
    await this.#files.flush(key);
    return new TextDecoder().decode(bytes);
  }

  hasEmptyIndex(repository: string): boolean {
    const key = indexKey(repository);
    const found = this.#files.lookNow(key);
    if (found?.lying !== "file" || found.sizeBytes !== emptyIndexBytes.length) return false;
    const bytes = this.#files.readNow(key);
    return bytes !== null && Buffer.compare(bytes, emptyIndexBytes) === 0;
  }

  async openIndex(repository: string): Promise<OpenIndex | null> {
    const key = indexKey(repository);
    const stat = await this.#files.stat(key);
    if (stat === null) return null;
    if (stat.sizeBytes > indexBytesMax) {
      throw new Error(
        `storage: ${key} has ${stat.sizeBytes} bytes, expected ${indexBytesMax} at most`,
      );
    }
    // A link is followed; whether it is one is told all the same.
    const lying = this.#files.lookNow(key)?.lying ?? "other";
    return { ...stat, lying, pieces: () => this.#files.content(key, null).stream() };
  }

  async flushIndex(repository: string): Promise<void> {
    const key = indexKey(repository);
    if (this.#files.lookNow(key)?.lying === "file") await this.#files.flush(key);
  }

  async indexStamp(repository: string): Promise<string | null> {
    return (await this.#files.stat(indexKey(repository)))?.stamp ?? null;
  }

  /** Another index.json of this size must fit when the disk is full. */
  async #coverIndex(repository: string): Promise<void> {
    const written = await this.#files.stat(indexKey(repository));
    if (written !== null) this.#reserve?.coverIndex(written.sizeBytes);
  }

  async writeIndex(
    repository: string,
    text: () => Iterable<string>,
    planned: (stamp: string) => Promise<void>,
  ): Promise<string> {
    const write = async (): Promise<string> => {
      // Not from memory: another tool may have removed it.
      await this.#ensureMarker(repository);
      return this.#files.replace(indexKey(repository), encoded(text()), planned);
    };
    try {
      const stamp = await write();
      await this.#coverIndex(repository);
      return stamp;
    } catch (error) {
      // What was deleted is removed only once no index.json lists it: it must not fail for want of space.
      if (!(error instanceof StorageFull) || this.#reserve?.release() !== true) throw error;
      return write();
    }
  }

  async quarantineIndex(repository: string, how: "copy" | "move", at: number): Promise<string> {
    const from = indexKey(repository);
    const kept = quarantineKey(from, at);
    if (how === "move") await this.#files.move(from, kept);
    else await this.#files.replace(kept, this.#files.content(from, null).stream());
    return kept;
  }

  async *blobNames(
    repository: string,
    unreadable: Unreadable = () => undefined,
  ): AsyncGenerator<{ readonly algorithm: string; readonly names: readonly string[] }> {
    for (const algorithm of Object.keys(algorithms)) {
      const key = blobsKey(repository, algorithm);
      try {
        for await (const names of this.#files.names(key)) {
          for (let from = 0; from < names.length; from += pageNames) {
            yield { algorithm, names: names.slice(from, from + pageNames) };
          }
        }
      } catch (error) {
        if (codeOf(error) !== "ENOENT") unreadable(key, error);
      }
    }
  }

  hasBlob(repository: string, digest: Digest): boolean {
    return this.#files.sizeNow(blobKey(repository, digest)) !== null;
  }

  lookAtBlob(repository: string, digest: Digest): LooseFile | null {
    return this.#files.lookNow(blobKey(repository, digest));
  }

  async replaceLink(repository: string, digest: Digest): Promise<boolean> {
    const key = blobKey(repository, digest);
    if ((await this.#files.stat(key)) === null) return false;
    await this.#files.replace(key, this.#files.content(key, null).stream());
    return true;
  }

  readBlob(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null> {
    return this.#files.read(blobKey(repository, digest), bytesMax);
  }

  blobPieces(repository: string, digest: Digest): AsyncIterable<Uint8Array> {
    return this.#files.content(blobKey(repository, digest), null).stream();
  }

  flushBlobs(repository: string, digests: readonly Digest[]): Promise<void> {
    return this.#files.flushAll(digests.map((digest) => blobKey(repository, digest)));
  }

  async *repositories(unreadable: Unreadable = () => undefined): AsyncIterable<string> {
    const pending = [""];
    for (let key = pending.pop(); key !== undefined; key = pending.pop()) {
      const entries = await this.#files.list(key).catch((error: unknown) => {
        unreadable(key ?? "", error);
        return [];
      });
      const names = new Set(entries.map((entry) => entry.name));
      const repository = repositoryOfKey(key);
      const isLayout = names.has("oci-layout") && names.has("index.json");
      if (isLayout && repository !== null) yield repository;
      for (const { name, directory } of entries) {
        const below = key === "" ? name : `${key}/${name}`;
        // What is no repository's directory has none below: blobs, our own, and other programs' work.
        if (directory && repositoryOfKey(below) !== null) pending.push(below);
      }
    }
  }
}

/** Text as bytes, in pieces that are neither small nor large. */
function* encoded(text: Iterable<string>): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  let pending = "";
  for (const part of text) {
    pending += part;
    if (pending.length < encodedMax) continue;
    yield encoder.encode(pending);
    pending = "";
  }
  yield encoder.encode(pending);
}
