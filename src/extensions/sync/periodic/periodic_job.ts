/** The job that copies from time to time what entries with a `pollInterval` choose; the first round is at the start. */
import type { Clock } from "../../../lib/clock.ts";
import type { RegistryJob } from "../../../registry/registry_job.ts";
import { SyncRound, type RoundParts } from "./sync_round.ts";

export const periodicJobName = "mirror sync";
/** Rounds are moved by up to this part of their interval, so that many mirrors do not ask at the same moment. */
const jitterPart = 0.1;

export function periodicJob(rounds: readonly RoundParts[]): RegistryJob | null {
  const [first] = rounds;
  if (first === undefined) return null;
  const { registry } = first.fetch;
  const due = new Map<RoundParts, number>();
  return {
    name: periodicJobName,
    everyMs: Math.min(...rounds.map(({ entry }) => entry.values.pollInterval)),
    followsCommits: false,
    lease: periodicJobName,
    run: async (signal) => {
      const { clock, report } = registry;
      // Upstreams do not wait for each other.
      await Promise.all(
        rounds.map(async (round) => {
          if ((due.get(round) ?? 0) > clock.monotonicMs()) return;
          try {
            await new SyncRound(round, signal).run();
          } catch (error) {
            if (signal.aborted) return;
            const problem = error instanceof Error ? error.message : String(error);
            report("error", "an upstream could not be synced", {
              upstream: round.entry.hosts[0],
              problem,
            });
          }
          due.set(round, clock.monotonicMs() + jittered(round.entry.values.pollInterval));
        }),
      );
      return waitMs(rounds, due, clock);
    },
  };
}

function waitMs(
  rounds: readonly RoundParts[],
  due: ReadonlyMap<RoundParts, number>,
  clock: Clock,
): number {
  const next = Math.min(...rounds.map((round) => due.get(round) ?? 0));
  return Math.max(0, next - clock.monotonicMs());
}

function jittered(intervalMs: number): number {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return intervalMs * (1 + jitterPart * ((2 * random) / 2 ** 32 - 1));
}
