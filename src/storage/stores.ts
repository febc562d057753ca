/**
 * The stores of an opened place for bytes: `filesystem/open_filesystem.ts`, `memory/open_memory.ts` and
 * `objects/open_objects.ts` open one.
 */
import type { Digest } from "../oci/digest.ts";
import type { BlobStore } from "./blob_store.ts";
import type { LayoutDirectory } from "./layout_directory.ts";
import type { UploadStore } from "./upload_store.ts";

export interface Stores {
  readonly blobs: BlobStore;
  readonly uploads: UploadStore;
  /** Null where repositories are no directories. */
  readonly layouts: LayoutDirectory | null;
  /** Null where bytes are gone with their last name. */
  readonly upkeep: StoreUpkeep | null;
  close(): Promise<void>;
}

/** What a store does beside requests, in one process at a time. */
export interface StoreUpkeep {
  /**
   * Removes bytes that nothing has named for `delayMs`, and what was begun and never finished; returns how many. What
   * cannot be removed now is tried again the next time.
   */
  removeFreed(delayMs: number, signal?: AbortSignal): Promise<number>;
  /** Of each store that can be compared with what is known of it. */
  readonly audits: readonly StoreAudit[];
}

/** Compares what lies in a store of objects with what is known of it, in steps that are done on their own. */
export interface StoreAudit {
  /** More where there is more to compare. */
  steps(): Promise<number>;
  /** One of so many, from 0 on. @throws also where the store is not the one of this registry. */
  step(step: { readonly number: number; readonly of: number }, hooks: AuditHooks): Promise<void>;
  /** When metadata of another moment took the place of what was known, by the clock of the store; null for never. */
  restoredAt(): Promise<number | null>;
  /** The digest of an object that nothing knows; null where it is gone. */
  hash(object: LyingObject, signal: AbortSignal): Promise<Digest | null>;
  /** Such an object becomes content of a repository; false where it is known by now. */
  adopt(object: LyingObject, repository: string, digest: Digest): Promise<boolean>;
  remove(object: LyingObject): Promise<void>;
}

export interface LyingObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch, by the clock of the store. */
  readonly changedAt: number;
}

/** Content whose object is gone, or has another length. */
export interface LostObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** Null for gone. */
  readonly foundBytes: number | null;
  /** What names it: a repository and a digest, or a name in quarantine with an empty repository. */
  readonly names: readonly { readonly repository: string; readonly name: string }[];
}

export interface AuditHooks {
  readonly signal: AbortSignal;
  /** What `restoredAt` gave: what was written before belongs to no push that goes on. */
  readonly restoredAt: number | null;
  /** Objects that lie where they should, some at a time. Rests. */
  onSound(objects: number, bytes: number): Promise<void>;
  onLost(lost: LostObject): Promise<void>;
  /** An object that nothing knows, old enough to be no part of a push. */
  onStray(stray: LyingObject): Promise<void>;
  /** Parts that nobody sends any more were removed. */
  onUnfinished(key: string): void;
}

/** Stores of bytes on this machine, or in this process. */
export interface LocalStores extends Stores {
  /** For metadata that decides about bytes under its own lock (`src/metadata/sql/bytes_under_lock.ts`). */
  readonly underLock: SynchronousBytes;
}

/** Bytes that can be looked at and removed without waiting, and so within a transaction of the same machine. */
export interface SynchronousBytes {
  present(repository: string, digest: Digest): boolean;
  /** Unflushed: what was removed and is back after a crash is removed again. */
  remove(repository: string, digest: Digest): void;
  /** The stamp of what lies there (`ContentStat`), whether it can be read or not; null for nothing. */
  stamp(repository: string, digest: Digest): string | null;
  /**
   * Moves what lies there with this stamp into quarantine, for a person to look at: under which name, or null where
   * something else lies. Equal names of one file become one. Unflushed, as `remove`; done again it finds it there.
   */
  quarantine(
    repository: string,
    digest: Digest,
    to: { readonly stamp: string; readonly name: string },
  ): string | null;
}
