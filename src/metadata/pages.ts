/** Manifests as the metadata know them, and pages of lists. */
import type { Digest } from "../oci/digest.ts";

/** What the store knows of any content. */
export interface Recorded {
  readonly sizeBytes: number;
  /** Milliseconds since the epoch; absent while nothing is known to be wrong with it. */
  readonly damagedSince?: number;
}

/** A manifest as the store knows it. */
export interface ManifestRecord extends Recorded {
  readonly digest: Digest;
  readonly mediaType: string;
}

/** A row of the referrers list. */
export interface ReferrerRecord extends ManifestRecord {
  readonly artifactType: string | null;
  readonly annotations: string | null;
}

export interface Page {
  /** Only items after this one, by byte order; null starts at the beginning. */
  readonly after: string | null;
  readonly limit: number;
}

/** A page of a list whose entries are filtered or large. */
export interface ScanPage extends Page {
  /** Entries that are looked at, whether they are listed or not, so that a page costs the same whatever it finds. */
  readonly limit: number;
  /** Bytes of annotations that are read; a first entry is listed whatever it has. */
  readonly bytesMax: number;
}

export interface ReferrersPage {
  readonly records: readonly ReferrerRecord[];
  /** The last entry that was looked at; null when there are no more. */
  readonly next: string | null;
}
