/**
 * `zot gc`: collection of a root directory that no server serves, all at once.
 *
 * It is the collection of a running server, on the same metadata, with a delay of nothing unless one is asked for. A
 * dry run is the real run on a copy of the metadata, with files that stay (`copied_root.ts`).
 */
import type { Config, RegistryConfig } from "../config/schema.ts";
import { systemClock, type Clock } from "../lib/clock.ts";
import { layoutStates } from "../metadata/layout_states.ts";
import { recordCommit } from "../metadata/records.ts";
import { Collector } from "../registry/collection/collector.ts";
import { LayoutProjector } from "../registry/layout_projector.ts";
import { hasLayouts, type Registry, type Report } from "../registry/registry.ts";
import { sweepOrphans } from "../registry/sweep_orphans.ts";
import { openCopy, openPlace } from "./open_place.ts";
import { openRegistry } from "./open_registry.ts";
import type { Root } from "./root.ts";

export interface OfflineLine {
  readonly what: "delete" | "keep";
  readonly repository: string;
  /** A tag or a digest; empty for the repository itself. */
  readonly reference: string;
  readonly sizeBytes: number;
  readonly reason: string;
}

export interface OfflineTotals {
  readonly manifests: number;
  readonly blobs: number;
  readonly uploads: number;
  readonly sizeBytes: number;
  /** What could not be looked at. */
  readonly failed: number;
}

export interface OfflineOptions {
  readonly deleteUntagged: boolean;
  readonly dryRun: boolean;
  /** What lost its last name later stays. */
  readonly olderThanMs: number;
  readonly line: (line: OfflineLine) => void;
  /** Hears what could not be looked at. */
  readonly problem: (text: string) => void;
}

/** An upload that nobody continued for so long goes. */
const uploadIdleMs = 24 * 60 * 60_000;
/** A repository may wait so long for the sweep of its last bytes. */
const roundMs = 3_000;
/** Rounds end when nothing more goes; a repository goes two rounds after its last manifest. */
const roundsMin = 3;

/** @throws Error with one line for the operator: who has the root, or why it cannot be opened. */
export async function collectOffline(
  config: Config,
  options: OfflineOptions,
): Promise<OfflineTotals> {
  const clock = offlineClock();
  const { dryRun } = options;
  // Whatever lies elsewhere is waited for.
  const root = dryRun ? openCopy(config, systemClock) : openPlace(config, systemClock);
  const claim = root.claim(quiet);
  try {
    const opened = await openOffline(config, { root, clock }, options);
    try {
      return await collectRoot(opened, options);
    } finally {
      await opened.close();
    }
  } finally {
    claim.release();
  }
}

interface Opened {
  readonly registry: Registry;
  /** Has what repositories list follow the metadata. */
  readonly settle: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Advice to operators of servers is not for who runs this. */
const quiet = { warn: () => undefined };

/** A clock that need not be waited for. */
interface OfflineClock extends Clock {
  skip(ms: number): void;
}

function offlineClock(): OfflineClock {
  let skippedMs = 0;
  return {
    now: () => systemClock.now() + skippedMs,
    monotonicMs: () => systemClock.monotonicMs(),
    // Nobody else has to have their turn.
    sleep: () => Promise.resolve(),
    skip: (ms) => {
      skippedMs += ms;
    },
  };
}

function reporter({ problem }: OfflineOptions): Report {
  return (level, message, fields = {}) => {
    if (level !== "info") problem(`${message}: ${JSON.stringify(fields)}`);
  };
}

async function openOffline(
  config: Config,
  { root, clock }: { readonly root: Root; readonly clock: OfflineClock },
  options: OfflineOptions,
): Promise<Opened> {
  const stores = await root.prepareBytes();
  const writer = await root.openWriter({ clock, onBatch: undefined });
  const { committer } = writer;
  const report = reporter(options);
  const registry = openRegistry(unheld(config), { root, stores, committer, clock, report });
  const projector = hasLayouts(registry) ? new LayoutProjector(registry, report) : null;
  return {
    registry,
    settle: async () => {
      if (options.dryRun) await recordAllWritten(registry);
      else await projector?.run("last");
      await sweepOrphans(registry);
      clock.skip(roundMs);
    },
    close: async () => {
      await registry.metadata.close();
      await writer.close();
      await stores.close();
    },
  };
}

/** Content that is collected here is to free space: nothing of it is held for an undo. */
function unheld(config: Config): RegistryConfig {
  const { storage } = config;
  return { ...config, storage: { ...storage, undo: { ...storage.undo, window: 0 } } };
}

/** In the copy every index.json follows at once. */
async function recordAllWritten({ metadata }: Registry): Promise<void> {
  const reads = metadata.records(layoutStates);
  for (const repository of await reads.stale(Number.MAX_SAFE_INTEGER)) {
    const state = await reads.state(repository);
    if (state === null) continue;
    const { generation, stampCurrent } = state;
    const stamp = stampCurrent ?? "none";
    await metadata.commit(
      recordCommit(layoutStates, { kind: "record-layout", repository, stamp, generation }),
    );
  }
}

async function collectRoot(opened: Opened, options: OfflineOptions): Promise<OfflineTotals> {
  const { registry, settle } = opened;
  const { deleteUntagged, olderThanMs, dryRun, line } = options;
  const totals = { manifests: 0, blobs: 0, uploads: 0, sizeBytes: 0, failed: 0 };
  const keepUntagged = { ...noPolicy, repositories: ["**"], deleteUntagged: false };
  const settings = {
    gc: true,
    gcDelay: olderThanMs,
    gcInterval: 0,
    gcTimeWindow: "",
    retention: { dryRun: false, delay: null, policies: deleteUntagged ? [] : [keepUntagged] },
  };
  const seen = new Set<string>();
  const collector = new Collector({
    registry,
    report: (level, message, fields) => {
      if (level === "error") totals.failed += 1;
      if (level !== "info") registry.report(level, message, fields);
    },
    settings: () => settings,
    isOffline: true,
    keepsDirectories: dryRun,
    onDecision: ({ repository, digest: reference, kind }, decision) => {
      const name = `${kind} ${repository} ${reference}`;
      if (decision.kind === "collected") {
        const { sizeBytes, reason } = decision;
        line({ what: "delete", repository, reference, sizeBytes, reason });
      } else if (decision.kind === "kept" && !seen.has(name)) {
        line({ what: "keep", repository, reference, sizeBytes: 0, reason: decision.reason });
        seen.add(name);
      }
    },
  });
  for (let rounds = 1; ; rounds += 1) {
    const { manifests, blobs, repositories, sizeBytes } = await collector.round();
    totals.manifests += manifests;
    totals.blobs += blobs;
    totals.sizeBytes += sizeBytes;
    await settle();
    if (manifests + blobs + repositories === 0 && rounds >= roundsMin) break;
  }
  totals.uploads = await registry.uploads.expire(systemClock.now(), uploadIdleMs, { dryRun });
  return totals;
}

const noPolicy = {
  deleteReferrers: false,
  keepTags: [],
  immutableTags: [],
  protect: [],
  expiresByLabel: false,
  maxDeletePercent: 100,
};
