/**
 * One upload's bytes as a file in `_zot/uploads`, held under an exclusive lock.
 *
 * Promises what `Stage` in `../driver.ts` promises. Bodies are taken by the runtime straight into the
 * file, and the hashing thread reads them back as soon as they are complete; what counts is always the file's length, never
 * what a write call said. A body that ends early keeps its bytes; one that cannot be stored (full disk,
 * limit) is rolled back to where this append began. Bytes that an earlier append settled never change,
 * which is what lets a running digest be kept between requests.
 * Leaves to others: who may touch an upload, and what its digest must be (`../uploads.ts`).
 */
import type { FileHandle } from "node:fs/promises";
import { unlink } from "node:fs/promises";
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
import { absentOr, codeOf, storageError, writeAll, type DurableFiles } from "./durable_files.ts";
import { MemoryBudget } from "../../lib/memory_budget.ts";
import { unlock } from "./file_lock.ts";
import type { HashThread } from "./hash_thread.ts";

/** Bodies up to this size are read into memory: cheaper than a thread and a native transfer. */
const smallBodyBytesMax = 256 * KiB;
/** Of all of them on their way, in this process; while there are as many, small bodies go the way of large ones. */
const smallBodiesBytesMax = 32 * 1024 * KiB;
const smallBodies = new MemoryBudget(smallBodiesBytesMax);
/** How often an append in flight is checked for progress, as a part of the idle limit. */
const idleChecks = 4;

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

  async append(source: ByteSource, options: AppendOptions): Promise<AppendResult> {
    const start = this.#sizeBytes;
    if (this.#published) return appendNothing(source);
    try {
      const brokenOff = await this.#take(source, options);
      return { appendedBytes: this.#sizeBytes - start, brokenOff };
    } catch (error) {
      await this.#rollBack(start);
      throw storageError(error);
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

  async publish(key: string): Promise<void> {
    const { files, pathOf } = this.#tools;
    await this.#flush();
    this.#published = true;
    try {
      const linked = await files.linkOver(this.#path, pathOf(key));
      assert(linked, `storage: the upload ${this.#id} vanished while it was held`);
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
      throw storageError(error);
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
    let bytes: Uint8Array;
    const watch = new AbortController();
    void this.#limitTime(options, watch.signal);
    try {
      bytes = new Uint8Array(await body.arrayBuffer());
    } catch {
      return true;
    } finally {
      watch.abort();
    }
    await this.#takeBytes(bytes);
    return bytes.length < lengthBytes;
  }

  /** A small body comes in one piece, whose progress cannot be seen: it has the idle limit for all of it. */
  async #limitTime(options: AppendOptions, signal: AbortSignal): Promise<void> {
    await this.#tools.clock.sleep(options.idleMs, signal);
    if (!signal.aborted) options.onIdle();
  }

  async #takeStream(
    body: Request,
    lengthBytes: number | null,
    options: AppendOptions,
  ): Promise<boolean> {
    this.#whole = null;
    const start = this.#sizeBytes;
    const watch = new AbortController();
    void this.#watchIdle(options, watch.signal);
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

  /** Cuts a sender off from whom no byte came for `idleMs`: progress is the file's growth. */
  async #watchIdle(options: AppendOptions, signal: AbortSignal): Promise<void> {
    const { clock } = this.#tools;
    let seen = -1;
    let since = clock.monotonicMs();
    while (!signal.aborted) {
      await clock.sleep(options.idleMs / idleChecks, signal);
      if (signal.aborted) return;
      const size = await this.#handle.stat().then(
        (info) => info.size,
        () => null,
      );
      if (size === null) return;
      if (size !== seen) {
        seen = size;
        since = clock.monotonicMs();
      } else if (clock.monotonicMs() - since >= options.idleMs) {
        options.onIdle();
        return;
      }
    }
  }
}

/** What is left to append to published content: a body that turns out to be empty. */
async function appendNothing({ body, lengthBytes }: ByteSource): Promise<AppendResult> {
  const none =
    body instanceof Uint8Array
      ? body.length === 0
      : lengthBytes === 0 || (lengthBytes === null && (await isEmpty(body)));
  if (none) return { appendedBytes: 0, brokenOff: false };
  throw new StagePublished("The upload is complete: nothing can be added to it");
}

async function isEmpty(body: Request): Promise<boolean> {
  for await (const chunk of body.body ?? []) {
    if (chunk.length > 0) return false;
  }
  return true;
}

/** Whether storing failed; otherwise it was the sender who failed. */
function isLocalFailure(error: unknown): boolean {
  if (localErrors.some((kind) => error instanceof kind)) return true;
  const code = codeOf(error);
  return code !== null && /^E[A-Z]+$/.test(code) && !senderCodes.includes(code);
}

const localErrors = [StageTooLarge, StorageFull, AssertionError];
/** Error codes of a connection that went away. */
const senderCodes: readonly string[] = ["ECONNRESET", "EPIPE", "ECONNABORTED", "ETIMEDOUT"];
