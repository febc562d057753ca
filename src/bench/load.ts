/**
 * Repeats an operation in a closed loop and measures it.
 *
 * It runs exactly `count` operations, `concurrency` at once. A failed one is counted by its kind and does not stop the
 * others. The generator's own processor time is measured as well, so that a reader sees whether the load or the
 * registry was the limit.
 */
import { ClientError } from "../client/client_error.ts";
import { systemClock, type Clock } from "../lib/clock.ts";
import type { Operation } from "./scenario.ts";
import { BenchError } from "./world.ts";

export interface Percentiles {
  /** Milliseconds. */
  readonly min: number;
  readonly p50: number;
  readonly p75: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadResult {
  readonly completed: number;
  readonly failed: number;
  /** How often each kind of error came, and one text of it. */
  readonly errors: readonly {
    readonly kind: string;
    readonly count: number;
    readonly example: string;
  }[];
  readonly elapsedMs: number;
  readonly bytes: number;
  /** Of completed operations; null when there was none. */
  readonly latencyMs: Percentiles | null;
  readonly firstByteMs: Percentiles | null;
  /** Processor seconds of the generator for one second of the run: near 1 it was the bottleneck. */
  readonly generatorBusy: number;
}

export interface LoadOptions {
  readonly operation: Operation;
  readonly count: number;
  readonly concurrency: number;
  readonly onProgress: (done: number) => void;
  readonly clock?: Clock;
}

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { operation, count, concurrency, onProgress } = options;
  const clock = options.clock ?? systemClock;
  const latencies: number[] = [];
  const firstBytes: number[] = [];
  const errors = new Map<string, { count: number; example: string }>();
  let bytes = 0;
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const startedMs = clock.monotonicMs();
      try {
        const result = await operation(index);
        latencies.push(clock.monotonicMs() - startedMs);
        if (result.firstByteMs !== null) firstBytes.push(result.firstByteMs);
        bytes += result.bytes;
      } catch (error) {
        countError(errors, error);
      }
      done += 1;
      onProgress(done);
    }
  };
  const usage = process.cpuUsage();
  const startedMs = clock.monotonicMs();
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  const elapsedMs = clock.monotonicMs() - startedMs;
  const { user, system } = process.cpuUsage(usage);
  return {
    completed: latencies.length,
    failed: count - latencies.length,
    errors: [...errors].map(([kind, value]) => ({ kind, ...value })),
    elapsedMs,
    bytes,
    latencyMs: percentiles(latencies),
    firstByteMs: percentiles(firstBytes),
    generatorBusy: (user + system) / 1000 / elapsedMs,
  };
}

/** Nearest-rank percentiles; null for no values. */
export function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.max(Math.ceil(part * sorted.length) - 1, 0)] ?? Number.NaN;
  return { min: at(0), p50: at(0.5), p75: at(0.75), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function countError(errors: Map<string, { count: number; example: string }>, error: unknown): void {
  const kind = kindOf(error);
  const known = errors.get(kind);
  const example = error instanceof Error ? error.message : String(error);
  errors.set(kind, { count: (known?.count ?? 0) + 1, example: known?.example ?? example });
}

function kindOf(error: unknown): string {
  if (error instanceof BenchError || error instanceof ClientError) return error.kind;
  return error instanceof Error ? error.name : "unknown";
}
