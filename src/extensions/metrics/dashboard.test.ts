// The dashboard asks only for figures that there are, by labels that they have; the guide explains every one.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Metric } from "../../lib/metrics/metric.ts";
import { registryJobNames } from "../../registry/jobs.ts";
import { metricsGuide } from "./reference.ts";
import { countedMetrics, repositoryMetrics, sampledMetrics } from "./table.ts";

const root = join(import.meta.dir, "../../..");
const all: Metric[] = [
  ...Object.values(countedMetrics({ endpoints: ["none"], jobs: registryJobNames })),
  ...Object.values(repositoryMetrics),
  ...Object.values(sampledMetrics),
];

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = (await Bun.file(join(root, "examples/metrics/dashboard.json")).json()) as {
  readonly panels: readonly Panel[];
};
const questions = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
);

test("names are those of Prometheus' conventions, each once", () => {
  const names = all.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, type } of all) {
    expect(name).toMatch(/^(zot|process)_[a-z0-9_]+$/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
  }
});

describe("the dashboard", () => {
  test.each(questions)("%s: %s", (_, expr) => {
    const named = [...expr.matchAll(/\b((?:zot|process)_\w+)\{([^}]*)\}/g)];
    expect(named.length).toBeGreaterThan(0);
    for (const [, name = "", matchers = ""] of named) {
      const metric = all.find(
        (each) => each.name === name || each.name === name.replace(/_(bucket|sum|count)$/, ""),
      );
      expect(metric, name).toBeDefined();
      const labels = ["job", "instance", ...(metric?.labels ?? []).map((label) => label.name)];
      const asked = [...matchers.matchAll(/(\w+)(?:=~|=)"/g)].map(([, label]) => label ?? "");
      expect(asked.filter((label) => !labels.includes(label))).toEqual([]);
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) =>
        list.split(", "),
      );
      expect(grouped.filter((label) => label !== "le" && !labels.includes(label))).toEqual([]);
    }
  });
});

test("the guide explains every metric with a sentence", () => {
  const guide = metricsGuide();
  for (const { name, type, says } of all) {
    expect(guide).toContain(`| \`${name}\` | ${type} |`);
    expect(says).toMatch(/\.$/);
  }
});

// Prometheus puts these on everything it scrapes, and renames a label of the same name.
test("no metric has a label that a scrape has", () => {
  const labels = all.flatMap((metric) => (metric.labels ?? []).map(({ name }) => name));
  expect(labels.filter((label) => ["job", "instance"].includes(label))).toEqual([]);
});
