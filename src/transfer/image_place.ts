/**
 * The contract of a place that has images: one repository of a registry, an OCI layout in a directory, or one in a tar
 * archive. A source is read, a target is written; content has the same bytes and digests in all of them.
 *
 * A reference is a tag, a name (layouts may have full names) or a digest. Null is "it is not there"; whatever else goes
 * wrong is thrown, as a `TransferError` where a person can do something about it.
 */
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";

export interface PlacedManifest {
  /** Computed from the bytes. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** A blob that is read from a place. */
export interface OpenBlob {
  /** Where `body` begins: 0 where the place sends only the whole. */
  readonly fromByte: number;
  /** Leaving the loop early ends the reading. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** The bytes of a blob on their way to a target, proven as they pass: the last ones come when all are right. */
export interface ProvenContent extends NamedBlob {
  /** The bytes from there on. What comes before them is proven with them. */
  from(fromByte: number): AsyncIterable<Uint8Array>;
  /** What is missing behind bytes that are there already; those are proven as well. */
  after(held: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Why the last reading ended before its end: what reads it may wrap that in errors of its own. */
  readonly failure: unknown;
}

export interface ImageSource {
  /** What people call it, such as `docker://registry.example/app`. */
  readonly label: string;
  /** Digest of what a reference names; null when it is absent. */
  head(reference: string): Promise<string | null>;
  manifest(reference: string): Promise<PlacedManifest | null>;
  blob(digest: Digest, options: ReadOptions): Promise<OpenBlob | null>;
  /** Every tag or name, up to `tagsMax`. */
  tags(): Promise<readonly string[]>;
  /** The only image of a place, where none has a name; null when there are several, or none. */
  only(): Promise<Digest | null>;
  /** What names this manifest as its subject; empty when nothing does, or the place does not know. */
  referrers(digest: Digest): Promise<readonly Descriptor[]>;
  close(): Promise<void>;
}

export interface ReadOptions {
  readonly fromByte: number;
  readonly signal: AbortSignal;
}

/** How a blob came to a target. */
export type Placed = "sent" | "mounted";

export interface ImageTarget {
  readonly label: string;
  /** Whether a manifest that is there has all that it names, without a look. */
  readonly isWhole: boolean;
  /** How many blobs may be written at once. */
  readonly parallelMax: number;
  /** Digest that a tag names; null when there is no such tag. */
  tagDigest(tag: string): Promise<string | null>;
  hasManifest(digest: Digest): Promise<boolean>;
  /** What `hasManifest` says is there. */
  manifest(digest: Digest): Promise<PlacedManifest | null>;
  /**
   * Whether a blob is there with these bytes. `isNamed`: a manifest that is there names it, so that it was proven when
   * that was written.
   */
  hasBlob(blob: NamedBlob, isNamed: boolean): Promise<boolean>;
  /** Puts a blob whose bytes `content` proves; nothing is there under its digest before that. */
  putBlob(content: ProvenContent): Promise<Placed>;
  /** Everything that it names is there. */
  putManifest(manifest: PlacedManifest, as: ManifestPlace): Promise<void>;
  /** Makes all that was put durable and visible. */
  finish(): Promise<void>;
  /** Leaves no trace but what a later run goes on with. Also after `finish`. */
  close(): Promise<void>;
}

/** How a manifest is reached in its target. */
export interface ManifestPlace {
  /** Null for one that is reached by its digest alone. */
  readonly tag: string | null;
  /** Whether nothing else names it: a layout then lists it. */
  readonly isListed: boolean;
}

export interface NamedBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Tags of one repository; more are refused. */
export const tagsMax = 100_000;

/** Content could not be moved. `message` is one line: the place, what happened, what to do. */
export class TransferError extends Error {
  override readonly name: string = "TransferError";
  /** Whether another attempt may help. */
  readonly isPassing: boolean;
  /** How long the place wants to be left alone. */
  readonly retryAfterMs: number | null;

  constructor(
    message: string,
    options: { isPassing?: boolean; retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.isPassing = options.isPassing ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** The bytes are not those of the digest. */
export class WrongBytes extends TransferError {
  override readonly name = "WrongBytes";
}
