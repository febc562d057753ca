/** The rules' view of a root: bytes, and metadata for reading with commits that go to the committer. */
import { compileStores } from "../registry/retention/rules.ts";
import type { RegistryConfig } from "../config/schema.ts";
import type { Extension } from "../extensions/extension.ts";
import { extensions as product } from "../extensions/extensions.ts";
import { mirroredFrom } from "../extensions/open_extensions.ts";
import type { Clock } from "../lib/clock.ts";
import type { Committer } from "../metadata/metadata.ts";
import { Assured } from "../registry/collection/assured.ts";
import { RoomSeen } from "../registry/history/room_seen.ts";
import { ContentCache } from "../registry/content_cache.ts";
import { layoutSource } from "../registry/layout_source.ts";
import { undoSettings } from "../registry/history/undo_settings.ts";
import type { Registry, Report } from "../registry/registry.ts";
import { dedupesIn } from "../registry/store_settings.ts";
import { Uploads } from "../registry/uploads.ts";
import type { Stores } from "../storage/stores.ts";
import type { Root } from "./root.ts";

/** How a process uses the registry. */
export interface RegistryParties {
  readonly root: Root;
  readonly stores: Stores;
  readonly committer: Committer;
  readonly clock: Clock;
  readonly report: Report;
  /** The configuration in force; without it the one that it is opened with. */
  readonly inForce?: () => RegistryConfig;
  /** Without it those of the product. */
  readonly extensions?: readonly Extension[] | undefined;
  /** Remembers what was read of the metadata; without it each read is made anew. */
  readonly remembers?: boolean;
  /** Hears of lookups in what is remembered. */
  readonly lookup?: ((cache: "content" | "facts") => ((hit: boolean) => void) | undefined) | null;
}

export function openRegistry(config: RegistryConfig, parties: RegistryParties): Registry {
  const { root, stores, committer, clock, report, remembers = false, lookup } = parties;
  const { inForce = () => config, extensions = product } = parties;
  return {
    blobs: stores.blobs,
    layouts: stores.layouts,
    metadata: root.openMetadata({ committer, remembers, onLookup: lookup?.("facts") }),
    uploads: new Uploads(stores.uploads, clock),
    clock,
    contentCache: new ContentCache(lookup?.("content")),
    assured: new Assured(),
    sources: stores.layouts === null ? [] : [layoutSource],
    // A worker's extensions bring it.
    origin: null,
    mirroredFrom: (repository) => mirroredFrom(extensions, inForce(), repository),
    dedupes: dedupesIn(config.storage),
    // Settings of a worker say which may; nobody else is pushed to.
    mayBeSparse: () => false,
    undo: () => undoSettings(inForce().storage),
    roomSeen: new RoomSeen(),
    // Jobs are given the rules in force.
    retention: compileStores(config.storage),
    // Settings of a worker say what there is room for.
    quotas: null,
    pushChecks: [],
    report,
  };
}
