/** Uploads in memory: parts as they came, joined when they become content. */
import { assert } from "../../lib/assert.ts";
import type { Clock } from "../../lib/clock.ts";
import { newHasher, type Algorithm, type Digest } from "../../oci/digest.ts";
import {
  UploadFinished,
  UploadTooLarge,
  type AppendLimits,
  type AppendResult,
  type ByteSource,
  type FollowedUpload,
  type HeldUpload,
  type UploadInfo,
  type UploadStore,
} from "../upload_store.ts";
import type { MemoryContent, StoredBytes } from "./memory_content.ts";

interface Upload {
  parts: Uint8Array[];
  sizeBytes: number;
  changedAt: number;
  held: boolean;
  /** What it became. */
  content: StoredBytes | null;
}

export class MemoryUploads implements UploadStore {
  readonly #content: MemoryContent;
  readonly #clock: Clock;
  readonly #uploads = new Map<string, Upload>();

  constructor(content: MemoryContent, clock: Clock) {
    this.#content = content;
    this.#clock = clock;
  }

  async create(id: string): Promise<void> {
    assert(!this.#uploads.has(id), `storage: the upload ${id} is there already`);
    this.#uploads.set(id, {
      parts: [],
      sizeBytes: 0,
      changedAt: this.#clock.now(),
      held: false,
      content: null,
    });
  }

  async hold(id: string): Promise<HeldUpload | "busy" | null> {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return null;
    if (upload.held) return "busy";
    upload.held = true;
    const forget = (): void => void this.#uploads.delete(id);
    return new MemoryUpload(upload, this.#content, this.#clock, forget);
  }

  async follow(id: string): Promise<FollowedUpload | null> {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return null;
    return {
      sizeBytes: () => upload.sizeBytes,
      read: async (position, bytesMax) => partAt(upload, position).slice(0, bytesMax),
      isThere: () => this.#uploads.get(id) === upload,
      close: async () => undefined,
    };
  }

  async stat(id: string): Promise<UploadInfo | null> {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return null;
    return { sizeBytes: upload.sizeBytes, changedAt: upload.changedAt };
  }

  async ids(): Promise<string[]> {
    return [...this.#uploads.keys()];
  }
}

class MemoryUpload implements HeldUpload {
  readonly #upload: Upload;
  readonly #content: MemoryContent;
  readonly #clock: Clock;
  readonly #forget: () => void;
  #arrivedBytes = 0;
  #discarded = false;

  constructor(upload: Upload, content: MemoryContent, clock: Clock, forget: () => void) {
    this.#upload = upload;
    this.#content = content;
    this.#clock = clock;
    this.#forget = forget;
  }

  get sizeBytes(): number {
    return this.#upload.sizeBytes;
  }

  get finished(): boolean {
    return this.#upload.content !== null;
  }

  parts(): Iterable<Uint8Array> {
    const { content, parts } = this.#upload;
    return content === null ? parts : [content.bytes];
  }

  async append(source: ByteSource, { uploadBytesMax }: AppendLimits): Promise<AppendResult> {
    this.#arrivedBytes = 0;
    if (this.finished) return this.#takeRepeated(source);
    const start = this.sizeBytes;
    const bytesMax = uploadBytesMax ?? Number.MAX_SAFE_INTEGER;
    try {
      this.#requireRoom(source.lengthBytes ?? 0, bytesMax);
      const whole = await this.#read(source, (part) => this.#take(part, bytesMax));
      const appendedBytes = this.sizeBytes - start;
      const { lengthBytes } = source;
      return {
        appendedBytes,
        brokenOff: !whole || (lengthBytes !== null && appendedBytes < lengthBytes),
      };
    } catch (error) {
      this.#goBack(start);
      throw error;
    }
  }

  async arrivedBytes(): Promise<number> {
    return this.#arrivedBytes;
  }

  async truncate(sizeBytes: number): Promise<void> {
    if (sizeBytes === this.sizeBytes) return;
    assert(!this.finished, "finished content is never truncated");
    this.#goBack(sizeBytes);
  }

  async digest(algorithm: Algorithm): Promise<Digest> {
    const hasher = newHasher(algorithm);
    for (const part of this.parts()) hasher.update(part);
    return hasher.digest();
  }

  digestAhead(): void {
    // Nothing to be read back: `digest` costs the same at the end.
  }

  digestAnew(): void {
    // `digest` remembers nothing.
  }

  async finish(repository: string, digest: Digest): Promise<null> {
    const { parts, content, sizeBytes } = this.#upload;
    const stands = content !== null && content.names > 0;
    if (stands) {
      this.#content.name(repository, digest, content);
      return null;
    }
    // What it became was removed: its bytes are given a place again.
    if (content !== null) this.#content.take(sizeBytes);
    this.#content.give(sizeBytes);
    this.#content.put(repository, digest, content?.bytes ?? Buffer.concat(parts, sizeBytes));
    this.#upload.content = this.#content.get(repository, digest);
    this.#upload.parts = [];
    return null;
  }

  async discard(): Promise<void> {
    if (this.#discarded) return;
    this.#discarded = true;
    this.#forget();
    if (!this.finished) this.#content.give(this.sizeBytes);
  }

  async close(): Promise<void> {
    this.#upload.held = false;
  }

  /** Hands on the parts of a source; false when it broke off. */
  async #read(source: ByteSource, take: (part: Uint8Array) => void): Promise<boolean> {
    const { body } = source;
    if (body instanceof Uint8Array) {
      if (body.length > 0) take(body);
      return true;
    }
    const reader = body.body?.getReader();
    if (reader === undefined) return true;
    try {
      for (;;) {
        const { value } = await reader.read().catch(() => broken);
        if (value === undefined) return true;
        if (value === null) return false;
        this.#arrivedBytes += value.length;
        take(value);
      }
    } finally {
      void reader.cancel().catch(() => {});
    }
  }

  #take(part: Uint8Array, bytesMax: number): void {
    this.#requireRoom(part.length, bytesMax);
    this.#content.take(part.length);
    // A copy: the reader of the body may use its buffer again.
    this.#upload.parts.push(new Uint8Array(part));
    this.#upload.sizeBytes += part.length;
    this.#upload.changedAt = this.#clock.now();
  }

  #requireRoom(moreBytes: number, bytesMax: number): void {
    if (this.sizeBytes + moreBytes <= bytesMax) return;
    throw new UploadTooLarge(`The upload would exceed ${bytesMax} bytes`);
  }

  #goBack(sizeBytes: number): void {
    const whole = Buffer.concat(this.#upload.parts).subarray(0, sizeBytes);
    this.#content.give(this.sizeBytes - sizeBytes);
    this.#upload.parts = [new Uint8Array(whole)];
    this.#upload.sizeBytes = sizeBytes;
  }

  /** Takes for a finished upload what it ends with already. */
  async #takeRepeated(source: ByteSource): Promise<AppendResult> {
    const { lengthBytes } = source;
    const { content, sizeBytes } = this.#upload;
    const start = lengthBytes === null ? 0 : sizeBytes - lengthBytes;
    let position = start;
    const whole = await this.#read(source, (part) => {
      const same = content?.bytes.subarray(Math.max(position, 0), position + part.length);
      if (position < 0 || same === undefined || Buffer.compare(same, part) !== 0) throw complete();
      position += part.length;
    });
    const appendedBytes = position - start;
    if (!whole) return { appendedBytes, brokenOff: true };
    const missing = appendedBytes > 0 && position < sizeBytes;
    if (missing && lengthBytes === null) throw complete();
    return { appendedBytes, brokenOff: missing };
  }
}

/** The rest of the part that holds a position; empty behind the last one. */
function partAt({ parts, content }: Upload, position: number): Uint8Array {
  let start = 0;
  for (const part of content === null ? parts : [content.bytes]) {
    if (position < start + part.length) return part.subarray(position - start);
    start += part.length;
  }
  return new Uint8Array();
}

/** What a sender that went away leaves to read. */
const broken = { value: null } as const;

function complete(): UploadFinished {
  return new UploadFinished("The upload is complete: nothing can be added to it");
}
