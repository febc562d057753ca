/**
 * The contract of a store of objects: what S3, Google Cloud Storage and Azure have in common.
 *
 * A key is chosen once, for ever: nothing is put under a key twice, moved or copied, so that no conditional request is
 * needed and a late delete harms nobody. Bytes that `put` or `completeParts` took are durable, and can be read at once.
 * Each call waits for silence only so long, repeats what may be repeated, and then throws `ObjectStoreUnavailable`;
 * what a person must mend (credentials, a bucket that is gone) throws `ObjectStoreRefused`. Only absence is `null`.
 */
import { StoreRefused, StoreUnavailable, type ContentRange } from "../blob_store.ts";

/** Bytes that can be sent again: at hand, or a slice of a file that nobody changes. */
export type ObjectBody = Uint8Array | Blob;

export interface ObjectParts {
  /** Names the unfinished object for its driver; at most 2,048 characters, and means nothing to anybody else. */
  readonly upload: string;
}

export interface StoredPart {
  /** From 1 on. */
  readonly number: number;
  /** What the driver needs to complete the object; at most 256 characters. */
  readonly tag: string;
}

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch, by the clock of the store. */
  readonly changedAt: number;
}

/** An object that was begun in parts, and is none yet. */
export interface UnfinishedParts extends ObjectParts {
  readonly key: string;
  /** Milliseconds since the epoch, by the clock of the store. */
  readonly startedAt: number;
}

/** What a store takes. All parts but the last have at least `partBytesMin`. */
export interface ObjectLimits {
  readonly putBytesMax: number;
  readonly partBytesMin: number;
  readonly partBytesMax: number;
  readonly partsMax: number;
}

export interface SignedUrl {
  /** How long it may be used. */
  readonly seconds: number;
  /** The `Content-Type` of the answer. */
  readonly contentType: string;
}

export interface ObjectStore {
  readonly limits: ObjectLimits;
  put(key: string, body: ObjectBody): Promise<void>;
  /** The bytes as they come; null where there is no such object. */
  get(key: string, range: ContentRange | null): Promise<ReadableStream<Uint8Array> | null>;
  /** How many bytes it has; null where there is no such object. */
  size(key: string): Promise<number | null>;
  /** Absent is fine. */
  remove(key: string): Promise<void>;
  startParts(key: string): Promise<ObjectParts>;
  /** A part that is sent again replaces the one of its number. */
  putPart(key: string, parts: ObjectParts, number: number, body: ObjectBody): Promise<StoredPart>;
  /** Makes the parts the object, in the order of their numbers; all that were put are given. */
  completeParts(key: string, parts: ObjectParts, stored: readonly StoredPart[]): Promise<void>;
  /** Forgets the parts. Absent is fine. */
  abortParts(key: string, parts: ObjectParts): Promise<void>;
  /** A page of the keys that begin with a prefix, in their order; `next` is null at the end. */
  list(
    prefix: string,
    after: string | null,
  ): Promise<{ readonly objects: readonly ListedObject[]; readonly next: string | null }>;
  /**
   * A page of what was begun in parts under keys with a prefix, and neither completed nor aborted; in no order, and what
   * the store forgets by itself may be left out. `after` is the `next` of the page before, null at the end.
   */
  unfinished(
    prefix: string,
    after: string | null,
  ): Promise<{ readonly parts: readonly UnfinishedParts[]; readonly next: string | null }>;
  /** Where a client may read the object without credentials; null where the store gives no such addresses. */
  sign(key: string, how: SignedUrl): Promise<string | null>;
  /** Tries all that is needed under keys of its own. @throws ObjectStoreRefused, ObjectStoreUnavailable: one line. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

/** The store does not answer, or says that it cannot now: the same call may succeed later. */
export class ObjectStoreUnavailable extends StoreUnavailable {
  override readonly name = "ObjectStoreUnavailable";
}

/** The store answers, and will not do it until a person changes something. One line, without secrets. */
export class ObjectStoreRefused extends StoreRefused {
  override readonly name = "ObjectStoreRefused";
}
