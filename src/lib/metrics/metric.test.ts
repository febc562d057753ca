// Where numbers lie: every series has a place of its own, and its labels can be told from it.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { PlacedMetric, placeMetrics, type Metric } from "./metric.ts";

const label = (name: string, ...values: string[]) => ({ name, values });

describe("PlacedMetric", () => {
  const metric: Metric = {
    name: "requests_total",
    type: "counter",
    says: "Requests.",
    labels: [label("method", "GET", "PUT"), label("code", "200", "404", "other")],
  };

  test("places each series by its labels, the last label fastest", () => {
    const placed = new PlacedMetric(metric, 100);
    expect([placed.at(0, 0), placed.at(0, 2), placed.at(1, 0)]).toEqual([100, 102, 103]);
    expect(placed.of("PUT", "404")).toBe(104);
    expect([...placed.labelled()][4]).toEqual([
      ["method", "PUT"],
      ["code", "404"],
    ]);
  });

  test("knows no value that its row does not list", () => {
    const placed = new PlacedMetric(metric, 0);
    expect(() => placed.of("PUT", "500")).toThrow("requests_total: code cannot be 500");
    expect(() => placed.of("PUT")).toThrow("requests_total has 2 labels");
  });

  test("a metric without labels is one series", () => {
    const placed = new PlacedMetric({ name: "x", type: "gauge", says: "" }, 7);
    expect([placed.series, placed.width, placed.at(), placed.of()]).toEqual([1, 1, 7, 7]);
    expect([...placed.labelled()]).toEqual([[]]);
  });
});

test("no two numbers of a table share a place, and none lies outside", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 });
  const buckets = fc.option(fc.integer({ min: 0, max: 5 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(sizes, buckets), { maxLength: 6 }), (shapes) => {
      const metrics = Object.fromEntries(
        shapes.map(([labels, count], at): [string, Metric] => [
          `m${at}`,
          {
            name: `m${at}`,
            type: count === null ? "counter" : "histogram",
            says: "",
            labels: labels.map((size, index) =>
              label(`l${index}`, ...Array.from({ length: size }, (_, value) => `v${value}`)),
            ),
            buckets: Array.from({ length: count ?? 0 }, (_, bound) => bound),
          },
        ]),
      );
      const { placed, slots } = placeMetrics(metrics);
      const places = Object.values(placed).flatMap((each) =>
        [...each.labelled()].flatMap((labels) => {
          const start = each.of(...labels.map(([, value]) => value));
          return Array.from({ length: each.width }, (_, at) => start + at);
        }),
      );
      expect(places).toEqual(Array.from({ length: slots }, (_, at) => at));
    }),
  );
});
