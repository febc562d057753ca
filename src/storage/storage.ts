/**
 * Bytes of repositories: blobs and manifests by digest, and the layout's own two files.
 *
 * Promises: what is put or linked here is flushed before the promise resolves, and a repository's directory
 * is an OCI image layout from its first blob on. Absent is `null` or `false`.
 * Leaves to others: which repository may see which digest (`metadata`), uploads (`uploads.ts`),
 * what `index.json` says (`registry`).
 */
import { Lru } from "../lib/lru.ts";
import { MiB } from "../lib/bytes.ts";
import { algorithms, type Digest } from "../oci/digest.ts";
import { ociLayoutText } from "../oci/layout_index.ts";
import type { ContentRange, ContentStat, Driver } from "./driver.ts";
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

export class Storage {
  readonly driver: Driver;
  readonly #marked = new Lru<string, true>({ entriesMax: knownRepositoriesMax });

  constructor(driver: Driver) {
    this.driver = driver;
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

  /** Makes the repository's directory a layout (`oci-layout` is there). */
  async ensureRepository(repository: string): Promise<void> {
    if (this.#marked.get(repository) === true) return;
    const key = markerKey(repository);
    if ((await this.driver.stat(key)) === null) {
      await this.driver.replace(key, new TextEncoder().encode(ociLayoutText));
    }
    this.#marked.set(repository, true);
  }

  async readIndex(
    repository: string,
  ): Promise<{ text: string; stamp: string; changedAt: number } | null> {
    const stat = await this.driver.stat(indexKey(repository));
    if (stat === null) return null;
    const bytes = await this.driver.read(indexKey(repository), indexBytesMax);
    if (bytes === null) return null;
    const { stamp, changedAt } = stat;
    return { text: new TextDecoder().decode(bytes), stamp, changedAt };
  }

  async indexStamp(repository: string): Promise<string | null> {
    return (await this.driver.stat(indexKey(repository)))?.stamp ?? null;
  }

  /** Replaces index.json in one step; `planned` learns its stamp before anybody can see it. */
  async writeIndex(
    repository: string,
    text: string,
    planned: (stamp: string) => Promise<void>,
  ): Promise<string> {
    await this.ensureRepository(repository);
    return this.driver.replace(indexKey(repository), new TextEncoder().encode(text), planned);
  }

  /** Keeps a copy of an index.json that is about to be replaced; returns where. */
  async quarantineIndex(repository: string, text: string, at: number): Promise<string> {
    const aside = quarantineKey(indexKey(repository), at);
    await this.driver.replace(aside, new TextEncoder().encode(text));
    return aside;
  }

  /** Digests of all files under a repository's `blobs`, whatever put them there. */
  async listBlobs(repository: string): Promise<{ algorithm: string; hex: string }[]> {
    const found: { algorithm: string; hex: string }[] = [];
    for (const algorithm of Object.keys(algorithms)) {
      for (const { name, directory } of await this.driver.list(blobsKey(repository, algorithm))) {
        if (!directory) found.push({ algorithm, hex: name });
      }
    }
    return found;
  }

  /**
   * Every directory under the root that is a layout with an index, by its repository name. A directory that cannot
   * be read is told and passed over.
   */
  async *repositories(
    unreadable: (key: string, error: unknown) => void = () => undefined,
  ): AsyncIterable<string> {
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
