/**
 * THE table of metrics: every figure that the page shows, with its labels and what it means.
 *
 * Names that zot has keep zot's name, type and labels; ours stand beside them. Labels are closed sets: names of rows,
 * methods, status codes. The one exception is `repo`, which names at most `extensions.metrics.repositoriesMax`
 * repositories. `docs/guides/metrics.md` is printed from here.
 */
import type { Metric } from "../../lib/metrics/metric.ts";
import { apiErrors } from "../../oci/errors.ts";
import type { CacheName } from "../extension.ts";

/** Methods by name; any other counts as `other`. */
export const methods = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "other",
] as const;
/** The codes that HTTP defines and the registry may send; any other counts as `other`. */
export const codes: readonly string[] = [
  ...new Set(
    [
      200,
      201,
      202,
      204,
      206,
      304,
      307,
      308,
      ...Object.values(apiErrors).map(({ status }) => status),
    ]
      .sort((a, b) => a - b)
      .map(String),
  ),
  "other",
];
export const uploadEvents = [
  "started",
  "finished",
  "single",
  "mounted",
  "cancelled",
  "expired",
] as const;
export type UploadEvent = (typeof uploadEvents)[number];
export const caches: readonly CacheName[] = ["content", "facts"];
export const commitOutcomes = ["committed", "refused", "failed"] as const;

/** Seconds. Those of zot (0.05, 0.5, 1, 5, 30, 60, 600) are among them. */
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 600];
const batchBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** What the rows and jobs of this server are called: values of labels. */
export interface MetricNames {
  readonly endpoints: readonly string[];
  readonly jobs: readonly string[];
}

/** Counted by each process as it happens, and added up. */
export function countedMetrics(names: MetricNames) {
  return { ...requestMetrics(names), ...storeMetrics(names), ...collectionMetrics() };
}

function requestMetrics({ endpoints }: MetricNames) {
  const endpoint = { name: "endpoint", values: endpoints };
  return {
    requests: {
      name: "zot_http_requests_total",
      type: "counter",
      says: "Answered requests, by method and status code. A method that HTTP does not define counts as `other`.",
      labels: [
        { name: "method", values: methods },
        { name: "code", values: codes },
      ],
      sparse: true,
    },
    endpointRequests: {
      name: "zot_http_endpoint_requests_total",
      type: "counter",
      says: "Answered requests, by row of the endpoint table and status code: which of them fails.",
      labels: [endpoint, { name: "code", values: codes }],
      sparse: true,
    },
    methodSeconds: {
      name: "zot_http_method_latency_seconds",
      type: "histogram",
      says: "Time from a request's head to its answer's head, by method. The body of an answer is sent after that, the body of an upload is within it.",
      labels: [{ name: "method", values: methods }],
      buckets: secondsBuckets,
      sparse: true,
    },
    endpointSeconds: {
      name: "zot_http_endpoint_latency_seconds",
      type: "histogram",
      says: "The same by row of the endpoint table, `none` where no row answered.",
      labels: [endpoint],
      buckets: secondsBuckets,
      sparse: true,
    },
    receivedBytes: {
      name: "zot_http_received_bytes_total",
      type: "counter",
      says: "Bytes of request bodies that were taken, by row of the endpoint table.",
      labels: [endpoint],
      sparse: true,
    },
    sentBytes: {
      name: "zot_http_sent_bytes_total",
      type: "counter",
      says: "Bytes of answer bodies, as announced: a download that breaks off counts whole.",
      labels: [endpoint],
      sparse: true,
    },
    apiErrors: {
      name: "zot_http_api_errors_total",
      type: "counter",
      says: "Refused requests, by the name of the API error in docs/reference/errors.md.",
      labels: [{ name: "reason", values: Object.keys(apiErrors) }],
      sparse: true,
    },
  } as const satisfies Record<string, Metric>;
}

