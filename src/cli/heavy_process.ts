/**
 * The primary's process for heavy work: it is started when there is work, and ended when there was none for a while.
 *
 * When the process dies, another one begins the work again, after growing pauses where processes die young. After a few
 * tries the work is given up, and only that.
 */
import type { Config } from "../config/schema.ts";
import type { HeavyRunner, HeavyWork } from "../jobs/heavy_work.ts";
import type { Log } from "../lib/log.ts";
import { answerCommit } from "../metadata/commit_channel.ts";
import type { Committer } from "../metadata/metadata.ts";
import type { FromHeavy, ToHeavy } from "./heavy_messages.ts";

/** How long the process stays when it has nothing to do. */
const idleMsDefault = 10_000;
/** Processes that a piece of work may cost. */
const triesMax = 4;
/** A process that dies sooner than this after its start is followed by another one with growing pauses. */
const healthyMs = 5_000;
const restartPauseMinMs = 50;
const restartPauseMaxMs = 5_000;

export interface HeavyProcessOptions {
  readonly command: readonly string[];
  readonly config: Config;
  readonly committer: Committer;
  readonly log: Log;
  readonly idleMs?: number;
}

interface Running {
  readonly work: string;
  readonly argument: unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  tries: number;
}

interface Child {
  readonly process: Bun.Subprocess<"ignore", "inherit", "inherit">;
  readonly startedAt: number;
  /** It has said hello. */
  ready: boolean;
}

export class HeavyProcess<Context> implements HeavyRunner<Context> {
  readonly #options: HeavyProcessOptions;
  readonly #running = new Map<number, Running>();
  #nextId = 1;
  #child: Child | null = null;
  #pauseMs = restartPauseMinMs;
  /** Until the next start, or until the process has been idle for long enough. */
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(options: HeavyProcessOptions) {
    this.#options = options;
  }

  async run<Argument, Result>(
    { name }: HeavyWork<Context, Argument, Result>,
    argument: Argument,
    signal: AbortSignal,
  ): Promise<Result> {
    signal.throwIfAborted();
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abort = (): void => {
      this.#send({ type: "abort", id });
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort);
    this.#running.set(id, { work: name, argument, resolve, reject, tries: 0 });
    this.#begin(id);
    try {
      // It is the result of the work of that name, which the process has run.
      return (await promise) as Result;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#running.delete(id);
      this.#rest();
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#clearTimer();
    for (const { reject } of this.#running.values()) reject(new Error("the server stops"));
    const { exited } = this.#child?.process ?? { exited: Promise.resolve(0) };
    // Whatever it is at: work may be cut off at any moment.
    this.#child?.process.kill("SIGKILL");
    return exited.then(() => {});
  }

  /** Hands the work over, or starts the process that will be given it. */
  #begin(id: number): void {
    const running = this.#running.get(id);
    if (this.#child?.ready === true && running !== undefined) {
      this.#clearTimer();
      const { work, argument } = running;
      this.#send({ type: "run", id, work, argument });
    } else if (this.#child === null && this.#timer === null) this.#start();
  }

  #start(): void {
    this.#clearTimer();
    if (this.#closed || this.#running.size === 0) return;
    const child: Child = {
      ready: false,
      startedAt: performance.now(),
      process: Bun.spawn([...this.#options.command], {
        stdin: "ignore",
        stdout: "inherit",
        stderr: "inherit",
        serialization: "advanced",
        ipc: (message: FromHeavy) => this.#receive(child, message),
        onExit: (_process, exitCode, signalCode) => this.#ended(child, signalCode ?? exitCode),
      }),
    };
    this.#child = child;
  }

  #receive(child: Child, message: FromHeavy): void {
    if (message.type === "commit") {
      const { committer } = this.#options;
      void answerCommit(committer, message).then((reply) => send(child, reply));
    } else if (message.type === "hello") {
      send(child, { type: "init", config: this.#options.config });
      child.ready = true;
      for (const id of this.#running.keys()) this.#begin(id);
      this.#rest();
    } else if (message.type === "done") {
      this.#running.get(message.id)?.resolve(message.result);
    } else {
      this.#running.get(message.id)?.reject(new Error(message.message));
    }
  }

  #ended(child: Child, ended: number | string | null): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#clearTimer();
    if (this.#closed) return;
    const isYoung = performance.now() - child.startedAt < healthyMs;
    this.#pauseMs = isYoung ? Math.min(this.#pauseMs * 2, restartPauseMaxMs) : restartPauseMinMs;
    for (const running of this.#running.values()) {
      running.tries += 1;
      if (running.tries < triesMax) continue;
      running.reject(new Error(`${running.work}: its process ended ${triesMax} times`));
    }
    const restartMs = this.#pauseMs;
    this.#options.log.error({ ended, restartMs }, "the process for heavy work ended");
    this.#timer = setTimeout(() => this.#start(), restartMs);
  }

  /** With nothing to do, the process ends in a while. */
  #rest(): void {
    if (this.#running.size > 0 || this.#closed || this.#child?.ready !== true) return;
    this.#clearTimer();
    this.#timer = setTimeout(() => {
      this.#clearTimer();
      this.#send({ type: "end" });
      // Work that comes now is another process's.
      this.#child = null;
      this.#pauseMs = restartPauseMinMs;
    }, this.#options.idleMs ?? idleMsDefault);
    this.#timer.unref();
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #send(message: ToHeavy): void {
    if (this.#child !== null) send(this.#child, message);
  }
}

/** Does nothing when the process is gone: its end is told apart. */
function send({ process }: Child, message: ToHeavy): void {
  try {
    process.send(message);
  } catch {
    // Gone between two messages.
  }
}
