/**
 * The contract between the registry and the place where bytes lie. Drivers live in `drivers/`.
 *
 * A key is a path of segments joined by `/`, made by `layout.ts` from validated names only. Content
 * under a key is immutable once published, except through `replace`. A stage is the growing
 * content of one upload; it has an id instead of a key, nobody can read it as content, and one
 * holder at a time may change it, across processes.
 *
 * Promises of every driver: with `durable`, whatever a method published or replaced survives
 * power loss once its promise resolves; a name never points at bytes that are incomplete or unflushed;
 * absent is `null` (and only absence is: any other trouble throws). A full disk throws `StorageFull`.
 * Undefined: the order of `list`; content changed by other programs while it is read.
 */
import type { Algorithm, Digest } from "../oci/digest.ts";

/** Bytes on their way in: a request whose body is taken natively, or bytes at hand. */
export interface ByteSource {
  readonly body: Request | Uint8Array;
  /** Announced length; null when the sender streams without one. */
  readonly lengthBytes: number | null;
}

export interface AppendOptions {
  /** The stage may not grow beyond this many bytes; null for no limit. */
  readonly stageBytesMax: number | null;
  /** Called when no byte came for `idleMs`; it should cut the sender off. */
  readonly onIdle: () => void;
  readonly idleMs: number;
}

export interface AppendResult {
  readonly appendedBytes: number;
  /** Set when the source broke off: a first part of what it sent is kept, and counted above. */
  readonly brokenOff: boolean;
}

export interface ContentStat {
  readonly sizeBytes: number;
  /** Changes whenever the content under the key is replaced. */
  readonly stamp: string;
  /** Milliseconds since the epoch of the last change. */
  readonly changedAt: number;
}

/** What lies under a key at this moment. Other tools put what they like into a layout. */
export type Lying = "file" | "link" | "other";

/** Bytes at hand, or as they come. */
export type Bytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Inclusive byte positions. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
}

/** The exclusively held bytes of one upload. Always `close` it. */
export interface Stage {
  /** Bytes held now. */
  readonly sizeBytes: number;
  /** The bytes are content by now, which never changes: the stage can only be published again or discarded. */
  readonly published: boolean;
  /**
   * Takes the source once, in order, at the end of the stage. A published stage takes only what it ends with already:
   * the body of a request that is repeated, since its answer was an error or got lost.
   * @throws StorageFull, StageTooLarge; the bytes of this call are then gone again. StagePublished.
   */
  append(source: ByteSource, options: AppendOptions): Promise<AppendResult>;
  /** Forgets bytes after `sizeBytes`, which must be a size the stage had when it was opened or after an append. */
  truncate(sizeBytes: number): Promise<void>;
  /** The digest of all bytes held, read back from where they lie. */
  digest(algorithm: Algorithm): Promise<Digest>;
  /** Whether the content of `key` is byte for byte what this stage holds, read back from where both lie. */
  compare(key: string): Promise<"equal" | "different" | "absent">;
  /**
   * Flushes the bytes and makes them the content of `key`, in place of whatever stood there, which may be damaged.
   * The stage is kept, to publish again or to discard, and takes no more bytes. Bytes that cannot be
   * flushed are lost: the stage is then gone.
   */
  publish(key: string): Promise<void>;
  /** Removes the stage. */
  discard(): Promise<void>;
  close(): Promise<void>;
}

export interface StageInfo {
  readonly id: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch of the last change. */
  readonly changedAt: number;
}

export interface Driver {
  stat(key: string): Promise<ContentStat | null>;
  /** The size alone, at once: for the hot path, and for the check under the metadata writer's lock. */
  sizeNow(key: string): number | null;
  /** Content for an answer body, opened again when it is sent. @throws what opening it throws now. */
  content(key: string, range: ContentRange | null): Blob;
  /** All bytes under the key, at most `bytesMax` (more is an error). */
  read(key: string, bytesMax: number): Promise<Uint8Array | null>;
  /** As `read`, at once: for small content on the hot path. */
  readNow(key: string): Uint8Array | null;
  /**
   * Puts bytes under a key in one step, whatever was there before.
   * `planned` is awaited with the stamp that the new content will have, before it can be seen.
   */
  replace(key: string, bytes: Bytes, planned?: (stamp: string) => Promise<void>): Promise<string>;
  /**
   * Makes `to` the same content as `from` without copying, in place of whatever stood there; false when `from` is
   * absent or the file system refuses to share it. The content is flushed first, whoever wrote it.
   */
  link(from: string, to: string): Promise<boolean>;
  /** As `link`, with bytes of its own; false when `from` is absent. */
  copy(from: string, to: string): Promise<boolean>;
  /** Makes content that somebody else put under a key as durable as one's own; false when it is absent. */
  flush(key: string): Promise<boolean>;
  /** As `flush`, for many keys at once. What is absent is passed over. */
  flushAll(keys: readonly string[]): Promise<void>;
  /** As `stat`, at once, with what it is: for content that somebody else put there. */
  lookNow(key: string): (ContentStat & { readonly lying: Lying }) | null;
  /** As `replace`, where nothing is; false when something is there. */
  create(key: string, bytes: Uint8Array): Promise<boolean>;
  /** Moves whatever is under a key, readable or not; false when it is absent. */
  move(from: string, to: string): Promise<boolean>;
  remove(key: string): Promise<boolean>;
  /** As `remove`, at once and unflushed: for the sweep under the metadata writer's lock. */
  removeNow(key: string): void;
  /** Names of all that lies directly under a key, which may be many; empty when it is absent. */
  names(key: string): Promise<string[]>;
  /** As `names`, with what is a directory. */
  list(key: string): Promise<{ name: string; directory: boolean }[]>;

  /** For whoever is about to put something new. @throws StorageFull while what is left is kept for deletes. */
  requireRoom(): void;
  createStage(id: string): Promise<void>;
  /** "busy" when another request holds it, null when there is none. */
  openStage(id: string): Promise<Stage | "busy" | null>;
  statStage(id: string): Promise<StageInfo | null>;
  stages(): AsyncIterable<StageInfo>;
  /** Removes leftovers of interrupted writes that are older than `ageMs`. */
  sweepTemporary(ageMs: number): Promise<number>;
  /** Writes a small file as any other is written, and removes it. @throws what fails. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

/** Space that is kept for deletes, and for what has to be written before their bytes can go. */
export interface Reserve {
  /** Whether all of it is kept; takes what is missing where it can. */
  fill(): boolean;
  /** Gives its space to whoever needs it now; false when there is none to give. */
  release(): boolean;
  /** Whether there is room beside it, on the disk and within the quota. */
  hasRoom(): boolean;
  /** An `index.json` of this size is written: one like it must fit as well when the disk is full. */
  coverIndex(sizeBytes: number): void;
}

/** No room: what was being written is gone, what stood before is untouched. */
export class StorageFull extends Error {
  override readonly name = "StorageFull";
}

/** A stage would have grown beyond its limit. */
export class StageTooLarge extends Error {
  override readonly name = "StageTooLarge";
}

/** The stage's bytes are content already, which never changes: nothing can be added to them. */
export class StagePublished extends Error {
  override readonly name = "StagePublished";
}
