/**
 * Bytes of repositories: blobs and manifests by digest, and the layout's own two files.
 *
 * Promises: what is put or linked here is flushed before the promise resolves, and a repository's directory
 * is an OCI image layout from its first blob on. Absent is `null` or `false`.
 * Leaves to others: which repository may see which digest (`metadata`), uploads (`uploads.ts`),
 * what `index.json` says (`registry`).
 */
import { Lru } from "../lib/lru.ts";
import { KiB, MiB } from "../lib/bytes.ts";
import { algorithms, type Digest } from "../oci/digest.ts";
import { emptyIndexText, ociLayoutText } from "../oci/layout_index.ts";
import {
  StorageFull,
  type ContentRange,
  type ContentStat,
  type Driver,
  type Lying,
  type Reserve,
} from "./driver.ts";
import {
  quarantineKey,
  blobKey,
  blobsKey,
  indexKey,
  markerKey,
  repositoryOfKey,
} from "./layout.ts";

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

/** Hears of a directory that could not be read. */
type Unreadable = (key: string, error: unknown) => void;

export interface OpenIndex extends ContentStat {
  readonly lying: Lying;
  readonly pieces: () => AsyncIterable<Uint8Array>;
}

export class Storage {
  readonly driver: Driver;
  readonly #reserve: Reserve | null;
  readonly #marked = new Lru<string, true>({ entriesMax: knownRepositoriesMax });

  /** With a reserve, an index.json that finds no room may have its space. */
  constructor(driver: Driver, reserve: Reserve | null = null) {
    this.driver = driver;
    this.#reserve = reserve;
  }

  statBlob(repository: string, digest: Digest): Promise<ContentStat | null> {
    return this.driver.stat(blobKey(repository, digest));
  }

  /** The file's size at once (it costs less than a promise); null when there is none. */
  blobSizeNow(repository: string, digest: Digest): number | null {
    return this.driver.sizeNow(blobKey(repository, digest));
  }

  /** For the check under the metadata writer's lock. */
  hasBlobNow(repository: string, digest: Digest): boolean {
    return this.blobSizeNow(repository, digest) !== null;
  }

  /** The blob's bytes as an answer body, opened when it is sent. */
  blobContent(repository: string, digest: Digest, range: ContentRange | null): Blob {
    return this.driver.content(blobKey(repository, digest), range);
  }

  /** Small content at once (it costs less than a promise); the caller knows its size. */
  readBlobNow(repository: string, digest: Digest): Uint8Array | null {
    return this.driver.readNow(blobKey(repository, digest));
  }

  readBlob(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null> {
    return this.driver.read(blobKey(repository, digest), bytesMax);
  }

  /** Puts verified bytes of a manifest under their digest, in place of whatever stands there. */
  async putBlob(repository: string, digest: Digest, bytes: Uint8Array): Promise<void> {
    this.driver.requireRoom();
    await this.ensureRepository(repository);
    const key = blobKey(repository, digest);
    const present = await this.driver.stat(key);
    // What stands there may be damaged, or of somebody who has not flushed it yet.
    const same = present?.sizeBytes === bytes.length && this.#holds(key, bytes);
    if (!same || !(await this.driver.flush(key))) await this.driver.replace(key, bytes);
  }

  #holds(key: string, bytes: Uint8Array): boolean {
    const found = this.driver.readNow(key);
    return found !== null && Buffer.compare(found, bytes) === 0;
  }

  /**
   * Makes a blob of one repository a blob of another: one inode where the file system allows it, else a copy. False when
   * the first has no such file.
   */
  async shareBlob(from: string, to: string, digest: Digest): Promise<boolean> {
    if (await this.linkBlob(from, to, digest)) return true;
    return this.driver.copy(blobKey(from, digest), blobKey(to, digest));
  }

  /** As `shareBlob`, as one inode or not at all. */
  async linkBlob(from: string, to: string, digest: Digest): Promise<boolean> {
    await this.ensureRepository(to);
    return this.driver.link(blobKey(from, digest), blobKey(to, digest));
  }

  /** Makes a blob that is there as durable as one that we wrote; false when it is not there. */
  flushBlob(repository: string, digest: Digest): Promise<boolean> {
    return this.driver.flush(blobKey(repository, digest));
  }

  /** Removes bytes at once; for the sweep under the metadata writer's lock. */
  removeBlobNow(repository: string, digest: Digest): void {
    this.driver.removeNow(blobKey(repository, digest));
  }

