/**
 * The result of a bench run as text for people; machines take the JSON of `BenchResult` itself.
 *
 * One line per scenario and registry, units in the head, and the ratio of the first registry to the second where there
 * are two. A rate that the generator may have limited is marked.
 */
import { formatBytes } from "../lib/bytes.ts";
import type { BenchResult, Measured, ScenarioResult } from "./bench.ts";

/** From here on the generator may have been the limit. */
const busyMax = 0.85;
const wide = 12;

interface Column {
  readonly head: string;
  readonly width: number;
  readonly cell: (measured: Measured) => string;
}

const columns: readonly Column[] = [
  {
    head: "ops/s",
    width: wide,
    cell: (m) => `${number(rateOf(m))}${m.generatorBusy > busyMax ? "*" : " "}`,
  },
  { head: "MB/s", width: wide, cell: (m) => number(throughputOf(m)) },
  { head: "p50 ms", width: wide, cell: (m) => number(m.latencyMs?.p50 ?? null) },
  { head: "p90 ms", width: wide, cell: (m) => number(m.latencyMs?.p90 ?? null) },
  { head: "p99 ms", width: wide, cell: (m) => number(m.latencyMs?.p99 ?? null) },
  { head: "first ms", width: wide, cell: (m) => number(m.firstByteMs?.p50 ?? null) },
  {
    head: "CPU ms/op",
    width: wide,
    cell: (m) => number(m.serverCpuSeconds === null ? null : m.serverCpuSeconds * 1000),
  },
  {
    head: "peak",
    width: wide,
    cell: (m) => (m.serverPeakBytes === null ? "-" : formatBytes(m.serverPeakBytes)),
  },
  { head: "failed", width: 8, cell: (m) => String(m.failed) },
];

export function rateOf(measured: Measured): number | null {
  return measured.elapsedMs === 0 ? null : (measured.completed * 1000) / measured.elapsedMs;
}

/** Megabytes (10^6) per second. */
export function throughputOf(measured: Measured): number | null {
  return measured.elapsedMs === 0 ? null : measured.bytes / 1000 / measured.elapsedMs;
}

export function reportText(result: BenchResult): string {
  const several = result.targets.length > 1;
  const lines = [
    ...result.targets.map(({ label, url }) => `${label}  ${url}`),
    `${result.concurrency} at once; the generator alone makes at least ${number(result.ceiling)} requests/s`,
    "",
  ];
  const nameWidth = Math.max(...result.scenarios.map(({ name }) => name.length), 8) + 2;
  const labelWidth = Math.max(...result.targets.map(({ label }) => label.length), 8) + 2;
  const head = columns.map(({ head: text, width }) => text.padStart(width)).join("");
  lines.push(`${"scenario".padEnd(nameWidth)}${"registry".padEnd(labelWidth)}${head}`);
  for (const scenario of result.scenarios) {
    for (const measured of scenario.results) {
      const cells =
        measured.problem === null
          ? columns.map(({ cell, width }) => cell(measured).padStart(width)).join("")
          : `  could not be set up: ${measured.problem}`;
      lines.push(`${scenario.name.padEnd(nameWidth)}${measured.target.padEnd(labelWidth)}${cells}`);
    }
    if (several) lines.push(`${"".padEnd(nameWidth)}${ratioText(scenario)}`, "");
  }
  lines.push(...errorLines(result));
  if (result.scenarios.some(({ results }) => results.some((m) => m.generatorBusy > busyMax))) {
    lines.push("", "* the generator was busy nearly all the time: the registry may be faster");
  }
  return `${lines.join("\n")}\n`;
}

/** Ratios of the first registry to the second: above 1 is more operations, or more cost. */
export function ratios(scenario: ScenarioResult): { rate: number | null; cpu: number | null } {
  const [first, second] = scenario.results;
  if (first === undefined || second === undefined) return { rate: null, cpu: null };
  return {
    rate: quotient(rateOf(first), rateOf(second)),
    cpu: quotient(first.serverCpuSeconds, second.serverCpuSeconds),
  };
}

function ratioText(scenario: ScenarioResult): string {
  const [first, second] = scenario.results;
  const { rate, cpu } = ratios(scenario);
  const parts = [
    rate === null ? null : `ops/s × ${number(rate)}`,
    cpu === null ? null : `CPU/op × ${number(cpu)}`,
  ];
  const shown = parts.filter((part) => part !== null);
  return `${first?.target} against ${second?.target}: ${shown.join(", ") || "not comparable"}`;
}

function quotient(a: number | null, b: number | null): number | null {
  return a === null || b === null || b === 0 ? null : a / b;
}

function errorLines(result: BenchResult): string[] {
  const lines = result.scenarios.flatMap(({ name, results }) =>
    results.flatMap(({ target, errors }) =>
      errors.map(
        ({ kind, count, example }) => `${name} on ${target}: ${count} × ${kind}: ${example}`,
      ),
    ),
  );
  return lines.length === 0 ? [] : ["", "Errors", ...lines];
}

/** Three digits that matter. */
export function number(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return "-";
  if (value === 0) return "0";
  const digits = Math.max(2 - Math.floor(Math.log10(Math.abs(value))), 0);
  return value.toLocaleString("en", {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3),
  });
}
