/**
 * The metrics page: what all processes counted, and what is looked up at the moment it is asked for.
 *
 * Any worker gives the figures of the whole server, in the order of the table. Reading the page costs as much as the
 * page holds, plus a look at the open uploads; it never walks through what the registry stores.
 */
import type { Clock } from "../../lib/clock.ts";
import type { Metric } from "../../lib/metrics/metric.ts";
import type { RegionHolder } from "../../lib/metrics/metric_page.ts";
import {
  placedText,
  sampledText,
  summaryText,
  type LabelPairs,
  type Sample,
} from "../../lib/metrics/exposition.ts";
import { layoutStates, type LayoutLag } from "../../metadata/layout_states.ts";
import { objects } from "../../metadata/objects.ts";
import { scrub } from "../../metadata/scrub.ts";
import { usage, usedPart } from "../../metadata/usage.ts";
import type { Registry } from "../../registry/registry.ts";
import type { RoundRecord } from "../../registry/scrub/round.ts";
import { readState } from "../../registry/scrub/scrub_job.ts";
import type { Figures } from "../extension.ts";
import { otherRepositories, repositorySlots } from "./metric_shape.ts";
import type { ServerMetrics } from "./server_metrics.ts";
import { filesystemFigures, processFigures, type ProcessFigures } from "./system_figures.ts";
import { repositoryMetrics, sampledMetrics } from "./table.ts";

/** Of the last rounds of checks, how many are looked at for one that ended. */
const roundsLooked = 10;

export interface MetricsPageOptions {
  readonly metrics: ServerMetrics;
  readonly registry: Registry;
  readonly clock: Clock;
  /** Where content lies; none where no file system holds it: then the page tells of none. */
  readonly stores: readonly MeasuredStore[];
  /** Labels of `zot_info`. */
  readonly info: LabelPairs;
  /** What other extensions add. */
  readonly figures: () => readonly Figures[];
  /** Name the repositories that have a name here. */
  readonly withRepositories: boolean;
}

/** A root directory, and the key of `storage.subPaths` that it has; null for the main one. */
export interface MeasuredStore {
  readonly path: string | null;
  readonly rootDirectory: string;
}

/** The page's text. */
export async function metricsText(options: MetricsPageOptions): Promise<string> {
  const { metrics, info, withRepositories } = options;
  const { page, shape } = metrics;
  const sums = page.sums();
  const counted = Object.values(shape.placed).map((placed) => placedText(placed, sums));
  return [
    sampledText(sampledMetrics.info, [{ labels: info, value: 1 }]),
    ...counted,
    ...(withRepositories && shape.page.namesMax > 0 ? repositoryTexts(metrics) : []),
    ...(await storeTexts(options)),
    ...options.figures().map(({ metric, samples }) => sampledText(metric, samples)),
    ...processTexts(page.holders()),
  ].join("");
}

function repositoryTexts({ page }: ServerMetrics): string[] {
  const named = [...page.namedSums()]
    .filter(([, numbers]) => numbers.some((number) => number !== 0))
    .map(([name, numbers]) => ({
      labels: [["repo", name ?? otherRepositories]] as const,
      at: (slot: number) => numbers[slot] ?? 0,
    }));
  const samples = (slot: number): Sample[] =>
    named.map(({ labels, at }) => ({ labels, value: at(slot) })).filter(({ value }) => value !== 0);
  const { count, seconds, uploads, downloads, storageBytes } = repositorySlots;
  return [
    summaryText(
      repositoryMetrics.seconds,
      named.map(({ labels, at }) => ({ labels, sum: at(seconds), count: at(count) })),
    ),
    sampledText(repositoryMetrics.uploads, samples(uploads)),
    sampledText(repositoryMetrics.downloads, samples(downloads)),
    sampledText(repositoryMetrics.storageBytes, samples(storageBytes)),
  ];
}

async function storeTexts(options: MetricsPageOptions): Promise<string[]> {
  const { registry, clock, stores, withRepositories } = options;
  const lag = await layoutLag(registry);
  const lagMs = lag.since === null ? 0 : Math.max(clock.now() - lag.since, 0);
  return [
    plain(sampledMetrics.uploadsOpen, await registry.uploads.count()),
    plain(sampledMetrics.layoutsStale, lag.repositories),
    plain(sampledMetrics.layoutLag, lagMs / 1000),
    ...(await scrubTexts(registry)),
    ...(await objectTexts(registry)),
    sampledText(sampledMetrics.quotaRatio, withRepositories ? await quotaSamples(registry) : []),
    sampledText(sampledMetrics.filesystemBytes, await filesystemSamples(stores)),
  ];
}

