/**
 * The contract of a place whose images are looked at: a repository of any registry, a layout, or this server's own
 * store. Null is "it is not there".
 */
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";

export interface FoundManifest {
  /** Computed from the bytes. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface BlobName {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface ImageContent {
  /** What people call it, such as `docker://registry.example/app`. */
  readonly label: string;
  manifest(reference: string): Promise<FoundManifest | null>;
  /** The bytes of a blob: those of its digest, or the reading fails. Leaving the loop early ends it. */
  blob(name: BlobName): Promise<AsyncIterable<Uint8Array> | null>;
  /** What names a manifest as its subject. */
  referrers(digest: Digest): Promise<readonly Descriptor[]>;
}

/** Content that cannot be looked at. `message` is one line: what was expected, and what there is. */
export class InspectError extends Error {
  override readonly name = "InspectError";
}
