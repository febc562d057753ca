/** Content as files of OCI image layouts; equal content of two repositories is one inode where hard links work. */
import { rm, statfs } from "node:fs/promises";
import { algorithmOf, type Digest } from "../../oci/digest.ts";
import {
  oneDisk,
  type BlobStore,
  type ComparedBytes,
  type ContentCheck,
  type ContentLook,
  type ContentRange,
  type ContentStat,
  type OpenContent,
  type Room,
  type ShareRequest,
  type KeptFile,
} from "../blob_store.ts";
import { blobKey, damagedDirectory, damagedKey } from "../layout.ts";
import type { FilesystemLayouts } from "./filesystem_layouts.ts";
import type { HashThread } from "./hash_thread.ts";
import type { KeyedFiles } from "./keyed_files.ts";

export class FilesystemBlobs implements BlobStore {
  readonly disks = oneDisk;
  readonly #files: KeyedFiles;
  readonly #layouts: FilesystemLayouts;
  readonly #checks: HashThread;

  /** `checks` is a thread that nobody else waits for. */
  constructor(files: KeyedFiles, layouts: FilesystemLayouts, checks: HashThread) {
    this.#files = files;
    this.#layouts = layouts;
    this.#checks = checks;
  }

  async size(repository: string, digest: Digest): Promise<number | null> {
    // At once: a thread of the pool costs more than the look itself.
    return this.#files.sizeNow(blobKey(repository, digest));
  }

  stat(repository: string, digest: Digest): Promise<ContentStat | null> {
    return this.#files.stat(blobKey(repository, digest));
  }

  async open(repository: string, digest: Digest, range: ContentRange | null): Promise<OpenContent> {
    return { kind: "blob", blob: this.#files.content(blobKey(repository, digest), range) };
  }

  read(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null> {
    return this.#files.read(blobKey(repository, digest), bytesMax);
  }

  async put(repository: string, digest: Digest, bytes: Uint8Array): Promise<null> {
    this.#files.requireRoom();
    await this.#layouts.ensureRepository(repository);
    const key = blobKey(repository, digest);
    // The file there may be damaged, or not flushed yet by the process that wrote it.
    const same =
      this.#files.sizeNow(key) === bytes.length && isEqual(this.#files.readNow(key), bytes);
    if (!same || !(await this.#files.flush(key))) await this.#files.replace(key, bytes);
    return null;
  }

  async share(digest: Digest, { from, to, mayCopy }: ShareRequest): Promise<boolean> {
    await this.#layouts.ensureRepository(to);
    const [source, target] = [blobKey(from, digest), blobKey(to, digest)];
    if (from === to) return this.#files.flush(target);
    if (await this.#files.link(source, target)) return true;
    return mayCopy && this.#files.copy(source, target, digest);
  }

  compare(repository: string, digest: Digest, bytes: ComparedBytes) {
    return this.#files.compare(blobKey(repository, digest), bytes);
  }

  async lookAt(repository: string, digest: Digest): Promise<ContentLook | null> {
    const key = blobKey(repository, digest);
    const found = this.#files.lookNow(key);
    if (found === null) return null;
    const { stamp, lying } = found;
    // A link is followed, as by every reader; one that leads nowhere is no file.
    const sizeBytes = lying === "link" ? this.#files.sizeNow(key) : found.sizeBytes;
    return { stamp, sizeBytes: sizeBytes ?? 0, isFile: lying !== "other" && sizeBytes !== null };
  }

  check(repository: string, digest: Digest): ContentCheck {
    const path = this.#files.path(blobKey(repository, digest));
    return this.#checks.check(path, algorithmOf(digest));
  }

  copyBack(name: string, repository: string, digest: Digest): Promise<boolean> {
    return this.#files.copy(damagedKey(name), blobKey(repository, digest), digest);
  }

  async kept(): Promise<KeptFile[]> {
    const names = (await this.#files.list(damagedDirectory)).map(({ name }) => name);
    const kept: KeptFile[] = [];
    for (const name of names.toSorted()) {
      const look = this.#files.lookNow(damagedKey(name));
      if (look !== null) {
        kept.push({ name, sizeBytes: look.lying === "other" ? 0 : look.sizeBytes });
      }
    }
    return kept;
  }

  async removeKept(name: string): Promise<boolean> {
    const key = damagedKey(name);
    if (this.#files.lookNow(key) === null) return false;
    await rm(this.#files.path(key), { recursive: true });
    return true;
  }

  remove(repository: string, digest: Digest): Promise<boolean> {
    return this.#files.remove(blobKey(repository, digest));
  }

  removeLeftovers(ageMs: number): Promise<number> {
    return this.#files.sweepTemporary(ageMs);
  }

  async room(): Promise<Room> {
    const { bsize, bavail, blocks } = await statfs(this.#files.path(""));
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  probe(): Promise<void> {
    return this.#files.probe();
  }
}

function isEqual(found: Uint8Array | null, bytes: Uint8Array): boolean {
  return found !== null && Buffer.compare(found, bytes) === 0;
}
