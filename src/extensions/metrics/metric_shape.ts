/**
 * How the counted metrics lie in memory, for all processes of a server alike.
 */
import { placeMetrics, type PlacedMetric } from "../../lib/metrics/metric.ts";
import type { PageShape } from "../../lib/metrics/metric_page.ts";
import { countedMetrics, type CountedMetrics, type MetricNames } from "./table.ts";

export type PlacedMetrics = { readonly [K in keyof CountedMetrics]: PlacedMetric };

/** Numbers of each named repository. */
export const repositorySlots = { count: 0, seconds: 1, uploads: 2, downloads: 3, storageBytes: 4 };
/** The name under which requests for no repository count, as in zot, and that of all without a name. */
export const noRepository = "N/A";
export const otherRepositories = "(others)";
/** Processes that count at a time; a worker beyond them is not counted. */
const regionsMax = 128;

export interface MetricShape {
  readonly placed: PlacedMetrics;
  readonly page: PageShape;
}

export function metricShape(
  names: MetricNames,
  sizes: { readonly repositoriesMax: number },
): MetricShape {
  const { placed, slots } = placeMetrics(countedMetrics(names));
  const { repositoriesMax } = sizes;
  return {
    placed,
    page: {
      regions: regionsMax,
      slots,
      namesMax: repositoriesMax === 0 ? 0 : repositoriesMax + 1,
      slotsPerName: Object.keys(repositorySlots).length,
    },
  };
}