  /** Makes the repository's directory a layout that any tool reads, if it is none yet. */
  async ensureRepository(repository: string): Promise<void> {
    if (this.#marked.get(repository) === true) return;
    await this.#ensureMarker(repository);
    const key = indexKey(repository);
    if (this.driver.lookNow(key) === null) await this.driver.create(key, emptyIndexBytes);
    this.#marked.set(repository, true);
  }

  async #ensureMarker(repository: string): Promise<void> {
    const key = markerKey(repository);
    // Another tool's may be empty after a crash of the machine: it was not flushed.
    if ((this.driver.lookNow(key)?.sizeBytes ?? 0) > 0) return;
    await this.driver.replace(key, new TextEncoder().encode(ociLayoutText));
  }

  /** Whether there is a directory of blobs. */
  async hasBlobs(repository: string): Promise<boolean> {
    return (await this.driver.stat(blobsKey(repository))) !== null;
  }

  /** The text of `oci-layout`, which is safe from then on; null when it is absent. */
  async adoptMarker(repository: string): Promise<string | null> {
    const key = markerKey(repository);
    // To open a pipe would wait for ever.
    if (this.driver.lookNow(key)?.lying !== "file") return null;
    const bytes = await this.driver.read(key, markerBytesMax);
    if (bytes === null) return null;
    await this.driver.flush(key);
    return new TextDecoder().decode(bytes);
  }

  /** Whether index.json is the one of `ensureRepository`, which nobody has written to since. */
  hasEmptyIndex(repository: string): boolean {
    const key = indexKey(repository);
    const found = this.driver.lookNow(key);
    if (found?.lying !== "file" || found.sizeBytes !== emptyIndexBytes.length) return false;
    const bytes = this.driver.readNow(key);
    return bytes !== null && Buffer.compare(bytes, emptyIndexBytes) === 0;
  }

  /** An index.json to be read in pieces, as often as one likes; null when it is absent. */
  async openIndex(repository: string): Promise<OpenIndex | null> {
    const key = indexKey(repository);
    const stat = await this.driver.stat(key);
    if (stat === null) return null;
    if (stat.sizeBytes > indexBytesMax) {
      throw new Error(
        `storage: ${key} has ${stat.sizeBytes} bytes, expected ${indexBytesMax} at most`,
      );
    }
    const lying = this.driver.lookNow(key)?.lying ?? "other";
    return { ...stat, lying, pieces: () => this.driver.content(key, null).stream() };
  }

  async indexStamp(repository: string): Promise<string | null> {
    return (await this.driver.stat(indexKey(repository)))?.stamp ?? null;
  }

  /** Another index.json of this size must fit when the disk is full. */
  async #coverIndex(repository: string): Promise<void> {
    const written = await this.driver.stat(indexKey(repository));
    if (written !== null) this.#reserve?.coverIndex(written.sizeBytes);
  }

  /** Replaces index.json in one step; `planned` learns its stamp before anybody can see it. */
  async writeIndex(
    repository: string,
    text: () => Iterable<string>,
    planned: (stamp: string) => Promise<void>,
  ): Promise<string> {
    const write = async (): Promise<string> => {
      // Not from memory: somebody may have taken it away.
      await this.#ensureMarker(repository);
      return this.driver.replace(indexKey(repository), encoded(text()), planned);
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

  /**
   * Keeps an index.json for a person to look at before it is replaced: a copy, or, where it cannot be read, itself.
   * @returns where.
   */
  async quarantineIndex(repository: string, how: "copy" | "move", at: number): Promise<string> {
    const from = indexKey(repository);
    const kept = quarantineKey(from, at);
    if (how === "move") await this.driver.move(from, kept);
    else await this.driver.replace(kept, this.driver.content(from, null).stream());
    return kept;
  }

  /**
   * Names of everything under a repository's `blobs`, whatever put it there, page by page. A directory that cannot be
   * read is told and passed over.
   */
  async *blobNames(
    repository: string,
    unreadable: Unreadable = () => undefined,
  ): AsyncGenerator<{ readonly algorithm: string; readonly names: readonly string[] }> {
    for (const algorithm of Object.keys(algorithms)) {
      const key = blobsKey(repository, algorithm);
      const names = await this.driver.names(key).catch((error: unknown) => {
        unreadable(key, error);
        return [];
      });
      while (names.length > 0) yield { algorithm, names: names.splice(-pageNames) };
    }
  }

  /**
   * Every directory under the root that is a layout with an index, by its repository name. A directory that cannot
   * be read is told and passed over.
   */
  async *repositories(unreadable: Unreadable = () => undefined): AsyncIterable<string> {
    const pending = [""];
    for (let key = pending.pop(); key !== undefined; key = pending.pop()) {
      const entries = await this.driver.list(key).catch((error: unknown) => {
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
