// The text format of Prometheus, line by line. That others read it is tried in test/clients/metrics.clients.test.ts.

import { describe, expect, test } from "bun:test";
import { placeMetrics, type Metric } from "./metric.ts";
import { placedText, sampledText, summaryText } from "./exposition.ts";

function textOf(metric: Metric, numbers: number[]): string {
  const { placed } = placeMetrics({ metric });
  return placedText(placed.metric, Float64Array.from(numbers));
}

const head = (name: string, type: string) => `# HELP ${name} Says.\n# TYPE ${name} ${type}\n`;

describe("placedText", () => {
  test("a counter without labels", () => {
    expect(textOf({ name: "a_total", type: "counter", says: "Says." }, [5])).toBe(
      `${head("a_total", "counter")}a_total 5\n`,
    );
  });

  test("labels in the order of the row; sparse series only once they count", () => {
    const metric: Metric = {
      name: "a_total",
      type: "counter",
      says: "Says.",
      labels: [
        { name: "x", values: ["1", "2"] },
        { name: "y", values: ["a", "b"] },
      ],
    };
    const numbers = [0, 1, 0, 1.5];
    expect(textOf(metric, numbers)).toBe(
      `${head("a_total", "counter")}a_total{x="1",y="a"} 0\na_total{x="1",y="b"} 1\n` +
        'a_total{x="2",y="a"} 0\na_total{x="2",y="b"} 1.5\n',
    );
    expect(textOf({ ...metric, sparse: true }, numbers)).toBe(
      `${head("a_total", "counter")}a_total{x="1",y="b"} 1\na_total{x="2",y="b"} 1.5\n`,
    );
  });

  test("buckets add up, and the last one holds all", () => {
    const metric: Metric = {
      name: "h",
      type: "histogram",
      says: "Says.",
      labels: [{ name: "x", values: ["1", "2"] }],
      buckets: [0.5, 1],
      sparse: true,
    };
    expect(textOf(metric, [0, 0, 0, 0, 2, 1, 4, 12.5])).toBe(
      `${head("h", "histogram")}h_bucket{x="2",le="0.5"} 2\nh_bucket{x="2",le="1"} 3\n` +
        'h_bucket{x="2",le="+Inf"} 7\nh_sum{x="2"} 12.5\nh_count{x="2"} 7\n',
    );
  });
});

describe("sampledText and summaryText", () => {
  const metric: Metric = { name: "g", type: "gauge", says: "Two\nlines \\ and more." };

  test("escape what would break a line or a value", () => {
    const labels = [["l", 'a"b\\c\nd']] as const;
    expect(sampledText(metric, [{ labels, value: 1e21 }])).toBe(
      '# HELP g Two\\nlines \\\\ and more.\n# TYPE g gauge\ng{l="a\\"b\\\\c\\nd"} 1e+21\n',
    );
  });

  test("numbers that JavaScript writes otherwise", () => {
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -0.25];
    const lines = sampledText(
      metric,
      values.map((value) => ({ labels: [], value })),
    );
    expect(lines.split("\n").slice(2)).toEqual(["g +Inf", "g -Inf", "g NaN", "g -0.25", ""]);
  });

  test("a summary has a sum and a count", () => {
    const summary: Metric = { name: "s", type: "summary", says: "Says." };
    expect(summaryText(summary, [{ labels: [["repo", "a/b"]], sum: 1.25, count: 3 }])).toBe(
      `${head("s", "summary")}s_sum{repo="a/b"} 1.25\ns_count{repo="a/b"} 3\n`,
    );
  });
});
