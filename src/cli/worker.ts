/**
 * `zot worker`, started by `zot serve`: one process that answers HTTP.
 *
 * It does what its supervisor says, and ends at once when the supervisor is gone, since nobody could commit for it any
 * more. It holds nothing that another worker would miss.
 */
import type { Config } from "../config/schema.ts";
import { flushLogs, openLog } from "../lib/log.ts";
import { ChannelCommitter } from "../metadata/commit_channel.ts";
import { startWorker, type Worker } from "../server.ts";
import { PrimaryPulse } from "./primary_pulse.ts";
import { wantsColour } from "./wants_colour.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

/** The longest that a timer can be set to. */
const retiredGraceMs = 2 ** 31 - 1;

/** Runs until the supervisor says stop; returns the exit code. */
export function runWorker(): Promise<number> {
  if (process.send === undefined) {
    process.stderr.write("zot: worker is started by 'zot serve', not by hand\n");
    return Promise.resolve(1);
  }
  const { promise, resolve } = Promise.withResolvers<number>();
  const committer = new ChannelCommitter((request) => send(request));
  const pulse = new PrimaryPulse(committer);
  let starting: Promise<Worker> | null = null;

  const handle = async (message: ToWorker): Promise<void> => {
    if (message.type === "replies") message.replies.forEach((reply) => committer.receive(reply));
    else if (message.type === "init") await (starting = start(message, committer, pulse));
    else if (message.type === "alive") answer(pulse, message.problem);
    else if (message.type === "tls") await (await starting)?.replaceTls(message.tls);
    else if (message.type === "reconciled") markStarted(await starting);
    else if (message.type === "login") (await starting)?.learn(message.news);
    else if (message.type === "config") await reconfigure(await starting, message.config);
    else if (message.type === "retire") resolve(await retire(await starting));
    else resolve(await stop(await starting, message.graceMs));
  };
  process.on("message", (message: ToWorker) => {
    handle(message).catch((error: unknown) => {
      send({ type: "failed", message: error instanceof Error ? error.message : String(error) });
      resolve(1);
    });
  });
  process.on("disconnect", () => {
    committer.close();
    pulse.gone();
    resolve(1);
  });
  // The supervisor gets the terminal's signals as well, and says when to stop.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {});
  send({ type: "hello" });
  return promise;
}

async function start(
  { config, index, port, reconciled, tls, places }: Extract<ToWorker, { type: "init" }>,
  committer: ChannelCommitter,
  pulse: PrimaryPulse,
): Promise<Worker> {
  const log = await openLog({
    level: config.log.level,
    output: config.log.output,
    base: { worker: index },
    colour: wantsColour(),
  });
  const idPrefix = `${index}-${process.pid.toString(36)}-`;
  const worker = await startWorker({
    config,
    log,
    committer,
    port,
    sharePort: true,
    idPrefix,
    tls,
    places,
    tell: (news) => send({ type: "login", news }),
  });
  worker.health.started = reconciled;
  pulse.serve(worker, log);
  send({ type: "listening", port: worker.port });
  return worker;
}

function answer(pulse: PrimaryPulse, problem: string | null): void {
  pulse.heard(problem);
  send({ type: "alive" });
}

function markStarted(worker: Worker | null): void {
  if (worker !== null) worker.health.started = true;
}

/** A worker that cannot goes on as it was: the supervisor has tried it before, so it is told rather than handled. */
async function reconfigure(worker: Worker | null, config: Config): Promise<void> {
  try {
    await worker?.reconfigure(config);
    send({ type: "configured", problem: null });
  } catch (error) {
    send({ type: "configured", problem: error instanceof Error ? error.message : String(error) });
  }
}

/** Requests in flight take as long as they need: only a stop of the server cuts them. */
async function retire(worker: Worker | null): Promise<number> {
  await worker?.retire();
  return await stop(worker, retiredGraceMs);
}

async function stop(worker: Worker | null, graceMs: number): Promise<number> {
  await worker?.stop(graceMs);
  flushLogs();
  return 0;
}

function send(message: FromWorker): void {
  process.send?.(message);
}
