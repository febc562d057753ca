/**
 * The contract of the place where content lies: bytes under a digest in a repository.
 *
 * Content never changes, except through `put` and `share`, which replace a damaged copy in one step. Permissions and
 * references are in the metadata; the store only has the bytes. With flushing on, a name made by `put` or `share`
 * survives power loss once the promise resolves, and a name never stands for incomplete bytes. Only absent content is
 * `null` or `false`: any other trouble throws. A full store throws `StorageFull`.
 *
 * Nothing here is a path, a link or a lock: the bytes may lie in files, in memory, or behind a network.
 */
import type { Digest } from "../oci/digest.ts";

/** Inclusive byte positions. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
}

export interface ContentStat {
  readonly sizeBytes: number;
  /** Tells the stored bytes from any others: equal for copies that are stored once, another after a replacement. */
  readonly stamp: string;
}

/** What lies in the place of content, whether it can be read or not. */
export interface ContentLook extends ContentStat {
  /** False for a directory, or anything else that has no bytes. */
  readonly isFile: boolean;
}

/** Content that is hashed slice by slice, as it lies. `close` it in any case. */
export interface ContentCheck {
  /** Reads and hashes the next slice: of how many bytes, and at the end, after none, the digest of all. @throws. */
  next(bytesMax: number): Promise<{ readonly bytes: number; readonly digest: Digest | null }>;
  close(): void;
}

/** What opening content gives; `src/api/send_content.ts` turns each kind into an answer. */
export type OpenContent =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** Opened when it is read: the runtime sends a file without a copy in our code. */
  | { readonly kind: "blob"; readonly blob: Blob }
  | {
      readonly kind: "stream";
      readonly stream: ReadableStream<Uint8Array>;
      /** Where they come without delay. */
      readonly sizeBytes?: number;
    }
  /** The client fetches the bytes there, by the same range. */
  | { readonly kind: "redirect"; readonly location: string };

/** How content is opened. */
export interface OpenHow {
  /** The client may be sent elsewhere for it; without it the bytes are given. */
  readonly mayRedirect?: boolean;
}

/** How bytes become content. */
export interface PutHow {
  /** The caller names them by a commit of its own, where the store can wait for that (`UnnamedBytes`). */
  readonly mayBeUnnamed?: boolean;
  /** They are a manifest: a store may keep it where the metadata are. */
  readonly isManifest?: boolean;
}

/** Records beside the metadata (`RecordCommit` in `src/metadata/records.ts`), which only the store understands. */
export interface NamingRecords {
  readonly records: string;
  readonly changes: readonly { readonly kind: string; readonly [member: string]: unknown }[];
}

/**
 * Bytes that are safe in the store, and are nobody's content yet: the commit of the metadata that names their digest gives
 * them their name as well, so that both happen together and are flushed once.
 */
export interface UnnamedBytes {
  /** What that commit writes beside its changes. */
  readonly naming: NamingRecords;
  /** A key that must not have been given up by then (`key-reserved`); null where the commit itself carries the bytes. */
  readonly key: string | null;
  /** Nobody will name them. Nothing where somebody did. */
  giveUp(): Promise<void>;
}

