/**
 * What a store of objects holds for this registry: which keys there are, and what names them.
 *
 * A key is written down before its first byte, as `reserved`, and is never given again; some are reserved ahead, so that
 * a push waits for no commit before it sends its bytes. Names are as hard links are to a file: content of several
 * repositories may name one key, and so may what lies in quarantine, under no repository. With its last name a key
 * becomes `garbage` in the same commit; a job removes the object later, and its row after it. So every object has a row,
 * and a late delete harms nobody.
 *
 * A registry may have several stores of objects (`storage.subPaths`): a row says in which one its key lies, by the first
 * component of the names that lie there, and is empty for the main one.
 *
 * Small content that is read with the metadata, manifests, lies beside these rows as bytes, under a key that begins with
 * `inlinePrefix` and is no object's. It goes with its last name.
 */
import type { RecordStore } from "./records.ts";

/** `reserved` keys may have an object by now; those that are `writing` are sent in parts. */
export type ObjectState = "reserved" | "writing" | "content" | "garbage";

/** Keys of bytes that lie here. */
export const inlinePrefix = "inline/";

/** What names a key: content by its digest, or a name in quarantine, which has an empty repository. */
export interface ObjectName {
  readonly repository: string;
  readonly name: string;
}

export interface FoundObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** Which store it lies in. */
  readonly store: string;
}

/** With its bytes where they lie here. */
export interface FoundContent extends FoundObject {
  readonly bytes: Uint8Array | null;
}

/** An object that is to be removed from the store. */
export interface FreedObject {
  readonly key: string;
  /** Names parts that were sent and not completed; null where there are none. */
  readonly upload: string | null;
  /** When it became garbage, in milliseconds since the epoch. */
  readonly since: number;
}

/** A place in the order in which objects are removed. */
export type GarbagePlace = Pick<FreedObject, "since" | "key">;

export interface ObjectSums {
  readonly objects: number;
  readonly bytes: number;
}

/**
 * Single values: `registry` is the id that the bucket of the main store has, too; `id` stands for it where the main store is
 * a directory; and `store:team` says where the store of names below `team/` is, for messages.
 */
export type ObjectValue =
  | "registry"
  | "id"
  | `store:${string}`
  /** How often the metadata were restored; `registry.json` of the bucket has it, too. */
  | "restores"
  /** The last audit of the buckets, or the one that goes on (JSON). */
  | "audit"
  /** What somebody asked of the next audit (JSON). */
  | "audit asked"
  /** When the metadata were exported last (JSON). */
  | "export";

/** A key with all that is known of it. */
export interface KnownObject extends FoundObject {
  readonly state: ObjectState;
  readonly since: number;
  readonly upload: string | null;
}

export type ObjectChange =
  /** Keys, ahead of their first bytes. */
  | { readonly kind: "reserve"; readonly keys: readonly string[]; readonly store: string }
  /** It is still being written. */
  | { readonly kind: "renew"; readonly key: string }
  /** It is sent in parts. */
  | {
      readonly kind: "send-parts";
      readonly key: string;
      readonly upload: string;
      readonly sizeBytes: number;
    }
  /** Its bytes are there. Nothing where the key was given up meanwhile: who asked looks, or has a precondition. */
  | {
      readonly kind: "name";
      readonly key: string;
      readonly sizeBytes: number;
      readonly to: ObjectName;
    }
  /** Bytes that lie here, as base64: changes travel as text. Nothing where the name stands for the same ones. */
  | {
      readonly kind: "keep";
      readonly key: string;
      readonly base64: string;
      readonly store: string;
      readonly to: ObjectName;
    }
  /** One more name for what a name stands for. Nothing where there is none. */
  | { readonly kind: "share"; readonly from: ObjectName; readonly to: ObjectName }
  | { readonly kind: "unname"; readonly from: ObjectName }
  /** Nobody will name what was written. */
  | { readonly kind: "give-up"; readonly key: string }
  /** Keys that were being written belong to nobody: metadata of an earlier moment were put back. */
  | { readonly kind: "forget-writing" }
  /** Gives up what has been `reserved` or `writing` since before a moment. */
  | { readonly kind: "end-writing"; readonly before: number }
  /** An object that the store has and nothing knew of is content. Nothing where it is known by now. */
  | {
      readonly kind: "adopt";
      readonly key: string;
      readonly sizeBytes: number;
      readonly store: string;
      readonly to: ObjectName;
    }
  /** The store has no such object any more. */
  | { readonly kind: "removed"; readonly key: string }
  /** Sets a value that has not been set; who reads it afterwards finds what was first. */
  | { readonly kind: "settle"; readonly value: ObjectValue; readonly text: string }
  | { readonly kind: "set"; readonly value: ObjectValue; readonly text: string }
  | { readonly kind: "unset"; readonly value: ObjectValue };

export interface ObjectReads {
  find(name: ObjectName): Promise<FoundObject | null>;
  content(name: ObjectName): Promise<FoundContent | null>;
  /** Of one store, in the order of their names. */
  inQuarantine(
    store: string,
  ): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]>;
  /** Garbage of one store since before a moment, the oldest first, from behind a place on. */
  garbage(
    store: string,
    before: number,
    after: GarbagePlace | null,
    limit: number,
  ): Promise<readonly FreedObject[]>;
  /** Names of content from behind one on, in the order of repositories, and when each was given. */
  names(
    after: ObjectName,
    limit: number,
  ): Promise<readonly (ObjectName & { readonly since: number })[]>;
  /** What is being sent in parts, and what is to be removed. */
  sums(): Promise<{ readonly writing: ObjectSums; readonly garbage: ObjectSums }>;
  /** Keys of objects in their order, with what state they are in: to compare them with the store. */
  keys(after: string, limit: number): Promise<readonly KnownObject[]>;
  /** Those of one store. */
  keysOf(store: string, after: string, limit: number): Promise<readonly KnownObject[]>;
  key(key: string): Promise<KnownObject | null>;
  /** Some of the names of a key, those in quarantine first. */
  namesOf(key: string, limit: number): Promise<readonly ObjectName[]>;
  /** Whether somebody sends these parts. */
  isUnderWay(upload: string): Promise<boolean>;
  value(value: ObjectValue): Promise<string | null>;
  /** The stores beside the main one that this registry has had: component, and where it was. */
  stores(): Promise<readonly { readonly store: string; readonly place: string }[]>;
}

export const objects: RecordStore<ObjectChange, ObjectReads> = { name: "objects" };
