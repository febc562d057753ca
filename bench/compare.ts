// Runs a comparison: starts its servers with empty directories, and runs each of its cases on them in turn.
//
// The data is gone when the comparison ends, also when it fails.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { runScenario, type ProgressEvent, type ScenarioResult } from "../src/bench/bench.ts";
import { must } from "../src/lib/assert.ts";
import type { Comparison, ComparisonResult, Scale } from "./comparison.ts";
import { type Peer, type PeerName, startPeer, workersDefault } from "./peers.ts";

export interface CompareOptions {
  readonly peers: readonly PeerName[];
  readonly against: string | null;
  readonly scale: Scale;
  readonly directory: string;
  readonly onProgress: (event: ProgressEvent) => void;
}

/** Runs one comparison with those of `options.peers` that it has; a failure is part of the result. */
export async function compare(
  comparison: Comparison,
  options: CompareOptions,
): Promise<ComparisonResult> {
  const cases: ScenarioResult[] = [];
  const directory = join(options.directory, comparison.name);
  try {
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const peers = await startPeers(comparison, { ...options, directory }, stack);
    for (const [turn, row] of comparison.cases.entries()) {
      const names = row.peers.filter((name) => peers.has(name));
      if (names.length === 0) continue;
      const { scale, onProgress } = options;
      const run = {
        targets: names.map((name) => must(peers.get(name), "it was started").target),
        requests: scale.requests,
        concurrency: row.concurrency,
        rounds: comparison.rounds ?? scale.rounds,
        prefix: "bench",
        // The servers' data goes as a whole.
        keep: true,
        onProgress,
      };
      cases.push(await runScenario(row, run, turn));
    }
    return { name: comparison.name, cases, failure: null };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { name: comparison.name, cases, failure };
  }
}

async function startPeers(
  comparison: Comparison,
  options: CompareOptions,
  stack: AsyncDisposableStack,
): Promise<Map<PeerName, Peer>> {
  const started = new Map<PeerName, Peer>();
  for (const name of new Set(comparison.cases.flatMap(({ peers }) => peers))) {
    if (!options.peers.includes(name)) continue;
    const peer = await startPeer(name, {
      directory: join(options.directory, name),
      workers: comparison.workers ?? workersDefault,
      tls: comparison.tls ?? false,
      against: options.against,
    });
    started.set(name, stack.use(peer));
  }
  return started;
}
