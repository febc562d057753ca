/**
 * Metrics as an extension: the primary opens the page and measures, every worker counts and serves the page.
 */
import packageJson from "../../../package.json" with { type: "json" };
import { programCommit } from "../../lib/program_commit.ts";
import { isCompiled } from "../../lib/runtime.ts";
import type { RegistryConfig } from "../../config/schema.ts";
import type { Extension } from "../extension.ts";
import { metricsEndpoints } from "./endpoints.ts";
import { metricsText, type MeasuredStore } from "./metrics_page.ts";
import { openPrimaryMetrics, openWorkerMetrics, type MetricsPlace } from "./open_metrics.ts";
import { measureUsageJob, measuringName } from "./usage.ts";

export const metricsExtension: Extension<MetricsPlace> = {
  name: "metrics",
  jobNames: [measuringName],

  endpoints({ extensions: { metrics } }) {
    return metrics.enable ? metricsEndpoints(metrics.prometheus.path, async () => "") : [];
  },

  openPrimary({ config, clock, report, served }) {
    const { enable, repositoriesMax } = config.extensions.metrics;
    if (!enable) return null;
    const { rootDirectory } = config.storage;
    const opened = openPrimaryMetrics({ rootDirectory, sizes: { repositoriesMax }, served, clock });
    const { metrics } = opened;
    return {
      jobs: (registry) => [measureUsageJob(registry, (usage) => metrics.usage(usage), report)],
      commits: (next) => metrics.counted(next, clock),
      onBatch: (commits, ms) => metrics.batch(commits, ms),
      onJob: metrics.jobWatcher(),
      onExpired: (uploads) => metrics.expired(uploads),
      onCollected: (removed, ms) => metrics.collected(removed, ms),
      onDrift: (bytes) => metrics.drifted(bytes),
      place: (worker) => opened.place(worker),
      workerEnded: (place, asked) => opened.ended(place, asked),
      close: () => opened.close(),
    };
  },

  openWorker({ config, clock, served, place, figures }) {
    if (place === null) return null;
    const metrics = openWorkerMetrics(place, served, clock);
    const { path } = config.extensions.metrics.prometheus;
    const stores = measuredStores(config);
    const page = { metrics, clock, stores, info: programInfo(), figures };
    return {
      endpoints: (registry) =>
        metricsEndpoints(path, (withRepositories) =>
          metricsText({ ...page, registry, withRepositories }),
        ),
      onAnswer: (record) => metrics.request(record),
      lookup: (cache) => metrics.lookup(cache),
    };
  },
};

/** Labels of `zot_info`. */
function programInfo() {
  return [
    ["commit", programCommit() ?? ""],
    ["binaryType", isCompiled ? "executable" : "checkout"],
    ["goVersion", `bun ${process.versions.bun}`],
    ["version", packageJson.version],
  ] as const;
}

function measuredStores({ storage: { rootDirectory, subPaths } }: RegistryConfig): MeasuredStore[] {
  if (rootDirectory === null) return [];
  const apart = Object.entries(subPaths).map(([path, store]) => {
    return { path, rootDirectory: store.rootDirectory };
  });
  return [{ path: null, rootDirectory }, ...apart];
}
