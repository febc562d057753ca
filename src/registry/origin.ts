/**
 * The contract of the upstreams behind a mirror: how a pull of what is not here, or may be out of date, gets it.
 *
 * `resolve.ts` asks an origin for pulls alone; deletes, pushes and background work see what is here. Each repository
 * has one upstream for as long as it holds anything (`src/metadata/mirrors.ts`). What an origin gives is verified, and
 * in the metadata before it is answered; a blob may still be on its way (`ArrivingBlob`).
 */
import type { Holding } from "../metadata/metadata.ts";
import type { RecordCommit } from "../metadata/records.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { LocatedName, LocateName } from "../oci/located_name.ts";
import type { Reference } from "../oci/reference.ts";
import type { ContentRange, OpenContent } from "../storage/blob_store.ts";
import type { ManifestHolding, Resolved } from "./resolved.ts";

/** How far an answer can be relied on; for the headers of the answer. */
export interface Provenance {
  /**
   * `hit`: from here, without a question. `fresh`: from here, the upstream was asked and has the same. `stale`: from
   * here, the upstream could not be asked. `miss`: fetched for this request.
   */
  readonly cache: "hit" | "fresh" | "stale" | "miss";
  /** Seconds since the upstream last said so; null where that does not matter. */
  readonly ageS: number | null;
  /** What a person should know of it, in words. */
  readonly warning: string | null;
}

/** A pull that was answered by the repository or its upstream; without `provenance` no upstream is concerned. */
export type Pulled<T> = Resolved<T> & { readonly provenance?: Provenance };

/** A blob of which not all is here yet. */
export interface ArrivingBlob {
  readonly digest: Digest;
  /** As the manifest says that names it. */
  readonly sizeBytes: number;
  /** The repository takes pushes, too: who pushes needs to know that it is not here. */
  readonly takesPushes: boolean;
  /**
   * Its bytes as they come. The last ones come when the digest of all was verified; where it is wrong the stream fails.
   * Resolves once the first byte is known to come. @throws an API error where it does not.
   */
  open(range: ContentRange | null): Promise<OpenContent>;
}

export type PulledBlob =
  | (Pulled<Holding> & { readonly arriving?: undefined })
  | { readonly arriving: ArrivingBlob; readonly provenance: Provenance };

/** What a name stands for in a pull. */
export interface Place extends Pick<LocatedName, "repository" | "from"> {
  /** Mirrors that the request came through. */
  readonly hops: number;
}

/** What an upstream lists beside what is here. */
export interface UpstreamList<T> {
  readonly items: readonly T[];
  readonly warning: string | null;
}

export interface Origin {
  readonly locate: LocateName;
  /** @throws an API error where the upstream cannot be asked and nothing is here. */
  manifest(place: Place, reference: Reference): Promise<Pulled<ManifestHolding>>;
  blob(place: Place, digest: Digest): Promise<PulledBlob>;
  /** Of content that the metadata have and the disk has lost; null where no upstream is concerned. */
  lost(content: Holding): Promise<PulledBlob | null>;
  /** All tags of the upstream in byte order; null where it is not asked. */
  tags(place: Place): Promise<UpstreamList<string> | null>;
  /** Referrers that the upstream lists; null where it is not asked. */
  referrers(place: Place, subject: string): Promise<UpstreamList<Descriptor> | null>;
  /** What is to be recorded with a push of a manifest, which is the repository's own from then on, as these tags are. */
  pushed(repository: string, digest: string, tags: readonly string[]): readonly RecordCommit[];
  /** What is to be recorded with a delete of a tag or manifest, so that it does not come back at once. */
  deleted(repository: string, reference: string): readonly RecordCommit[];
}
