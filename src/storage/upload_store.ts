/**
 * The contract of the place where uploads grow until they are content.
 *
 * An upload is named by an id that its maker chose, and one holder at a time may change it, in any process. The bytes
 * that `stat` counts are stored; what a holder appended is among them once it has closed the upload, at the latest. Any
 * process can continue an upload that another one began. Only absence is `null`; a
 * full store throws `StorageFull` (`blob_store.ts`).
 *
 * A store turns an upload into content itself (`finish`), so that it need not move a byte. It knows nothing of idle
 * senders: it tells how far a body has come (`arrivedBytes`), and the code that watches the sender looks.
 */
import type { Algorithm, Digest } from "../oci/digest.ts";
import type { ComparedBytes, PutHow, Room, UnnamedBytes } from "./blob_store.ts";

/** Bytes on their way in: a request whose body the store takes, or bytes at hand. */
export interface ByteSource {
  readonly body: Request | Uint8Array;
  /** Announced length; null when the sender streams without one. */
  readonly lengthBytes: number | null;
}

export interface AppendLimits {
  /** The upload may not grow beyond this many bytes; null for no limit. */
  readonly uploadBytesMax: number | null;
}

export interface AppendResult {
  readonly appendedBytes: number;
  /** Set when the source broke off: a first part of what it sent is kept, and counted above. */
  readonly brokenOff: boolean;
}

/** The exclusively held bytes of one upload. Always `close` it. */
export interface HeldUpload extends ComparedBytes {
  /** The bytes are content by now, which never changes: the upload can only be finished again or discarded. */
  readonly finished: boolean;
  /**
   * Takes the source once, in order, at the end. A finished upload takes only what it ends with already: the body of
   * a request that is repeated, since its answer was an error or got lost.
   * @throws StorageFull, UploadTooLarge; the bytes of this call are then gone again. UploadFinished.
   */
  append(source: ByteSource, limits: AppendLimits): Promise<AppendResult>;
  /** How many bytes of the running `append` have come, or another number that grows with them. */
  arrivedBytes(): Promise<number>;
  /** Forgets bytes after `sizeBytes`, which must be a size that it had when it was held or after an append. */
  truncate(sizeBytes: number): Promise<void>;
  /** The digest of all bytes held, of what is stored. */
  digest(algorithm: Algorithm): Promise<Digest>;
  /** Begins to digest what is held, so that `digest` has little to do once the rest has come. */
  digestAhead(algorithm: Algorithm): void;
  /**
   * Forgets what this process has digested under the id before: for an id that is given again, since another process may
   * have discarded the upload that had it, and made a new one.
   */
  digestAnew(): void;
  /**
   * Makes the bytes the content of a digest in a repository, flushed, in place of content that stood there. The caller
   * has verified the digest. The upload is kept, to finish again or to discard, and takes no more bytes. As
   * `BlobStore.put` it may leave the naming to the caller.
   * Bytes that cannot be flushed are lost: the upload is then gone.
   */
  finish(repository: string, digest: Digest, how?: PutHow): Promise<UnnamedBytes | null>;
  /** Removes the upload; content that it became stays. */
  discard(): Promise<void>;
  /** @throws StorageFull, UploadTaken, what a store throws: what was appended is not there then. */
  close(): Promise<void>;
}

/**
 * An upload as somebody reads it who does not hold it, while its holder adds to it. What was read stays as it was read,
 * unless the holder goes back behind it. After the upload was finished or discarded all of it can still be read. Always
 * `close` it.
 */
export interface FollowedUpload {
  /** Bytes that are there by now. */
  sizeBytes(): number;
  /** Bytes from a position on, fewer than asked for, or none, at the end. */
  read(position: number, bytesMax: number): Promise<Uint8Array>;
  /** Whether it is there still; false once it was discarded, whatever became of it. */
  isThere(): boolean;
  close(): Promise<void>;
}

export interface UploadInfo {
  readonly sizeBytes: number;
  /** Milliseconds since the epoch of the last change. */
  readonly changedAt: number;
}

/** Every id comes with the repository that the upload is for, which may decide where it lies; null where only the id is known. */
export interface UploadStore {
  /** @throws StorageFull; an error when the id was given before. */
  create(id: string, repository: string): Promise<void>;
  /** "busy" when another request holds it, null when there is none. */
  hold(id: string, repository: string | null): Promise<HeldUpload | "busy" | null>;
  /** For reading while somebody, in any process, holds it; null when there is none. */
  follow(id: string, repository: string): Promise<FollowedUpload | null>;
  stat(id: string, repository: string | null): Promise<UploadInfo | null>;
  /** All there are; their order means nothing. */
  ids(): Promise<string[]>;
  /** Of the disk where uploads grow, where content lies elsewhere. */
  room?(): Promise<Room>;
  /** Chunks that are shorter cost more than they need, but for the last one; 0 where they do not. */
  readonly chunkBytesMin?: number;
  /** Removes what this machine has of uploads that others went on with, or ended; returns how many. */
  removeStale?(): Promise<number>;
}

const fetchPrefix = "fetch.";

/** The id of an upload that comes from an upstream: it is no session of a client. */
export function fetchIdOf(name: string): string {
  return `${fetchPrefix}${name}`;
}

export function isFetch(id: string): boolean {
  return id.startsWith(fetchPrefix);
}

/** An upload would have grown beyond its limit. */
export class UploadTooLarge extends Error {
  override readonly name = "UploadTooLarge";
}

/** The upload's bytes are content already, which never changes: nothing can be added to them. */
export class UploadFinished extends Error {
  override readonly name = "UploadFinished";
}

/** Another holder has the upload by now, since this one was taken for dead: nothing of what it did counts. */
export class UploadTaken extends Error {
  override readonly name = "UploadTaken";

  constructor() {
    super("The upload was given to another holder: this one had said nothing for too long");
  }
}
