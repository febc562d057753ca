/**
 * The contract of what is written down about the objects of a store: which keys there are, and what names them.
 *
 * Each change is durable when its promise resolves, and a read sees every change that was acknowledged before it began,
 * in any process. What a name stands for changes in one step. A key is written down before its first byte; a key that
 * nothing names any more, or that was given up, is garbage in the same step, and can never be named again. Small content
 * may be kept here itself.
 */
import type { NamingRecords } from "./blob_store.ts";

/** Content of a repository by its digest; or a name in quarantine, with an empty repository. */
export interface ObjectName {
  readonly repository: string;
  readonly name: string;
}

export interface NamedObject {
  readonly key: string;
  readonly sizeBytes: number;
}

/** What a name stands for, with its bytes where they are kept here. */
export interface NamedContent extends NamedObject {
  readonly bytes: Uint8Array | null;
}

/** An object that is to be removed, with what names its parts where they are not complete. */
export interface FreedObject {
  readonly key: string;
  readonly upload: string | null;
  /** When it became garbage, in milliseconds since the epoch. */
  readonly since: number;
}

/** A place in the order in which objects are removed. */
export type GarbagePlace = Pick<FreedObject, "since" | "key">;

export interface KnownObject extends NamedObject {
  /** False while it is written, and once it is to be removed. */
  readonly isContent: boolean;
}

export interface ObjectRecords {
  find(name: ObjectName): Promise<NamedObject | null>;
  content(name: ObjectName): Promise<NamedContent | null>;
  /** New keys, ahead of their first bytes. */
  reserve(keys: readonly string[]): Promise<void>;
  /** It is still being written. */
  renew(key: string): Promise<void>;
  /** It is sent in parts. */
  sendParts(
    key: string,
    parts: { readonly upload: string; readonly sizeBytes: number },
  ): Promise<void>;
  /** The bytes of a key are there, under this name; false when it was given up meanwhile. */
  name(object: NamedObject, name: ObjectName): Promise<boolean>;
  /** The same, for a commit of the metadata, which asks first whether the key was given up. */
  naming(object: NamedObject, name: ObjectName): NamingRecords;
  /** Keeps the bytes themselves, under this name. */
  keep(bytes: Uint8Array, name: ObjectName): Promise<void>;
  keeping(bytes: Uint8Array, name: ObjectName): NamingRecords;
  /** One more name for what a name stands for; false where there is none. */
  share(from: ObjectName, to: ObjectName): Promise<boolean>;
  /** False when nothing had the name. */
  unname(name: ObjectName): Promise<boolean>;
  /** Nobody will name what was written. */
  giveUp(key: string): Promise<void>;
  /** In the order of their names. */
  inQuarantine(): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]>;
  /** Gives up what has been reserved or written since before a moment, in milliseconds since the epoch. */
  endWriting(before: number): Promise<void>;
  /** Garbage since before a moment, the oldest first, from behind a place on. */
  garbage(
    before: number,
    after: GarbagePlace | null,
    limit: number,
  ): Promise<readonly FreedObject[]>;
  /** Keys that are known, in their order. */
  keys(after: string, limit: number): Promise<readonly KnownObject[]>;
  key(key: string): Promise<KnownObject | null>;
  /** Some of the names of a key, those in quarantine first. */
  namesOf(key: string, limit: number): Promise<readonly ObjectName[]>;
  /** Whether somebody sends these parts. */
  isUnderWay(upload: string): Promise<boolean>;
  /** An object that the store has and nothing knew of gets a name; false where its key is known by now. */
  adopt(object: NamedObject, name: ObjectName): Promise<boolean>;
  /** The store has no such object any more. */
  removed(keys: readonly string[]): Promise<void>;
}
