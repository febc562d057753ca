/**
 * The result of a bench run as text for people; machines take the JSON of `BenchResult` itself.
 *
 * One line per scenario and registry, units in the head, and the ratio of the first registry to each other one. A rate
 * that the generator may have limited is marked.
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
    head: "median",
    width: wide,
    cell: (m) => number(m.medianCpuSeconds === null ? null : m.medianCpuSeconds * 1000),
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
  const lines = [
    ...result.targets.map(({ label, url }) => `${label}  ${url}`),
    `${result.concurrency} at once; the generator alone makes at least ${number(result.ceiling)} requests/s`,
    ...(result.rounds > 1 ? [`the best of ${result.rounds} rounds`] : []),
    "",
  ];
  return `${lines.join("\n")}\n${scenariosText(result.scenarios)}`;
}

/** The table of scenarios, and below it what failed. */
export function scenariosText(scenarios: readonly ScenarioResult[]): string {
  const measured = scenarios.flatMap(({ results }) => results);
  const nameWidth = Math.max(...scenarios.map(({ name }) => name.length), 8) + 2;
  const labelWidth = Math.max(...measured.map(({ target }) => target.length), 8) + 2;
  const head = columns.map(({ head: text, width }) => text.padStart(width)).join("");
  const lines = [`${"scenario".padEnd(nameWidth)}${"registry".padEnd(labelWidth)}${head}`];
  for (const scenario of scenarios) {
    for (const each of scenario.results) {
      const cells =
        each.problem === null
          ? columns.map(({ cell, width }) => cell(each).padStart(width)).join("")
          : `  could not be set up: ${each.problem}`;
      lines.push(`${scenario.name.padEnd(nameWidth)}${each.target.padEnd(labelWidth)}${cells}`);
    }
    const [first, ...others] = scenario.results;
    for (const other of others) {
      lines.push(`${"".padEnd(nameWidth)}${first === undefined ? "" : ratioText(first, other)}`);
    }
    if (others.length > 0) lines.push("");
  }
  lines.push(...errorLines(scenarios));
  if (measured.some(({ generatorBusy }) => generatorBusy > busyMax)) {
    lines.push("", "* the generator was busy nearly all the time: the registry may be faster");
  }
  return `${lines.join("\n")}\n`;
}

/** Ratios of one registry to another: above 1 is more operations, or more cost. */
export function ratios(
  one: Measured,
  other: Measured,
): { readonly rate: number | null; readonly cpu: number | null } {
  return {
    rate: quotient(rateOf(one), rateOf(other)),
    cpu: quotient(one.serverCpuSeconds, other.serverCpuSeconds),
  };
}

function ratioText(one: Measured, other: Measured): string {
  const { rate, cpu } = ratios(one, other);
  const parts = [
    rate === null ? null : `ops/s × ${number(rate)}`,
    cpu === null ? null : `CPU/op × ${number(cpu)}`,
  ];
  const shown = parts.filter((part) => part !== null);
  return `${one.target} against ${other.target}: ${shown.join(", ") || "not comparable"}`;
}

function quotient(a: number | null, b: number | null): number | null {
  return a === null || b === null || b === 0 ? null : a / b;
}

function errorLines(scenarios: readonly ScenarioResult[]): string[] {
  const lines = scenarios.flatMap(({ name, results }) =>
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
