// Reads Prometheus' text format, strictly: what is wrong with a page is an error.
//
// Every series belongs to a metric whose HELP and TYPE stand right before it, once. No series comes twice. Buckets grow
// with their bound and end at +Inf with the count.

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricsPage {
  /** Type by name of the metric. */
  readonly metrics: ReadonlyMap<string, string>;
  readonly series: readonly Series[];
}

const linePattern = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const labelPattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gy;
const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [""],
  gauge: [""],
  summary: ["_sum", "_count"],
  histogram: ["_bucket", "_sum", "_count"],
};

export function parsePage(text: string): MetricsPage {
  if (!text.endsWith("\n")) throw new Error("the page does not end with a line's end");
  const metrics = new Map<string, string>();
  const series: Series[] = [];
  const seen = new Set<string>();
  let helped = "";
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") helped = name;
    else if (kind === "TYPE") {
      if (helped !== name || metrics.has(name)) throw new Error(`TYPE out of place: ${line}`);
      metrics.set(name, rest);
      current = name;
    } else {
      const found = seriesOf(line);
      const admitted = suffixes[metrics.get(current) ?? ""] ?? [];
      if (!admitted.some((suffix) => found.name === `${current}${suffix}`)) {
        throw new Error(`a series of no metric: ${line}`);
      }
      const key = line.slice(0, line.lastIndexOf(" "));
      if (seen.has(key)) throw new Error(`a series comes twice: ${key}`);
      seen.add(key);
      series.push(found);
    }
  }
  checkBuckets(series);
  return { metrics, series };
}

function seriesOf(line: string): Series {
  const match = linePattern.exec(line);
  if (match === null) throw new Error(`no line of the format: ${line}`);
  const [, name = "", labelText = "", valueText = ""] = match;
  const labels: Record<string, string> = {};
  let end = 0;
  for (const [all, label = "", value = ""] of labelText.matchAll(labelPattern)) {
    labels[label] = value.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
    end += all.length;
  }
  if (end !== labelText.length) throw new Error(`labels out of the format: ${line}`);
  const value = valueText === "+Inf" ? Number.POSITIVE_INFINITY : Number(valueText);
  if (Number.isNaN(value)) throw new Error(`no number: ${line}`);
  return { name, labels, value };
}

function checkBuckets(series: readonly Series[]): void {
  const buckets = series.filter(({ name }) => name.endsWith("_bucket"));
  const keyOf = ({ name, labels }: Series): string => {
    const { le: _le, ...others } = labels;
    return `${name.replace(/_(bucket|count)$/, "")} ${JSON.stringify(others)}`;
  };
  const counts = new Map(
    series.filter(({ name }) => name.endsWith("_count")).map((each) => [keyOf(each), each.value]),
  );
  for (const [key, own] of Map.groupBy(buckets, keyOf)) {
    const bounds = own.map(({ labels }) =>
      Number((labels["le"] ?? "").replace("+Inf", "Infinity")),
    );
    const values = own.map(({ value }) => value);
    const grows = (list: readonly number[], strictly: boolean): boolean =>
      list.every((each, at) => at === 0 || each > (list[at - 1] ?? 0) - (strictly ? 0 : 1e-9));
    if (!grows(bounds, true) || !grows(values, false)) throw new Error(`buckets shrink: ${key}`);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || values.at(-1) !== counts.get(key)) {
      throw new Error(`the last bucket is not the count: ${key}`);
    }
  }
}

/** The value of the series with these labels among its own; null when there is none. */
export function valueOf(
  page: MetricsPage,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | null {
  const wanted = Object.entries(labels);
  const found = page.series.filter(
    (each) => each.name === name && wanted.every(([key, value]) => each.labels[key] === value),
  );
  if (found.length > 1) throw new Error(`${name}: ${found.length} series fit`);
  return found[0]?.value ?? null;
}
