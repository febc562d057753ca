// The benchmark's figures as a table of cells, for the terminal and for the page.
//
// `figures.ts` computes the figures, `page.ts` writes the page around the tables.

import { formatBytes, MiB } from "../src/lib/bytes.ts";
import { figuresOf, judge, type Verdict } from "./figures.ts";
import type { Scenario, ScenarioResult, Unit } from "./scenario.ts";

/** Above this share of its time the load generator may be what limits the rate; such a rate is marked. */
const generatorBusyMax = 0.9;

const rateUnits: Readonly<Record<Unit, string>> = {
  request: "requests/s",
  push: "pushes/s",
  GiB: "GiB/s",
};

/** Head and rows of a scenario's table. */
export function scenarioTable(scenario: Scenario, result: ScenarioResult): string[][] {
  const head = [
    "server",
    ...(scenario.cases.length > 1 ? ["case"] : []),
    `CPU per ${scenario.unit}`,
    "median",
    rateUnits[scenario.unit],
    "peak RSS, MiB",
    "generator busy",
  ];
  const rows = result.measured.flatMap((measured) => {
    const figures = figuresOf(measured, scenario.unit);
    if (figures === null) return [];
    const title = scenario.cases.find((each) => each.name === measured.case)?.title ?? "";
    const mark = figures.generatorBusy > generatorBusyMax ? " *" : "";
    return [
      [
        measured.server,
        ...(scenario.cases.length > 1 ? [title] : []),
        formatSeconds(figures.cpu),
        formatSeconds(figures.cpuMedian),
        `${formatRate(figures.rate)}${mark}`,
        figures.peaks.map((bytes) => Math.round(bytes / MiB)).join(" + ") || "-",
        `${Math.round(figures.generatorBusy * 100)} %`,
      ],
    ];
  });
  return [head, ...rows];
}

/** The scenario's targets, each with its figure and whether it is met. */
export function targetTable(scenario: Scenario, result: ScenarioResult): string[][] {
  const rows = judge(scenario, result.measured).map((verdict) => [
    verdict.target.says,
    limitOf(verdict),
    valueOf(verdict),
    verdict.met === null ? "not measured" : verdict.met ? "met" : "NOT MET",
  ]);
  return [["target", "limit", "measured", ""], ...rows];
}

/** A table with aligned columns. */
export function alignTable(table: readonly (readonly string[])[]): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd();
  return table.map(line).join("\n");
}

/** What the terminal shows when a scenario is done. */
export function scenarioText(scenario: Scenario, result: ScenarioResult): string {
  const parts = [`${scenario.name}: ${scenario.title} (${scenario.load})`];
  const table = scenarioTable(scenario, result);
  if (table.length > 1) parts.push(alignTable(table));
  const targets = targetTable(scenario, result);
  if (targets.length > 1) parts.push(alignTable(targets));
  if (result.failure !== null) parts.push(`  FAILED: ${result.failure}`);
  return `${parts.join("\n\n")}\n`;
}

/** CPU seconds with three digits, in the unit that fits. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toPrecision(3)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toPrecision(3)} ms`;
  return `${seconds.toPrecision(3)} s`;
}

function formatRate(rate: number): string {
  return rate >= 100 ? Math.round(rate).toLocaleString("en") : rate.toPrecision(3);
}

function limitOf({ target }: Verdict): string {
  const format = target.quantity === "peak" ? formatBytes : (value: number) => `${value} ×`;
  if (target.atMost !== undefined) return `≤ ${format(target.atMost)}`;
  return `≥ ${format(target.atLeast ?? 0)}`;
}

function valueOf({ target, value }: Verdict): string {
  if (value === null) return "-";
  return target.quantity === "peak" ? formatBytes(value) : `${value.toPrecision(3)} ×`;
}
