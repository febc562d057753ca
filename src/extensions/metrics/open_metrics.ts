/**
 * Where the processes of a server count: the primary makes the page, and gives each worker its place in it.
 *
 * The page is a file of this server alone, and is removed when it stops. The next start removes those of servers that
 * died. One process at a time holds a place. A registry in memory has its page there, too.
 */
import type { Clock } from "../../lib/clock.ts";
import { MetricPage, pageBytes } from "../../lib/metrics/metric_page.ts";
import { openSharedPage, type PageAt } from "../../lib/shared_page.ts";
import { claimFile } from "../../storage/root_lock.ts";
import { metricShape, type MetricShape } from "./metric_shape.ts";
import { noRow, type CountedRow } from "./request_metrics.ts";
import { ServerMetrics } from "./server_metrics.ts";

/** What a worker must know to count; sent to it when it starts. */
export interface MetricsPlace {
  readonly page: PageAt;
  readonly sizes: MetricsSizes;
  readonly region: number;
  /** 0 for the primary; workers count from 1. */
  readonly role: number;
}

export interface MetricsSizes {
  readonly repositoriesMax: number;
}

export interface PrimaryMetrics {
  readonly metrics: ServerMetrics;
  /** A place for a worker; null when all are held. */
  place(role: number): MetricsPlace | null;
  /** The worker that held the place is gone. */
  ended(place: MetricsPlace, asked: boolean): void;
  close(): void;
}

/** What is counted by name: the same in every process of a server. */
export interface Counted {
  readonly endpoints: readonly CountedRow[];
  readonly jobs: readonly string[];
}

/** Makes the page of a server. */
export function openPrimaryMetrics(options: {
  /** Null where there is one process: its page is memory. */
  readonly rootDirectory: string | null;
  readonly sizes: MetricsSizes;
  readonly served: Counted;
  readonly clock: Clock;
}): PrimaryMetrics {
  const { sizes, served, clock, rootDirectory } = options;
  const claim = rootDirectory === null ? null : claimFile(rootDirectory, "metrics");
  const page = claim?.path ?? newPage(served, sizes);
  const metrics = openWorkerMetrics({ page, sizes, region: 0, role: 0 }, served, clock);
  const free = Array.from({ length: metrics.shape.page.regions - 1 }, (_, at) => at + 1);
  return {
    metrics,
    place: (role) => {
      const region = free.shift();
      return region === undefined ? null : { page, sizes, region, role };
    },
    ended: ({ region }, asked) => {
      metrics.processEnded(region, asked);
      free.unshift(region);
    },
    close: () => claim?.release(),
  };
}

/** Begins to count at a place. */
export function openWorkerMetrics(
  place: MetricsPlace,
  { endpoints, jobs }: Counted,
  clock: Clock,
): ServerMetrics {
  const counted = countedRows(endpoints);
  const shape = shapeFor({ endpoints: counted, jobs }, place.sizes);
  const numbers = openSharedPage(place.page, new Int32Array(pageBytes(shape.page) / 4));
  const bytes = new Uint8Array(
    // A mapped page is no buffer that threads of this process share.
    numbers.buffer as ArrayBuffer,
    numbers.byteOffset,
    numbers.byteLength,
  );
  return new ServerMetrics(new MetricPage(bytes, shape.page), shape, {
    holder: {
      region: place.region,
      process: process.pid,
      startedAt: clock.now(),
      role: place.role,
    },
    rows: counted,
  });
}

function newPage({ endpoints, jobs }: Counted, sizes: MetricsSizes): Int32Array {
  const shape = shapeFor({ endpoints: countedRows(endpoints), jobs }, sizes);
  return new Int32Array(pageBytes(shape.page) / 4);
}

/** Each name once, and the one of requests that no row answered. */
export function countedRows(rows: readonly CountedRow[]): readonly CountedRow[] {
  const byName = new Map(rows.map((row) => [row.name, row]));
  return [...byName.values(), { name: noRow, body: "none" }];
}

export function shapeFor({ endpoints, jobs }: Counted, sizes: MetricsSizes): MetricShape {
  return metricShape({ endpoints: endpoints.map(({ name }) => name), jobs }, sizes);
}
