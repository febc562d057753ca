/**
 * One upload's bytes as a file in `_zot/uploads`, held under an exclusive lock.
 *
 * The runtime writes bodies straight into the file, and the hashing thread reads them back as soon as they are
 * complete; the file's length counts, never what a write call returned. A body that ends early keeps its bytes; one
 * that cannot be stored (full disk, limit) is rolled back to where this append began. Bytes that the upload had when it
 * was held never change, so the running digest is kept between requests.
 */
import { unlink } from "node:fs/promises";
import { assert, AssertionError } from "../../lib/assert.ts";
import { KiB } from "../../lib/bytes.ts";
import type { MemoryBudget } from "../../lib/memory_budget.ts";
import { digestOf, type Algorithm, type Digest } from "../../oci/digest.ts";
import { StorageFull } from "../blob_store.ts";
import {
  UploadFinished,
  UploadTooLarge,
  type AppendLimits,
  type AppendResult,
  type ByteSource,
  type HeldUpload,
} from "../upload_store.ts";
import {
  absentOr,
  codeOf,
  isLinkRefused,
  storageError,
  type DurableFiles,
} from "./durable_files.ts";
import { bytesOf, hasBytesAt, writeAll } from "./file_bytes.ts";
import { unlock } from "./file_lock.ts";
import type { HashThread } from "./hash_thread.ts";
import type { ScratchUpload, WholeBody } from "../scratch_uploads.ts";
import type { OpenFile } from "./open_file.ts";
import type { FileBytes } from "./running_digests.ts";

/** Bodies up to this size are read into memory: cheaper than a thread and a native transfer. */
const smallBodyBytesMax = 256 * KiB;
/** Of all of them on their way, in this process; while there are as many, small bodies go the way of large ones. */
export const smallBodiesBytesMax = 32 * 1024 * KiB;

/** What was found when the upload was opened. */
export interface FoundUpload {
  readonly sizeBytes: number;
  /** The file has another name, so that a change here would be one of content. */
  readonly finished: boolean;
}

export interface UploadTools {
  /** Uploads become content elsewhere. */
  readonly seals: boolean;
  /** Of all small bodies on their way. */
  readonly smallBodies: MemoryBudget;
  readonly files: DurableFiles;
  readonly hashes: HashThread;
  readonly requireRoom: () => void;
  /** The path of content, in a repository that is made a layout first. */
  readonly place: (repository: string, digest: Digest) => Promise<string>;
}

export class FilesystemUpload implements HeldUpload, ScratchUpload {
  readonly #id: string;
  readonly #path: string;
  /** Its second name, once it is content elsewhere. */
  readonly #sealedPath: string;
  readonly #file: OpenFile;
  readonly #tools: UploadTools;
  /** What it had when it was held: a request that fails goes back to that. */
  readonly #heldBytes: number;
  #sizeBytes: number;
  #finished: boolean;
  /** Bytes of the running append that have come; null while they show in the file alone. */
  #arrivedBytes: number | null = 0;
  /** The file's own position, which rolling back does not, was moved from its start. */
  #moved = false;
  /** The whole content, while it is small and came in one piece. */
  #whole: Uint8Array | null = null;

  constructor(
    id: string,
    { path, sealedPath }: { readonly path: string; readonly sealedPath: string },
    file: OpenFile,
    found: FoundUpload,
    tools: UploadTools,
  ) {
    this.#id = id;
    this.#path = path;
    this.#sealedPath = sealedPath;
    this.#file = file;
    this.#heldBytes = found.sizeBytes;
    this.#sizeBytes = found.sizeBytes;
    this.#finished = found.finished;
    this.#tools = tools;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get finished(): boolean {
    return this.#finished;
  }

