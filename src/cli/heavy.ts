/**
 * `zot heavy`, started by `zot serve`: a process for work that computes for long. It reads and writes bytes itself,
 * reads the metadata, and commits through the primary. It ends with the primary.
 */
import { constants, setPriority } from "node:os";
import { systemClock } from "../lib/clock.ts";
import { flushLogs, openLog } from "../lib/log.ts";
import { ChannelCommitter } from "../metadata/commit_channel.ts";
import { openWorkshop, type HeavyWorkshop, type NamedWork } from "../server.ts";
import type { FromHeavy, ToHeavy } from "./heavy_messages.ts";

/** Runs until there is nothing to do; returns the exit code. `more` is work beside the server's own. */
export function runHeavy(more: readonly NamedWork[] = []): Promise<number> {
  if (process.send === undefined) {
    process.stderr.write("zot: heavy is started by 'zot serve', not by hand\n");
    return Promise.resolve(1);
  }
  const { promise, resolve } = Promise.withResolvers<number>();
  const committer = new ChannelCommitter((request) => send(request));
  const aborts = new Map<number, AbortController>();
  let opening: Promise<HeavyWorkshop> | null = null;
  // Requests come first.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

  const run = async ({ id, work, argument }: Extract<ToHeavy, { type: "run" }>): Promise<void> => {
    const abort = new AbortController();
    aborts.set(id, abort);
    try {
      const workshop = await opening;
      const result = await workshop?.run(work, argument, abort.signal);
      // Before it is done: the process may be ended at once then.
      flushLogs();
      send({ type: "done", id, result });
    } catch (error) {
      send({ type: "failed", id, message: error instanceof Error ? error.message : String(error) });
    } finally {
      aborts.delete(id);
    }
  };
  process.on("message", (message: ToHeavy) => {
    if (message.type === "committed") committer.receive(message);
    else if (message.type === "init") opening = open(message, committer, more);
    else if (message.type === "run") void run(message);
    else if (message.type === "abort") aborts.get(message.id)?.abort();
    else resolve(0);
  });
  process.on("disconnect", () => {
    committer.close();
    resolve(1);
  });
  // The primary gets the terminal's signals as well, and says when to end.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {});
  send({ type: "hello" });
  return promise.finally(() => flushLogs());
}

async function open(
  { config }: Extract<ToHeavy, { type: "init" }>,
  committer: ChannelCommitter,
  more: readonly NamedWork[],
): Promise<HeavyWorkshop> {
  const { level, output } = config.log;
  const log = await openLog({ level, output, base: { process: "heavy" } });
  return openWorkshop(config, { log, committer, clock: systemClock }, more);
}

function send(message: FromHeavy): void {
  process.send?.(message);
}
