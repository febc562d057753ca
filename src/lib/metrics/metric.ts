/**
 * What a metric is, as a row of a table, and where its numbers lie in a region of memory.
 *
 * The row fixes the labels of a metric and their values, so no request can add a series. Each series has a fixed place,
 * so counting is one addition. `metric_page.ts` has the memory, `exposition.ts` the text.
 */
import { assert, must } from "../assert.ts";

export type MetricType = "counter" | "gauge" | "histogram" | "summary";

export interface Label {
  readonly name: string;
  /** All values that it can have. */
  readonly values: readonly string[];
}

export interface Metric {
  readonly name: string;
  readonly type: MetricType;
  /** One or two sentences for people; units and what is not counted belong here. */
  readonly says: string;
  readonly labels?: readonly Label[];
  /** Upper bounds of a histogram's buckets, ascending, without the last one, which is infinite. */
  readonly buckets?: readonly number[];
  /** Series that are 0 are left out of the text: for labels with many values of which few occur. */
  readonly sparse?: true;
}

/** A metric with its place. */
export class PlacedMetric {
  readonly metric: Metric;
  /** Numbers of one series: one, or a histogram's buckets and its sum. */
  readonly width: number;
  /** Series of the metric. */
  readonly series: number;
  readonly #offset: number;
  readonly #sizes: readonly number[];

  constructor(metric: Metric, offset: number) {
    this.metric = metric;
    this.width = widthOf(metric);
    this.#offset = offset;
    this.#sizes = (metric.labels ?? []).map(({ values }) => values.length);
    this.series = this.#sizes.reduce((product, size) => product * size, 1);
  }

  /** The first number of the series with these label values, each by its place in the row's list. */
  at(...indexes: readonly number[]): number {
    let series = 0;
    for (let label = 0; label < this.#sizes.length; label += 1) {
      series = series * (this.#sizes[label] ?? 0) + (indexes[label] ?? 0);
    }
    return this.#offset + series * this.width;
  }

  /** The same by the values themselves; for what is counted rarely, or placed once. */
  of(...values: readonly string[]): number {
    const { labels = [], name } = this.metric;
    assert(values.length === labels.length, `${name} has ${labels.length} labels`);
    const indexes = labels.map((label, at) => {
      const index = label.values.indexOf(values[at] ?? "");
      assert(index !== -1, `${name}: ${label.name} cannot be ${values[at]}`);
      return index;
    });
    return this.at(...indexes);
  }

  /** The label values of each series in the order of their places. */
  *labelled(): Generator<readonly (readonly [name: string, value: string])[]> {
    const labels = this.metric.labels ?? [];
    for (let series = 0; series < this.series; series += 1) {
      let rest = series;
      const pairs: (readonly [string, string])[] = [];
      for (let at = labels.length - 1; at >= 0; at -= 1) {
        const { name, values } = must(labels[at], "a label stands at its place");
        pairs.unshift([name, values[rest % values.length] ?? ""]);
        rest = Math.floor(rest / values.length);
      }
      yield pairs;
    }
  }
}

function widthOf({ type, buckets = [] }: Metric): number {
  return type === "histogram" ? buckets.length + 2 : 1;
}

/** Places metrics one behind the other; `slots` is how many numbers they take. */
export function placeMetrics<T extends Readonly<Record<string, Metric>>>(
  metrics: T,
): { readonly placed: { readonly [K in keyof T]: PlacedMetric }; readonly slots: number } {
  let slots = 0;
  const entries = Object.entries(metrics).map(([key, metric]) => {
    const placed = new PlacedMetric(metric, slots);
    slots += placed.series * placed.width;
    return [key, placed] as const;
  });
  return { placed: Object.fromEntries(entries) as { [K in keyof T]: PlacedMetric }, slots };
}
