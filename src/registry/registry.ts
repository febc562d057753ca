/**
 * What every operation of the registry works with: bytes, metadata, uploads and the clock.
 *
 * The operations are functions beside this file, one file each, and take a `Registry` first. They know no HTTP and no
 * callers: permissions are checked before they run.
 */
import type { Clock } from "../lib/clock.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { BlobStore } from "../storage/blob_store.ts";
import type { LayoutDirectory } from "../storage/layout_directory.ts";
import type { Assured } from "./collection/assured.ts";
import type { ContentCache } from "./content_cache.ts";
import type { RoomSeen } from "./history/room_seen.ts";
import type { Origin } from "./origin.ts";
import type { UndoSettings } from "./history/undo_settings.ts";
import type { PushCheck } from "./push_check.ts";
import type { RetentionRules } from "./retention/rules.ts";
import type { Uploads } from "./uploads.ts";
import type { QuotaGuard } from "./usage/quota_guard.ts";

export interface Registry {
  readonly blobs: BlobStore;
  /** Repositories as layouts on disk; null where there are none: then nothing is projected or read in. */
  readonly layouts: LayoutDirectory | null;
  readonly metadata: Metadata;
  readonly uploads: Uploads;
  readonly clock: Clock;
  readonly contentCache: ContentCache;
  /** Of what pushers were told: what need not be asked about again yet. */
  readonly assured: Assured;
  /** Where content may come from that the metadata do not know; asked in order (`resolve.ts`). */
  readonly sources: readonly Source[];
  /** The upstreams behind a mirror; null where there is none. */
  readonly origin: Origin | null;
  /** Hosts of the upstreams that the configuration mirrors under a repository's name. */
  readonly mirroredFrom: (repository: string) => readonly string[];
  /** Whether equal blobs of two repositories are kept as one file (`storage.dedupe`). */
  readonly dedupes: (one: string, other: string) => boolean;
  /** Whether a repository takes an index though manifests that it names are not there (`storage.sparseIndexes`). */
  readonly mayBeSparse: (repository: string) => boolean;
  /** What is kept for an undo, by the configuration in force. */
  readonly undo: () => UndoSettings;
  /** Of the disk, by this process. */
  readonly roomSeen: RoomSeen;
  /** What stays, and which tags no push moves (`storage.retention`). */
  readonly retention: RetentionRules;
  /** Has room for what is pushed, or not (`storage.quotas`); null where there are no quotas. */
  readonly quotas: QuotaGuard | null;
  /** Rules of extensions that pushed manifests must keep; a worker's extensions bring them. */
  readonly pushChecks: readonly PushCheck[];
  /** Logs what the operator should know and no answer tells. */
  readonly report: Report;
}

/** Brings what it has of a repository into the metadata, for a request that missed something there. */
export type Source = (registry: Registry, repository: string) => Promise<Brought>;

/** "brought": it is worth looking again. "later": there is something, and it did not come in time. */
export type Brought = "nothing" | "brought" | "later";

/** A registry whose repositories are layouts on disk. */
export type LayoutRegistry = Registry & { readonly layouts: LayoutDirectory };

export function hasLayouts(registry: Registry): registry is LayoutRegistry {
  return registry.layouts !== null;
}

/** A line for the operator about work that no request asked for. */
export type Report = (level: "info" | "warn" | "error", message: string, fields?: object) => void;