async function objectTexts({ metadata }: Registry): Promise<string[]> {
  const reads = metadata.records(objects);
  // Content lies elsewhere.
  if ((await reads.value("registry")) === null) return [];
  const sums = Object.entries(await reads.sums());
  const samples = (of: "objects" | "bytes"): Sample[] =>
    sums.map(([state, each]) => ({ labels: [["state", state]], value: each[of] }));
  return [
    sampledText(sampledMetrics.objects, samples("objects")),
    sampledText(sampledMetrics.objectBytes, samples("bytes")),
  ];
}

async function scrubTexts(registry: Registry): Promise<string[]> {
  const reads = registry.metadata.records(scrub);
  const { items } = await reads.damagedSums();
  const state = await readState(registry);
  const last = (await reads.rounds(roundsLooked))
    .map((text) => JSON.parse(text) as RoundRecord)
    .find(({ outcome }) => outcome === "done");
  const { allBytes = 0, bytes = 0, outcome = "done" } = state?.round ?? {};
  return [
    plain(sampledMetrics.scrubDamaged, items),
    sampledText(sampledMetrics.scrubbedBytes, [
      { labels: [["state", "all"]], value: allBytes },
      { labels: [["state", "read"]], value: bytes },
    ]),
    plain(sampledMetrics.scrubEnded, (last?.to ?? 0) / 1000),
    plain(sampledMetrics.scrubStopped, outcome === "stopped" ? 1 : 0),
  ];
}

async function filesystemSamples(stores: readonly MeasuredStore[]): Promise<Sample[]> {
  const samples = await Promise.all(
    stores.map(async ({ path, rootDirectory }): Promise<Sample[]> => {
      const { sizeBytes, freeBytes } = await filesystemFigures(rootDirectory);
      const place: LabelPairs = path === null ? [] : [["path", path]];
      return [
        { labels: [["state", "size"], ...place], value: sizeBytes },
        { labels: [["state", "free"], ...place], value: freeBytes },
      ];
    }),
  );
  return samples.flat();
}

/** Names of quotas are names of repositories, or begin such. */
async function quotaSamples({ metadata }: Registry): Promise<Sample[]> {
  return (await metadata.records(usage).quotas()).map((quota) => ({
    labels: [["scope", quota.name]],
    value: usedPart(quota),
  }));
}

/** Where there are no layouts none is behind. */
async function layoutLag({ layouts, metadata }: Registry): Promise<LayoutLag> {
  if (layouts === null) return { repositories: 0, since: null };
  return metadata.records(layoutStates).lag();
}

function plain(metric: Metric, value: number): string {
  return sampledText(metric, [{ labels: [], value }]);
}

/** The supervisor has the role 0, its workers count from 1. */
function processTexts(holders: readonly RegionHolder[]): string[] {
  const seen = new Set<number>();
  const processes = holders.flatMap((holder) => {
    const figures = seen.has(holder.process) ? null : processFigures(holder.process);
    seen.add(holder.process);
    const name = holder.role === 0 ? "supervisor" : `worker-${holder.role - 1}`;
    const labels: LabelPairs = [["process", name]];
    return figures === null ? [] : [{ labels, figures, startedAt: holder.startedAt }];
  });
  const text = (metric: Metric, of: (figures: ProcessFigures) => number | null): string => {
    const samples = processes.flatMap(({ labels, figures }) => {
      const value = of(figures);
      return value === null ? [] : [{ labels, value }];
    });
    return sampledText(metric, samples);
  };
  return [
    text(sampledMetrics.cpuSeconds, ({ cpuSeconds }) => cpuSeconds),
    text(sampledMetrics.memoryBytes, ({ memoryBytes }) => memoryBytes),
    text(sampledMetrics.openFiles, ({ openFiles }) => openFiles),
    text(sampledMetrics.maxFiles, ({ maxFiles }) => maxFiles),
    sampledText(
      sampledMetrics.startSeconds,
      processes.map(({ labels, startedAt }) => ({ labels, value: startedAt / 1000 })),
    ),
  ];
}
