/**
 * The contract of what is written down about upload sessions whose bytes are in a store of objects, so that any replica
 * goes on with them.
 *
 * A session has parts of an unfinished object, in order, and behind them a tail: an object of its own. One holder at a
 * time changes it, for as long as it renews that; each change says who makes it, and does nothing once another one holds
 * the session. Changes are durable when their promise resolves, and happen all together or not at all.
 */
import type { Algorithm, Digest } from "../oci/digest.ts";
import type { NamingRecords } from "./blob_store.ts";
import type { NamedObject, ObjectName } from "./object_records.ts";

/** A part of the unfinished object, from number 1 on, without gaps. */
export interface SessionPart {
  readonly number: number;
  /** What the driver needs to complete the object. */
  readonly tag: string;
  readonly sizeBytes: number;
}

/** An object on its way: where it is to lie, and what names its parts for the driver; null before they were begun. */
export interface SessionParts {
  readonly key: string;
  readonly upload: string | null;
  readonly stored: readonly SessionPart[];
}

/** The finished digest of the bytes so far, where it is known. */
export type SessionDigests = Readonly<Record<Algorithm, Digest | null>>;

export interface UploadSession {
  readonly sizeBytes: number;
  readonly digests: SessionDigests;
  /** A file that has all bytes, on the machine of whoever wrote last; null where none has. */
  readonly file: string | null;
  /** The tail is all of it, and is content by now. */
  readonly isFinished: boolean;
  readonly parts: SessionParts | null;
  /** Has what comes behind the parts, and perhaps more, which does not count. */
  readonly tail: NamedObject | null;
}

/** What a holder changes. What is left out stays. */
export interface SessionChange {
  readonly sizeBytes: number;
  readonly digests: SessionDigests;
  readonly file: string | null;
  /** Parts that came, in order; null forgets all of them. */
  readonly newParts?: readonly SessionPart[] | null;
  /** The tail, whose bytes are there; null for none. What was the tail before becomes garbage. */
  readonly tail?: NamedObject | null;
  /** Makes the tail, which is all of it, content of this name. */
  readonly content?: ObjectName;
  /** Nobody holds it afterwards. */
  readonly release: boolean;
}

export interface SessionInfo {
  readonly sizeBytes: number;
  /** By the clock of the database, as milliseconds since the epoch. */
  readonly changedAt: number;
  readonly file: string | null;
}

export interface UploadSessions {
  /** @throws an error when the id was given before. */
  create(id: string, repository: string): Promise<void>;
  /** "busy" while another one holds it, null when there is none. */
  take(id: string, holder: string): Promise<UploadSession | "busy" | null>;
  /** False when it is held by another one, or is gone. */
  renew(id: string, holder: string): Promise<boolean>;
  /** The key of an object that is to be sent in parts; parts of before are forgotten. */
  beginParts(id: string, holder: string, key: string): Promise<boolean>;
  /**
   * What names its bytes and ends it, for a commit of the metadata, which fails when another one holds it.
   */
  ending(id: string, holder: string, object: NamedObject, name: ObjectName): NamingRecords;
  /** False when it is held by another one, or is gone: nothing was changed. */
  change(id: string, holder: string, change: SessionChange): Promise<boolean>;
  release(id: string, holder: string): Promise<void>;
  /** Removes it; what is in the store becomes garbage, but for content. */
  discard(id: string, holder: string): Promise<void>;
  find(id: string): Promise<SessionInfo | null>;
  ids(): Promise<string[]>;
}