  async append(source: ByteSource, limits: AppendLimits): Promise<AppendResult> {
    const start = this.#sizeBytes;
    this.#arrivedBytes = 0;
    if (this.#finished) return this.#takeRepeated(source);
    try {
      if (source.lengthBytes !== 0) this.#tools.requireRoom();
      const brokenOff = await this.#take(source, limits);
      return { appendedBytes: this.#sizeBytes - start, brokenOff };
    } catch (error) {
      await this.#rollBack(start);
      throw storageError(error, this.#path);
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    if (sizeBytes === this.#sizeBytes) return;
    assert(!this.#finished, "finished content is never truncated");
    await this.#rollBack(sizeBytes);
  }

  async digest(algorithm: Algorithm): Promise<Digest> {
    if (this.#whole !== null) return digestOf(algorithm, this.#whole);
    return this.#tools.hashes.digest(this.#bytesFor(algorithm));
  }

  digestAhead(algorithm: Algorithm): void {
    if (this.#whole === null) this.#tools.hashes.follow(this.#bytesFor(algorithm));
  }

  digestAnew(): void {
    this.#tools.hashes.forget(this.#id);
  }

  parts(): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
    return this.#whole === null ? bytesOf(this.#file) : [this.#whole];
  }

  async arrivedBytes(): Promise<number> {
    if (this.#arrivedBytes !== null) return this.#arrivedBytes;
    // Closed while it was looked at: all is in.
    return this.#file.isOpen ? this.#file.stat().size : this.#sizeBytes;
  }

  async finish(repository: string, digest: Digest): Promise<null> {
    const path = await this.#tools.place(repository, digest);
    await this.#flush();
    const wasFinished = this.#finished;
    this.#finished = true;
    try {
      const linked = await this.#tools.files.linkOver(this.#path, path);
      assert(linked, `storage: the upload ${this.#id} vanished while it was held`);
    } catch (error) {
      if (!isLinkRefused(error)) throw storageError(error);
      this.#finished = wasFinished;
      await this.#finishByCopy(path, digest);
    }
    return null;
  }

  async whole(): Promise<WholeBody> {
    const { sizeBytes } = this;
    if (sizeBytes > smallBodyBytesMax) {
      const file = Bun.file(this.#path);
      return { sizeBytes, slice: (first, end) => file.slice(first, end) };
    }
    // Parts are good until the next one is asked for.
    const parts: Uint8Array[] = [];
    for await (const part of this.parts()) parts.push(new Uint8Array(part));
    const bytes = Buffer.concat(parts);
    return { sizeBytes, slice: (first, end) => bytes.subarray(first, end) };
  }

  /**
   * Another name of the file tells those who hold it later. Where links are refused they do not learn of it, which does no
   * harm: that content never changes.
   */
  async seal(): Promise<void> {
    this.#finished = true;
    try {
      await this.#tools.files.linkOver(this.#path, this.#sealedPath);
    } catch (error) {
      if (!isLinkRefused(error)) throw storageError(error);
    }
  }

  async #finishByCopy(path: string, digest: Digest): Promise<void> {
    const work = this.#tools.files.copyOver(this.#file, path, digest);
    const copied = await work.catch((error: unknown) => {
      throw storageError(error);
    });
    assert(copied, `storage: the upload ${this.#id} has other bytes than were digested`);
  }

  /** A flush that fails loses bytes, and the next one would not tell (`fsync` reports an error once). */
  async #flush(): Promise<void> {
    try {
      await this.#tools.files.flushFile(this.#file);
    } catch (error) {
      await this.discard();
      throw storageError(error, this.#path);
    }
  }

  async discard(): Promise<void> {
    this.#tools.hashes.forget(this.#id);
    if (this.#finished && this.#tools.seals) await unlink(this.#sealedPath).catch(absentOr);
    await unlink(this.#path).catch(absentOr);
  }

  async close(): Promise<void> {
    unlock(this.#file.descriptor);
    // What is no content may have bytes to write still, or blocks to free.
    if (this.#finished) await this.#tools.files.closeWritten(this.#file);
    else await this.#file.close();
  }

  /** Takes the source; true when it broke off early. */
  async #take(source: ByteSource, limits: AppendLimits): Promise<boolean> {
    this.#checkLimit(source.lengthBytes ?? 0, limits);
    if (source.body instanceof Uint8Array) return this.#takeBytes(source.body);
    const { body, lengthBytes } = source;
    const { smallBodies } = this.#tools;
    if (lengthBytes === null || lengthBytes > smallBodyBytesMax || !smallBodies.take(lengthBytes)) {
      return this.#takeStream(body, lengthBytes, limits);
    }
    try {
      return await this.#takeSmall(body, lengthBytes);
    } finally {
      smallBodies.give(lengthBytes);
    }
  }

  async #takeBytes(bytes: Uint8Array): Promise<boolean> {
    if (bytes.length === 0) return false;
    const first = this.#sizeBytes === 0;
    await writeAll(this.#file, bytes, this.#sizeBytes);
    this.#measure();
    this.#whole = first && this.#sizeBytes === bytes.length ? bytes : null;
    return false;
  }

  async #takeSmall(body: Request, lengthBytes: number): Promise<boolean> {
    if (lengthBytes === 0) return false;
    const { bytes, brokenOff } = await this.#collect(body, lengthBytes);
    await this.#takeBytes(bytes);
    return brokenOff || bytes.length < lengthBytes;
  }

  /** Reads a small body part by part, so that its progress can be seen. */
  async #collect(
    body: Request,
    lengthBytes: number,
  ): Promise<{ bytes: Uint8Array; brokenOff: boolean }> {
    const parts: Uint8Array[] = [];
    let arrivedBytes = 0;
    let brokenOff = false;
    try {
      for await (const part of body.body ?? []) {
        parts.push(part);
        arrivedBytes += part.length;
        this.#arrivedBytes = arrivedBytes;
      }
    } catch {
      brokenOff = true;
    }
    const [first = new Uint8Array(), ...others] = parts;
    const bytes = others.length === 0 ? first : Buffer.concat(parts, arrivedBytes);
    assert(bytes.length <= lengthBytes, "the runtime ends a body at its announced length");
    return { bytes, brokenOff };
  }

  async #takeStream(
    body: Request,
    lengthBytes: number | null,
    limits: AppendLimits,
  ): Promise<boolean> {
    this.#whole = null;
    const start = this.#sizeBytes;
    // No code of ours sees these bytes: the file's length tells.
    this.#arrivedBytes = null;
    const brokenOff = await this.#transfer(body, lengthBytes, limits);
    this.#measure();
    // Not while bytes still come: the runtime may have reserved space that holds none of them yet.
    this.#tools.hashes.follow(this.#bytesFor("sha256"));
    return brokenOff || (lengthBytes !== null && this.#sizeBytes - start < lengthBytes);
  }

  /** True when the sender went away. */
  async #transfer(
    body: Request,
    lengthBytes: number | null,
    limits: AppendLimits,
  ): Promise<boolean> {
    const unlimited = lengthBytes !== null || limits.uploadBytesMax === null;
    const atStart = this.#sizeBytes === 0 && !this.#moved;
    try {
      if (atStart && unlimited) await this.#transferNative(body);
      else await this.#transferChunks(body, limits);
      return false;
    } catch (error) {
      if (isLocalFailure(error)) throw error;
      return true;
    }
  }

  /**
   * The runtime's own transfer: a third of the processor's time. Only at the start of a file: for a body that has
   * arrived whole before it is taken, the runtime reserves the file's first bytes (`fallocate`), then
   * writes at the file's position (Bun 1.4.5; the length is checked, since its behaviour is all we know).
   */
  async #transferNative(body: Request): Promise<void> {
    this.#moved = true;
    const takenBytes = await Bun.write(Bun.file(this.#file.descriptor), body);
    this.#measure();
    assert(
      this.#sizeBytes === takenBytes,
      `storage: ${takenBytes} bytes came, and the upload has ${this.#sizeBytes}`,
    );
  }

  /** For a body that continues a file, or that is of unknown length and may have to be stopped. */
  async #transferChunks(body: Request, limits: AppendLimits): Promise<void> {
    for await (const chunk of body.body ?? []) {
      this.#checkLimit(chunk.length, limits);
      await writeAll(this.#file, chunk, this.#sizeBytes);
      this.#sizeBytes += chunk.length;
    }
  }

  #checkLimit(moreBytes: number, limits: AppendLimits): void {
    if (limits.uploadBytesMax === null) return;
    if (this.#sizeBytes + moreBytes <= limits.uploadBytesMax) return;
    throw new UploadTooLarge(`The upload would exceed ${limits.uploadBytesMax} bytes`);
  }

  #bytesFor(algorithm: Algorithm): FileBytes {
    return {
      key: this.#id,
      path: this.#path,
      algorithm,
      sizeBytes: this.#sizeBytes,
      settledBytes: this.#heldBytes,
    };
  }

  #measure(): void {
    this.#sizeBytes = this.#file.stat().size;
  }

  async #rollBack(sizeBytes: number): Promise<void> {
    this.#tools.hashes.goBack(this.#id, sizeBytes);
    this.#whole = null;
    await this.#file.truncate(sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Takes for a finished upload what it ends with already. A body of unknown length can only be told to be the same
   * where it is the whole of the content.
   */
  async #takeRepeated(source: ByteSource): Promise<AppendResult> {
    const { body, lengthBytes } = source;
    const parts = body instanceof Uint8Array ? [body] : (body.body ?? []);
    let position = lengthBytes === null ? 0 : this.#sizeBytes - lengthBytes;
    let arrivedBytes = 0;
    try {
      for await (const part of parts) {
        if (!(await this.#has(part, position))) throw complete();
        position += part.length;
        arrivedBytes += part.length;
        this.#arrivedBytes = arrivedBytes;
      }
    } catch (error) {
      if (isLocalFailure(error)) throw error;
      return { appendedBytes: arrivedBytes, brokenOff: true };
    }
    const missing = arrivedBytes > 0 && position < this.#sizeBytes;
    if (missing && lengthBytes === null) throw complete();
    return { appendedBytes: arrivedBytes, brokenOff: missing };
  }

  async #has(bytes: Uint8Array, position: number): Promise<boolean> {
    if (bytes.length === 0) return true;
    if (position < 0 || position + bytes.length > this.#sizeBytes) return false;
    return hasBytesAt(this.#file, bytes, position);
  }
}

function complete(): UploadFinished {
  return new UploadFinished("The upload is complete: nothing can be added to it");
}

/** Whether storing failed; otherwise it was the sender who failed. */
function isLocalFailure(error: unknown): boolean {
  if (localErrors.some((kind) => error instanceof kind)) return true;
  const code = codeOf(error);
  return code !== null && /^E[A-Z]+$/.test(code) && !senderCodes.includes(code);
}

const localErrors = [UploadTooLarge, UploadFinished, StorageFull, AssertionError];
/** Error codes of a connection that went away. */
const senderCodes: readonly string[] = ["ECONNRESET", "EPIPE", "ECONNABORTED", "ETIMEDOUT"];
