/**
 * One upload's bytes as a file in `_zot/uploads`, held under an exclusive lock.
 *
 * Does what `Stage` in `../driver.ts` promises. Bodies are taken by the runtime straight into the
 * file, and the hashing thread reads them back as soon as they are complete; what counts is always the file's length, never
 * what a write call said. A body that ends early keeps its bytes; one that cannot be stored (full disk,
 * limit) is rolled back to where this append began. Bytes that an earlier append settled never change,
 * which is what lets a running digest be kept between requests.
 * Leaves to others: who may touch an upload, and what its digest must be (`../uploads.ts`).
 */
import { open, unlink, type FileHandle } from "node:fs/promises";
import { assert, AssertionError } from "../../lib/assert.ts";
import { KiB } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";
import { digestOf, type Algorithm, type Digest } from "../../oci/digest.ts";
import {
  StagePublished,
  StageTooLarge,
  StorageFull,
  type AppendOptions,
  type AppendResult,
  type ByteSource,
  type Stage,
} from "../driver.ts";
import {
  absentOr,
  codeOf,
  isLinkRefused,
  plainFile,
  storageError,
  type DurableFiles,
} from "./durable_files.ts";
import { bytesOf, hasBytesAt, writeAll } from "./file_bytes.ts";
import { MemoryBudget } from "../../lib/memory_budget.ts";
import { unlock } from "./file_lock.ts";
import type { HashThread } from "./hash_thread.ts";
import { watchIdle } from "./idle_watch.ts";

/** Bodies up to this size are read into memory: cheaper than a thread and a native transfer. */
const smallBodyBytesMax = 256 * KiB;
/** Of all of them on their way, in this process; while there are as many, small bodies go the way of large ones. */
const smallBodiesBytesMax = 32 * 1024 * KiB;
const smallBodies = new MemoryBudget(smallBodiesBytesMax);

/** What was found when the stage was opened. */
export interface StageState {
  readonly sizeBytes: number;
  /** The file has another name, so that a change here would be one of content. */
  readonly published: boolean;
}

export interface StageTools {
  readonly files: DurableFiles;
  readonly hashes: HashThread;
  readonly clock: Clock;
  readonly requireRoom: () => void;
  readonly pathOf: (key: string) => string;
}

export class FilesystemStage implements Stage {
  readonly #id: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #tools: StageTools;
  #sizeBytes: number;
  #published: boolean;
  /** The file's own position, which rolling back does not, was moved from its start. */
  #moved = false;
  /** The whole content, while it is small and came in one piece. */
  #whole: Uint8Array | null = null;

  constructor(id: string, path: string, handle: FileHandle, state: StageState, tools: StageTools) {
    this.#id = id;
    this.#path = path;
    this.#handle = handle;
    this.#sizeBytes = state.sizeBytes;
    this.#published = state.published;
    this.#tools = tools;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get published(): boolean {
    return this.#published;
  }

