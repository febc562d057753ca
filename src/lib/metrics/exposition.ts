/**
 * Metrics as text, in the exposition format of Prometheus (version 0.0.4).
 *
 * Every metric has its HELP and TYPE once, before its series. Buckets are cumulative and end at `+Inf`; label values
 * are escaped. Source: Prometheus, "Exposition formats".
 */
import type { Metric, PlacedMetric } from "./metric.ts";

export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8";

export type LabelPairs = readonly (readonly [name: string, value: string])[];

/** A series that is not in a page: read at the moment it is asked for. */
export interface Sample {
  readonly labels: LabelPairs;
  readonly value: number;
  /** What its name has behind the metric's: of histograms. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
}

/** The text of a metric from the sums of a page. */
export function placedText(placed: PlacedMetric, sums: Float64Array): string {
  const { metric, width } = placed;
  let text = headText(metric);
  let slot = placed.at();
  for (const labels of placed.labelled()) {
    text += seriesText(metric, labels, sums.subarray(slot, slot + width));
    slot += width;
  }
  return text;
}

/** The text of a counter or gauge from samples. */
export function sampledText(metric: Metric, samples: readonly Sample[]): string {
  const lines = samples.map(({ labels, value, suffix = "" }) =>
    line(metric.name + suffix, labels, value),
  );
  return headText(metric) + lines.join("");
}

/** The samples of one series from its numbers in a page. */
export function seriesSamples(
  { type, buckets = [] }: Metric,
  labels: LabelPairs,
  numbers: Float64Array,
): Sample[] {
  if (type !== "histogram") return [{ labels, value: numbers[0] ?? 0 }];
  let count = 0;
  const counted: Sample[] = [...buckets, Number.POSITIVE_INFINITY].map((bound, at) => {
    count += numbers[at] ?? 0;
    return { labels: [...labels, ["le", numberText(bound)]], value: count, suffix: "_bucket" };
  });
  const sum = numbers[buckets.length + 1] ?? 0;
  return [
    ...counted,
    { labels, value: sum, suffix: "_sum" },
    { labels, value: count, suffix: "_count" },
  ];
}

/** The text of a summary from samples of its sum and count. */
export function summaryText(
  metric: Metric,
  samples: readonly (Omit<Sample, "value"> & { readonly sum: number; readonly count: number })[],
): string {
  const lines = samples.map(
    ({ labels, sum, count }) =>
      line(`${metric.name}_sum`, labels, sum) + line(`${metric.name}_count`, labels, count),
  );
  return headText(metric) + lines.join("");
}

function headText({ name, type, says }: Metric): string {
  const help = says.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function seriesText(metric: Metric, labels: LabelPairs, numbers: Float64Array): string {
  if (metric.sparse === true && numbers.every((number) => number === 0)) return "";
  return seriesSamples(metric, labels, numbers)
    .map(({ suffix = "", ...each }) => line(metric.name + suffix, each.labels, each.value))
    .join("");
}

function line(name: string, labels: LabelPairs, value: number): string {
  const shown = labels.map(([label, text]) => `${label}="${escaped(text)}"`).join(",");
  return `${name}${shown === "" ? "" : `{${shown}}`} ${numberText(value)}\n`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return Number.isNaN(value) ? "NaN" : String(value);
}
