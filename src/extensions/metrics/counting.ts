/**
 * Metrics as the server puts them together: what the primary opens, what a worker serves.
 *
 * Everything here is null or empty while `extensions.metrics` is off.
 */
import packageJson from "../../../package.json" with { type: "json" };
import type { App } from "../../api/app.ts";
import { endpoints } from "../../api/endpoints.ts";
import type { Endpoint } from "../../http/endpoint.ts";
import type { Clock } from "../../lib/clock.ts";
import { programCommit } from "../../lib/program_commit.ts";
import { isCompiled } from "../../lib/runtime.ts";
import type { Registry, Report } from "../../registry/registry.ts";
import { metricsEndpoints } from "./endpoints.ts";
import { metricsText } from "./metrics_page.ts";
import {
  openPrimaryMetrics,
  openWorkerMetrics,
  type MetricsPlace,
  type PrimaryMetrics,
} from "./open_metrics.ts";
import type { MetricsOptions } from "./options.ts";
import type { ServerMetrics } from "./server_metrics.ts";
import { UsageMeter } from "./usage_meter.ts";

export type { MetricsPlace, PrimaryMetrics } from "./open_metrics.ts";
export type { ServerMetrics } from "./server_metrics.ts";

/** What requests are counted by, in every process alike. */
const countedRows = [...endpoints, ...metricsEndpoints<App>("/", async () => "")];

/** The primary begins to count. */
export function openCounting(
  { enable, repositoriesMax }: MetricsOptions,
  rootDirectory: string,
  clock: Clock,
): PrimaryMetrics | null {
  if (!enable) return null;
  return openPrimaryMetrics({
    rootDirectory,
    sizes: { repositoriesMax },
    rows: countedRows,
    clock,
  });
}

/** The primary begins to measure what repositories hold. */
export function startMeter(
  counting: PrimaryMetrics | null,
  { metadata, clock }: Registry,
  report: Report,
): UsageMeter | null {
  if (counting === null) return null;
  const meter = new UsageMeter({
    metadata,
    clock,
    onUsage: (usage) => counting.metrics.usage(usage),
    onProblem: (error) => report("warn", "storage could not be measured", { error: String(error) }),
  });
  meter.start();
  return meter;
}

/** A worker begins to count where the primary said. */
export function joinCounting(
  place: MetricsPlace | null | undefined,
  clock: Clock,
): ServerMetrics | null {
  return place === null || place === undefined
    ? null
    : openWorkerMetrics(place, countedRows, clock);
}

/** The row of the page, for the OpenAPI document. */
export function describedPage({ enable, prometheus }: MetricsOptions): readonly Endpoint<App>[] {
  return enable ? metricsEndpoints(prometheus.path, async () => "") : [];
}

/** The row of the page that a worker serves. */
export function servedPage(
  { prometheus }: MetricsOptions,
  metrics: ServerMetrics | null,
  { registry, rootDirectory }: { readonly registry: Registry; readonly rootDirectory: string },
): readonly Endpoint<App>[] {
  if (metrics === null) return [];
  const { clock } = registry;
  const info = [
    ["commit", programCommit() ?? ""],
    ["binaryType", isCompiled ? "executable" : "checkout"],
    ["goVersion", `bun ${process.versions.bun}`],
    ["version", packageJson.version],
  ] as const;
  return metricsEndpoints(prometheus.path, (withRepositories) =>
    metricsText({ metrics, registry, clock, rootDirectory, info, withRepositories }),
  );
}