  async append(source: ByteSource, options: AppendOptions): Promise<AppendResult> {
    const start = this.#sizeBytes;
    if (this.#published) return this.#takeRepeated(source, options);
    try {
      if (source.lengthBytes !== 0) this.#tools.requireRoom();
      const brokenOff = await this.#take(source, options);
      return { appendedBytes: this.#sizeBytes - start, brokenOff };
    } catch (error) {
      await this.#rollBack(start);
      throw storageError(error, this.#path);
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    if (sizeBytes === this.#sizeBytes) return;
    assert(!this.#published, "published content is never truncated");
    await this.#rollBack(sizeBytes);
  }

  async digest(algorithm: Algorithm): Promise<Digest> {
    if (this.#whole !== null) return digestOf(algorithm, this.#whole);
    return this.#tools.hashes.digest(this.#id, this.#path, algorithm, this.#sizeBytes);
  }

  async compare(key: string): Promise<"equal" | "different" | "absent"> {
    // A symbolic link is no file of ours: what it leads to may change or go.
    const other = await open(this.#tools.pathOf(key), plainFile).catch(absentOr);
    if (other === null) return "absent";
    try {
      return (await this.#equals(other)) ? "equal" : "different";
    } finally {
      await other.close();
    }
  }

  async #equals(other: FileHandle): Promise<boolean> {
    if ((await other.stat()).size !== this.#sizeBytes) return false;
    if (this.#whole !== null) return hasBytesAt(other, this.#whole, 0);
    let position = 0;
    for await (const part of bytesOf(this.#handle)) {
      if (!(await hasBytesAt(other, part, position))) return false;
      position += part.length;
    }
    return position === this.#sizeBytes;
  }

  async publish(key: string): Promise<void> {
    const { files, pathOf } = this.#tools;
    await this.#flush();
    const wasPublished = this.#published;
    this.#published = true;
    try {
      const linked = await files.linkOver(this.#path, pathOf(key));
      assert(linked, `storage: the upload ${this.#id} vanished while it was held`);
    } catch (error) {
      if (!isLinkRefused(error)) throw storageError(error);
      this.#published = wasPublished;
      await this.#publishCopy(pathOf(key));
    }
  }

  async #publishCopy(path: string): Promise<void> {
    try {
      await this.#tools.files.copyOver(this.#handle, path);
    } catch (error) {
      throw storageError(error);
    }
  }

  /** A flush that fails loses bytes, and the next one would not tell (`fsync` reports an error once). */
  async #flush(): Promise<void> {
    try {
      await this.#tools.files.flushFile(this.#handle);
    } catch (error) {
      await this.discard();
      throw storageError(error, this.#path);
    }
  }

  async discard(): Promise<void> {
    this.#tools.hashes.forget(this.#id);
    await unlink(this.#path).catch(absentOr);
  }

  async close(): Promise<void> {
    unlock(this.#handle.fd);
    await this.#handle.close();
  }

  /** Takes the source; true when it broke off early. */
  async #take(source: ByteSource, options: AppendOptions): Promise<boolean> {
    this.#checkLimit(source.lengthBytes ?? 0, options);
    if (source.body instanceof Uint8Array) return this.#takeBytes(source.body);
    const { body, lengthBytes } = source;
    if (lengthBytes === null || lengthBytes > smallBodyBytesMax || !smallBodies.take(lengthBytes)) {
      return this.#takeStream(body, lengthBytes, options);
    }
    try {
      return await this.#takeSmall(body, lengthBytes, options);
    } finally {
      smallBodies.give(lengthBytes);
    }
  }

  async #takeBytes(bytes: Uint8Array): Promise<boolean> {
    if (bytes.length === 0) return false;
    const first = this.#sizeBytes === 0;
    await writeAll(this.#handle, bytes, this.#sizeBytes);
    await this.#measure();
    this.#whole = first && this.#sizeBytes === bytes.length ? bytes : null;
    return false;
  }

  async #takeSmall(body: Request, lengthBytes: number, options: AppendOptions): Promise<boolean> {
    if (lengthBytes === 0) return false;
    const { bytes, brokenOff } = await this.#collect(body, lengthBytes, options);
    await this.#takeBytes(bytes);
    return brokenOff || bytes.length < lengthBytes;
  }

  /** Reads a small body part by part, so that its progress can be seen. */
  async #collect(
    body: Request,
    lengthBytes: number,
    options: AppendOptions,
  ): Promise<{ bytes: Uint8Array; brokenOff: boolean }> {
    const parts: Uint8Array[] = [];
    let arrivedBytes = 0;
    let brokenOff = false;
    const watch = new AbortController();
    void watchIdle(this.#tools.clock, options, async () => arrivedBytes, watch.signal);
    try {
      for await (const part of body.body ?? []) {
        parts.push(part);
        arrivedBytes += part.length;
      }
    } catch {
      brokenOff = true;
    } finally {
      watch.abort();
    }
    const [first = new Uint8Array(), ...others] = parts;
    const bytes = others.length === 0 ? first : Buffer.concat(parts, arrivedBytes);
    assert(bytes.length <= lengthBytes, "the runtime ends a body at its announced length");
    return { bytes, brokenOff };
  }

  async #takeStream(
    body: Request,
    lengthBytes: number | null,
    options: AppendOptions,
  ): Promise<boolean> {
    this.#whole = null;
    const start = this.#sizeBytes;
    const watch = new AbortController();
    void watchIdle(this.#tools.clock, options, () => this.#fileBytes(), watch.signal);
    try {
      const brokenOff = await this.#transfer(body, lengthBytes, options);
      await this.#measure();
      // Not while bytes still come: the runtime may have reserved space that holds none of them yet.
      this.#tools.hashes.follow(this.#id, this.#path, "sha256", this.#sizeBytes);
      return brokenOff || (lengthBytes !== null && this.#sizeBytes - start < lengthBytes);
    } finally {
      watch.abort();
    }
  }

  /** True when the sender went away. */
  async #transfer(
    body: Request,
    lengthBytes: number | null,
    options: AppendOptions,
  ): Promise<boolean> {
    const unlimited = lengthBytes !== null || options.stageBytesMax === null;
    const atStart = this.#sizeBytes === 0 && !this.#moved;
    try {
      if (atStart && unlimited) await this.#transferNative(body);
      else await this.#transferChunks(body, options);
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
    const takenBytes = await Bun.write(Bun.file(this.#handle.fd), body);
    await this.#measure();
    assert(
      this.#sizeBytes === takenBytes,
      `storage: ${takenBytes} bytes came, and the upload has ${this.#sizeBytes}`,
    );
  }

  /** For a body that continues a file, or that is of unknown length and may have to be stopped. */
  async #transferChunks(body: Request, options: AppendOptions): Promise<void> {
    for await (const chunk of body.body ?? []) {
      this.#checkLimit(chunk.length, options);
      await writeAll(this.#handle, chunk, this.#sizeBytes);
      this.#sizeBytes += chunk.length;
    }
  }

  #checkLimit(moreBytes: number, options: AppendOptions): void {
    if (options.stageBytesMax === null) return;
    if (this.#sizeBytes + moreBytes <= options.stageBytesMax) return;
    throw new StageTooLarge(`The upload would exceed ${options.stageBytesMax} bytes`);
  }

  async #measure(): Promise<void> {
    this.#sizeBytes = (await this.#handle.stat()).size;
  }

  async #rollBack(sizeBytes: number): Promise<void> {
    this.#tools.hashes.forget(this.#id);
    this.#whole = null;
    await this.#handle.truncate(sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  /** Null once the file is closed. */
  #fileBytes(): Promise<number | null> {
    return this.#handle.stat().then(
      (info) => info.size,
      () => null,
    );
  }

  /**
   * Takes for a published stage what it ends with already. A body of unknown length can only be told to be the same
   * where it is the whole of the content.
   */
  async #takeRepeated(source: ByteSource, options: AppendOptions): Promise<AppendResult> {
    const { body, lengthBytes } = source;
    const parts = body instanceof Uint8Array ? [body] : (body.body ?? []);
    let position = lengthBytes === null ? 0 : this.#sizeBytes - lengthBytes;
    let arrivedBytes = 0;
    const watch = new AbortController();
    void watchIdle(this.#tools.clock, options, async () => arrivedBytes, watch.signal);
    try {
      for await (const part of parts) {
        if (!(await this.#has(part, position))) throw complete();
        position += part.length;
        arrivedBytes += part.length;
      }
    } catch (error) {
      if (isLocalFailure(error)) throw error;
      return { appendedBytes: arrivedBytes, brokenOff: true };
    } finally {
      watch.abort();
    }
    const missing = arrivedBytes > 0 && position < this.#sizeBytes;
    if (missing && lengthBytes === null) throw complete();
    return { appendedBytes: arrivedBytes, brokenOff: missing };
  }

  async #has(bytes: Uint8Array, position: number): Promise<boolean> {
    if (bytes.length === 0) return true;
    if (position < 0 || position + bytes.length > this.#sizeBytes) return false;
    return hasBytesAt(this.#handle, bytes, position);
  }
}

function complete(): StagePublished {
  return new StagePublished("The upload is complete: nothing can be added to it");
}

/** Whether storing failed; otherwise it was the sender who failed. */
function isLocalFailure(error: unknown): boolean {
  if (localErrors.some((kind) => error instanceof kind)) return true;
  const code = codeOf(error);
  return code !== null && /^E[A-Z]+$/.test(code) && !senderCodes.includes(code);
}

const localErrors = [StageTooLarge, StagePublished, StorageFull, AssertionError];
/** Error codes of a connection that went away. */
const senderCodes: readonly string[] = ["ECONNRESET", "EPIPE", "ECONNABORTED", "ETIMEDOUT"];
