/**
 * TABLE of the metrics of mirrors. Values of `upstream` are hosts that the configuration names, and nothing else, so no
 * request can add a series.
 */
import type { Metric } from "../../../lib/metrics/metric.ts";

export const kinds = ["manifest", "blob"] as const;
export const results = ["hit", "fresh", "stale", "miss", "negative", "refused"] as const;
export const directions = ["received", "sent"] as const;
export const askedMethods = ["GET", "HEAD"] as const;
/** Statuses of upstreams by name; any other counts as `other`, and no answer as `none`. */
export const answeredCodes = [
  "200",
  "206",
  "304",
  "307",
  "400",
  "401",
  "403",
  "404",
  "416",
  "429",
  "500",
  "502",
  "503",
  "504",
  "other",
  "none",
] as const;

export type PullKind = (typeof kinds)[number];
export type PullResult = (typeof results)[number];

/** Counted for each upstream, without the label that names it. */
export const upstreamMetrics = {
  requests: {
    name: "zot_mirror_requests_total",
    type: "counter",
    says: "Pulls of mirrored content by what became of them. `hit`: from here, without a question. `fresh`: from here, the upstream had the same. `stale`: from here, the upstream could not be asked. `miss`: fetched. `negative`: the upstream had said lately that there is none. `refused`: not here, and the upstream could not be used.",
    labels: [
      { name: "kind", values: kinds },
      { name: "result", values: results },
    ],
  },
  upstreamRequests: {
    name: "zot_mirror_upstream_requests_total",
    type: "counter",
    says: "Requests to the upstream by what it answered, `none` where no answer came. Logins and the hops of a redirect are part of their request.",
    labels: [
      { name: "method", values: askedMethods },
      { name: "code", values: answeredCodes },
    ],
    sparse: true,
  },
  upstreamSeconds: {
    name: "zot_mirror_upstream_seconds",
    type: "histogram",
    says: "Time from a request to the upstream to the head of its answer.",
    buckets: [0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60],
  },
  bytes: {
    name: "zot_mirror_bytes_total",
    type: "counter",
    says: "Bytes of manifests and blobs that were received from the upstream, and that were sent to clients, as announced.",
    labels: [{ name: "direction", values: directions }],
  },
  mismatches: {
    name: "zot_mirror_digest_mismatch_total",
    type: "counter",
    says: "Downloads that did not have their digest or size: nothing of them was kept.",
  },
  evictedBytes: {
    name: "zot_mirror_evicted_bytes_total",
    type: "counter",
    says: "Bytes of cached manifests, with their layers, that were let go of, since the cache was full or nobody had pulled them for long.",
  },
  fetches: {
    name: "zot_mirror_fetches",
    type: "gauge",
    says: "Blobs that are on their way, in each process that waits for one.",
  },
} as const satisfies Record<string, Metric>;

const upstream = { name: "upstream", values: [] } as const;

/** Read when they are asked for. */
export const stateMetrics = {
  up: {
    name: "zot_mirror_up",
    type: "gauge",
    says: "1 while the upstream can be asked, 0 while it is left alone since it failed again and again, or limits us.",
    labels: [upstream],
  },
  budget: {
    name: "zot_mirror_ratelimit_remaining",
    type: "gauge",
    says: "Requests that the upstream still allows, as its own headers say. Absent where it says nothing.",
    labels: [upstream],
  },
  stale: {
    name: "zot_mirror_stale_seconds_max",
    type: "gauge",
    says: "Time since the last check, of the oldest answer that was served without its upstream in the last day.",
    labels: [upstream],
  },
} as const satisfies Record<string, Metric>;

/** All rows, for the page about metrics. */
export const mirrorMetrics: readonly Metric[] = [
  ...Object.values(upstreamMetrics).map((metric: Metric) => ({
    ...metric,
    labels: [upstream, ...(metric.labels ?? [])],
  })),
  ...Object.values(stateMetrics),
];