function storeMetrics({ jobs }: MetricNames) {
  return {
    uploads: {
      name: "zot_uploads_total",
      type: "counter",
      says: "Uploads by what became of them: started, finished, cancelled or expired; single ones came in one request; mounted ones needed no bytes.",
      labels: [{ name: "event", values: uploadEvents }],
    },
    cacheLookups: {
      name: "zot_cache_lookups_total",
      type: "counter",
      says: "Lookups in the memory of the processes: `content` holds manifests and small blobs, `facts` metadata that a worker remembers.",
      labels: [
        { name: "cache", values: caches },
        { name: "outcome", values: ["hit", "miss"] },
      ],
    },
    commits: {
      name: "zot_metadata_commits_total",
      type: "counter",
      says: "Commits of the metadata store, those of background work included. `refused` counts commits whose precondition did not hold.",
      labels: [{ name: "outcome", values: commitOutcomes }],
    },
    commitSeconds: {
      name: "zot_metadata_commit_latency_seconds",
      type: "histogram",
      says: "Time that a commit took, with its wait for the one before and its flush to the disk.",
      buckets: secondsBuckets,
    },
    batchCommits: {
      name: "zot_metadata_batch_commits",
      type: "histogram",
      says: "Commits that shared one transaction and its flush.",
      buckets: batchBuckets,
    },
    batchSeconds: {
      name: "zot_metadata_batch_latency_seconds",
      type: "histogram",
      says: "Time that one transaction took, with its flush.",
      buckets: secondsBuckets,
    },
    jobRuns: {
      name: "zot_job_runs_total",
      type: "counter",
      says: "Runs of background jobs.",
      labels: [
        { name: "name", values: jobs },
        { name: "outcome", values: ["done", "failed"] },
      ],
    },
    jobSeconds: {
      name: "zot_job_seconds_total",
      type: "counter",
      says: "Time that background jobs ran, with their own short waits for company.",
      labels: [{ name: "name", values: jobs }],
    },
    workersEnded: {
      name: "zot_workers_ended_total",
      type: "counter",
      says: "Worker processes that ended by themselves and were started again.",
    },
    storageBytes: {
      name: "zot_storage_bytes",
      type: "gauge",
      says: "Bytes that repositories hold, each blob counted once however many repositories share it. Measured within two seconds of a push or delete, less often when that takes long.",
    },
    repositories: {
      name: "zot_repositories",
      type: "gauge",
      says: "Repositories that hold a blob or a manifest, as of the same measurement.",
    },
  } as const satisfies Record<string, Metric>;
}

function collectionMetrics() {
  return {
    collectionRuns: {
      name: "zot_gc_runs_total",
      type: "counter",
      says: "Rounds of garbage collection, by whether they failed. There is one every minute at least, also when nothing is due.",
      labels: [{ name: "error", values: ["false", "true"] }],
    },
    collectionSeconds: {
      name: "zot_gc_duration_seconds",
      type: "histogram",
      says: "Time that a round of garbage collection took, most of it in pauses between its turns.",
      buckets: secondsBuckets,
    },
    collected: {
      name: "zot_gc_deleted_total",
      type: "counter",
      says: "What garbage collection removed: manifests, links of blobs to repositories, idle uploads, empty repositories.",
      labels: [{ name: "type", values: ["manifest", "blob", "upload", "repository"] }],
    },
    collectedBytes: {
      name: "zot_gc_deleted_bytes_total",
      type: "counter",
      says: "Bytes of the manifests and blobs that it removed; those that another repository shares stay on the disk.",
    },
    drift: {
      name: "zot_accounting_drift_bytes",
      type: "gauge",
      says: "Bytes by which totals of content were found wrong, and mended, since the start: 0 is what it should be.",
    },
  } as const satisfies Record<string, Metric>;
}

export type CountedMetrics = ReturnType<typeof countedMetrics>;

const repo = { name: "repo", values: [] } as const;

/** Counted for each repository that has a name here. */
export const repositoryMetrics = {
  seconds: {
    name: "zot_http_repo_latency_seconds",
    type: "summary",
    says: "Time from a request's head to its answer's head, by repository; `N/A` are requests for none.",
    labels: [repo],
  },
  uploads: {
    name: "zot_repo_uploads_total",
    type: "counter",
    says: "Manifests that were pushed, by repository.",
    labels: [repo],
  },
  downloads: {
    name: "zot_repo_downloads_total",
    type: "counter",
    says: "Manifests that were pulled (GET), by repository.",
    labels: [repo],
  },
  storageBytes: {
    name: "zot_repo_storage_bytes",
    type: "gauge",
    says: "Bytes of the blobs and manifests that a repository holds, shared ones included. Measured with `zot_storage_bytes`.",
    labels: [repo],
  },
} as const satisfies Record<string, Metric>;

