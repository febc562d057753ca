// From rounds to figures: the best round of each cell, ratios, and whether a target is met.
//
// The best round is taken, not the mean: what else runs on a machine can only make a round worse, never better.

import { GiB } from "../src/lib/bytes.ts";
import type { Cell, Measured, Round, Scenario, Target, Unit } from "./scenario.ts";

/** The figures of one server in one case. */
export interface Figures {
  /** CPU seconds of the server per request, per push or per GiB. */
  readonly cpu: number;
  /** The same of the middle round, to see how much the rounds differ. */
  readonly cpuMedian: number;
  /** Requests, pushes or GiB per second. */
  readonly rate: number;
  /** The largest memory peak of each process, the server's first process first. */
  readonly peaks: readonly number[];
  /** Share of the time in which the load generator worked, in its fastest round; near 1 it may be what limits the rate. */
  readonly generatorBusy: number;
}

/** null when there is no round. */
export function figuresOf(measured: Measured, unit: Unit): Figures | null {
  const { rounds } = measured;
  const cpus = rounds.map((round) => round.cpuSeconds / unitsOf(round, unit)).sort((a, b) => a - b);
  const fastest = rounds.toSorted((a, b) => rateOf(b, unit) - rateOf(a, unit))[0];
  const cpu = cpus[0];
  if (fastest === undefined || cpu === undefined) return null;
  const processes = Math.max(...rounds.map((round) => round.peaks.length));
  return {
    cpu,
    cpuMedian: cpus[Math.floor(cpus.length / 2)] ?? cpu,
    rate: rateOf(fastest, unit),
    peaks: Array.from({ length: processes }, (_, index) =>
      Math.max(...rounds.map((round) => round.peaks[index]?.bytes ?? 0)),
    ),
    generatorBusy: fastest.generatorCpuSeconds / fastest.seconds,
  };
}

function unitsOf(round: Round, unit: Unit): number {
  return unit === "GiB" ? round.bytes / GiB : round.operations;
}

function rateOf(round: Round, unit: Unit): number {
  return unitsOf(round, unit) / round.seconds;
}

/** A target with its figure. `met` is null when a server that it needs was not measured. */
export interface Verdict {
  readonly target: Target;
  readonly value: number | null;
  readonly met: boolean | null;
}

/** Holds the targets of a scenario against what was measured. */
export function judge(scenario: Scenario, measured: readonly Measured[]): Verdict[] {
  return scenario.targets.map((target) => {
    const of = quantityOf(target, target.of, scenario, measured);
    const against =
      target.against === undefined ? 1 : quantityOf(target, target.against, scenario, measured);
    if (of === null || against === null) return { target, value: null, met: null };
    const value = of / against;
    const met = value <= (target.atMost ?? Infinity) && value >= (target.atLeast ?? -Infinity);
    return { target, value, met };
  });
}

function quantityOf(
  target: Target,
  cell: Cell,
  scenario: Scenario,
  measured: readonly Measured[],
): number | null {
  const found = measured.find((each) => each.server === cell.server && each.case === cell.case);
  const figures = found === undefined ? null : figuresOf(found, scenario.unit);
  if (figures === null) return null;
  if (target.quantity === "peak") return Math.max(...figures.peaks);
  return figures[target.quantity];
}
