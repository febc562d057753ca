// Holds what was measured against the project's targets.

import type { Measured, ScenarioResult } from "../src/bench/bench.ts";
import { rateOf } from "../src/bench/report.ts";
import { formatBytes } from "../src/lib/bytes.ts";
import type { Cell, Comparison, Target } from "./comparison.ts";

/** A target with its figure. `met` is null when a server that it needs was not measured. */
export interface Verdict {
  readonly target: Target;
  readonly value: number | null;
  readonly met: boolean | null;
}

export function judge(comparison: Comparison, cases: readonly ScenarioResult[]): Verdict[] {
  return comparison.targets.map((target) => {
    const of = quantityOf(target.quantity, target.of, cases);
    const against =
      target.against === undefined ? 1 : quantityOf(target.quantity, target.against, cases);
    if (of === null || against === null || against === 0) return { target, value: null, met: null };
    const value = of / against;
    const met = value <= (target.atMost ?? Infinity) && value >= (target.atLeast ?? -Infinity);
    return { target, value, met };
  });
}

const quantities: Readonly<Record<Target["quantity"], (measured: Measured) => number | null>> = {
  cpu: ({ serverCpuSeconds }) => serverCpuSeconds,
  rate: rateOf,
  peak: ({ serverPeakBytes }) => serverPeakBytes,
};

function quantityOf(
  quantity: Target["quantity"],
  cell: Cell,
  cases: readonly ScenarioResult[],
): number | null {
  const measured = cases
    .find(({ name }) => name === cell.case)
    ?.results.find(({ target }) => target === cell.peer);
  if (measured === undefined || measured.problem !== null || measured.failed > 0) return null;
  return quantities[quantity](measured);
}

/** Head and rows: each target with its limit, its figure and whether it is met. */
export function targetTable(verdicts: readonly Verdict[]): string[][] {
  const rows = verdicts.map((verdict) => [
    verdict.target.says,
    limitOf(verdict),
    valueOf(verdict),
    verdict.met === null ? "not measured" : verdict.met ? "met" : "NOT MET",
  ]);
  return [["target", "limit", "measured", ""], ...rows];
}

/** The same with aligned columns, for the terminal. */
export function targetText(verdicts: readonly Verdict[]): string {
  const table = targetTable(verdicts);
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return table.map((row) => line(row).trimEnd()).join("\n");
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