/** Bytes to compare: of a length, given in parts, each good until the next one is asked for. */
export interface ComparedBytes {
  readonly sizeBytes: number;
  parts(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface ShareRequest {
  /** A repository that has the content. The same as `to`: the content that is there is made as durable as our own. */
  readonly from: string;
  readonly to: string;
  /** Where the store cannot keep the content once for both, give `to` bytes of its own. */
  readonly mayCopy: boolean;
  /** Content that lies in another store and is larger is not copied; without it any is. */
  readonly copiedBytesMax?: number;
}

/** Damaged content in quarantine, or whatever lay in its place. */
export interface KeptFile {
  /** Begins with the digest that it should have had. */
  readonly name: string;
  /** 0 for a directory. */
  readonly sizeBytes: number;
}

export interface Room {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** A place that fills up apart from others. */
export interface Disk {
  /** A repository that lies there, for `room`; null for the place of all that has none of its own. */
  readonly example: string | null;
  readonly has: (repository: string) => boolean;
}

/** Of a store whose content lies in one place. */
export const oneDisk: readonly Disk[] = [{ example: null, has: () => true }];

export interface BlobStore {
  /** Bytes under a digest. Asked ahead of every answer, so it is cheap. */
  size(repository: string, digest: Digest): Promise<number | null>;
  stat(repository: string, digest: Digest): Promise<ContentStat | null>;
  /** The caller knows that the content is there. @throws ContentGone, or as reading a file does, where it is not. */
  open(
    repository: string,
    digest: Digest,
    range: ContentRange | null,
    how?: OpenHow,
  ): Promise<OpenContent>;
  /** All bytes, at most `bytesMax` (more is an error). */
  read(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null>;
  /**
   * Puts verified bytes under their digest, in place of content that stands there; or gives what the caller has to commit
   * for that, where it said that it would. @throws StorageFull.
   */
  put(
    repository: string,
    digest: Digest,
    bytes: Uint8Array,
    how?: PutHow,
  ): Promise<UnnamedBytes | null>;
  /**
   * Shares the content of one repository with another, in place of content that stands there; false when it cannot. A
   * copy that has to be made is only made of the right bytes.
   */
  share(digest: Digest, request: ShareRequest): Promise<boolean>;
  /**
   * Whether the content is byte for byte what is given, verified bytes of the digest: read back from where it lies,
   * unless nothing but verified bytes gets there, and nobody can change them.
   */
  compare(
    repository: string,
    digest: Digest,
    bytes: ComparedBytes,
  ): Promise<"equal" | "different" | "absent">;
  remove(repository: string, digest: Digest): Promise<boolean>;
  /** As `stat`, of whatever lies there; null for nothing. */
  lookAt(repository: string, digest: Digest): Promise<ContentLook | null>;
  /** Hashes content beside the work of this process, and takes no room in the cache from what others read. */
  check(repository: string, digest: Digest): ContentCheck;
  /** Gives a repository a copy of what is in quarantine under a name, if that is the content; false when it is not. */
  copyBack(name: string, repository: string, digest: Digest): Promise<boolean>;
  /** What is in quarantine, in the order of the names. */
  kept(): Promise<readonly KeptFile[]>;
  /** Removes it from quarantine for good; false when nothing has the name. */
  removeKept(name: string): Promise<boolean>;
  /** Removes what interrupted writes left behind and is older than `ageMs`; returns how many. */
  removeLeftovers(ageMs: number): Promise<number>;
  /** Where content lies that fills up apart from other content; the first has all that has no place of its own. */
  readonly disks: readonly Disk[];
  /**
   * How much may be stored where a repository lies, and how much of that is free for this server; null where nobody knows
   * a limit. The repository is null as in `Disk`.
   */
  room(repository: string | null): Promise<Room | null>;
  /** Writes a little as any content is written, and removes it. @throws what fails. */
  probe(): Promise<void>;
}

/** Content that has a name, and whose bytes the store does not have. */
export class ContentGone extends Error {
  override readonly name = "ContentGone";

  /** Of what should lie there, where the store knows it by other means than a look. */
  readonly stamp: string | null;

  constructor(repository: string, digest: Digest, stamp: string | null = null) {
    super(`storage: ${digest} of ${repository} is gone`);
    this.stamp = stamp;
  }
}

/** What holds the content does not answer, or says that it cannot now: the same call may succeed later. */
export class StoreUnavailable extends Error {
  override readonly name: string = "StoreUnavailable";
}

/** What holds the content answers, and will not do it until a person changes something. One line, without secrets. */
export class StoreRefused extends Error {
  override readonly name: string = "StoreRefused";
}

/** No room: what was being written is gone, what stood before is untouched. */
export class StorageFull extends Error {
  override readonly name = "StorageFull";
}
