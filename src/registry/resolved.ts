/** What a reference turned out to mean, or why it means nothing. */
import type { Holding, ManifestRecord } from "../metadata/metadata.ts";

/** A manifest, and the repository where its bytes lie. */
export type ManifestHolding = ManifestRecord & Holding;

export type WhyAbsent =
  | "no-repository"
  /** The repository has no such thing, or is not there. */
  | "absent"
  /** A source has something of this repository and did not bring it in time. */
  | "being-read";

export type Resolved<T> = { readonly found: T } | { readonly found: null; readonly why: WhyAbsent };