const processLabel = { name: "process", values: [] } as const;

/** Read when the page is asked for. */
export const sampledMetrics = {
  info: {
    name: "zot_info",
    type: "gauge",
    says: "Always 1; its labels say what runs. `goVersion` names the runtime, for dashboards made for zot.",
    labels: ["commit", "binaryType", "goVersion", "version"].map((name) => ({ name, values: [] })),
  },
  uploadsOpen: {
    name: "zot_uploads_open",
    type: "gauge",
    says: "Uploads that hold bytes on the disk and wait for more.",
  },
  layoutsStale: {
    name: "zot_layouts_stale",
    type: "gauge",
    says: "Repositories whose index.json does not show the newest commit yet.",
  },
  layoutLag: {
    name: "zot_layout_lag_seconds",
    type: "gauge",
    says: "Age of the oldest commit that an index.json does not show yet; 0 when all do.",
  },
  scrubDamaged: {
    name: "zot_scrub_damaged",
    type: "gauge",
    says: "Copies of content that are known to be damaged, in all repositories: 0 is what it should be.",
  },
  scrubbedBytes: {
    name: "zot_scrub_bytes",
    type: "gauge",
    says: "Of the round of checks that goes on, or the last one: bytes to read, and bytes that were read.",
    labels: [{ name: "state", values: ["all", "read"] }],
  },
  scrubEnded: {
    name: "zot_scrub_ended_seconds",
    type: "gauge",
    says: "When the last whole round of checks ended, in seconds since 1970; 0 before the first.",
  },
  scrubStopped: {
    name: "zot_scrub_stopped",
    type: "gauge",
    says: "1 when the last round of checks was given up because the disk could not be read.",
  },
  quotaRatio: {
    name: "zot_quota_used_ratio",
    type: "gauge",
    says: "How much of a quota is used: of its limits the one that is used most. 1 is all.",
    labels: [{ name: "scope", values: [] }],
  },
  filesystemBytes: {
    name: "zot_storage_filesystem_bytes",
    type: "gauge",
    says:
      "Size of the file system that holds the root directory, and what of it is free for the registry; " +
      "with `path` of one that an entry of `storage.subPaths` names.",
    labels: [
      { name: "state", values: ["size", "free"] },
      { name: "path", values: [] },
    ],
  },
  objects: {
    name: "zot_objects",
    type: "gauge",
    says:
      "Of a store of objects: keys that are being written, and objects that nothing names and that are removed after " +
      "`storage.removalDelay`.",
    labels: [{ name: "state", values: ["writing", "garbage"] }],
  },
  objectBytes: {
    name: "zot_objects_bytes",
    type: "gauge",
    says: "Bytes of these.",
    labels: [{ name: "state", values: ["writing", "garbage"] }],
  },
  cpuSeconds: {
    name: "process_cpu_seconds_total",
    type: "counter",
    says: "Processor time, user and system, of the supervisor and of each worker.",
    labels: [processLabel],
  },
  memoryBytes: {
    name: "process_resident_memory_bytes",
    type: "gauge",
    says: "Resident memory of each process. Pages that processes share count in each.",
    labels: [processLabel],
  },
  openFiles: {
    name: "process_open_fds",
    type: "gauge",
    says: "Open file descriptors of each process.",
    labels: [processLabel],
  },
  maxFiles: {
    name: "process_max_fds",
    type: "gauge",
    says: "File descriptors that each process may open.",
    labels: [processLabel],
  },
  startSeconds: {
    name: "process_start_time_seconds",
    type: "gauge",
    says: "When each process started, in seconds since 1970.",
    labels: [processLabel],
  },
} as const satisfies Record<string, Metric>;
