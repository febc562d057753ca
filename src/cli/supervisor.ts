/**
 * The supervisor of worker processes: starts them, restarts one that dies or hangs, tells all of them what changes, and stops
 * them.
 *
 * While one worker is away the others go on serving. A worker that keeps dying is restarted after growing pauses.
 * Adding or removing workers, another configuration or another certificate drops no request. A stop waits for the grace
 * time. `serve.ts` decides when to change or stop.
 */
import type { Config } from "../config/schema.ts";
import type { TlsFiles } from "../http/tls_files.ts";
import type { TlsMaterial } from "../http/tls_material.ts";
import type { Log } from "../lib/log.ts";
import { answerCommit, CommitReplies } from "../metadata/commit_channel.ts";
import { urlOf, type Places, type Primary } from "../server.ts";
import { beatMs, type FromWorker, type ToWorker } from "./worker_messages.ts";
import { WorkerProcess } from "./worker_process.ts";

/** A worker that dies sooner than this after its start is restarted with growing pauses. */
const healthyMs = 5_000;
const restartPauseMinMs = 50;
const restartPauseMaxMs = 5_000;
/** How long a worker may take to answer by another configuration, or to start, until the others no longer wait. */
const configuredMs = 5_000;
/** A worker that says nothing for so many beats is replaced. */
const silentWorkerBeatsMax = 20;
/** Time beyond the grace time for workers to end before they are killed. */
const killAfterMs = 5_000;

/** The place of one worker, and of those that are started in its stead. */
interface Slot {
  readonly index: number;
  child: WorkerProcess | null;
  /** What the child's extensions are opened with. */
  places: Places;
  startedAt: number;
  pauseMs: number;
  /** Beats since its last word; null before its first. */
  silentBeats: number | null;
  /** Waits for the worker's word on a configuration: what is wrong, or null. */
  configured: ((problem: string | null) => void) | null;
}

export class Supervisor {
  #config: Config;
  readonly #primary: Primary;
  readonly #tls: TlsFiles | null;
  readonly #log: Log;
  /** Workers that were started before there was a supervisor. */
  readonly #early: WorkerProcess[];
  #slots: Slot[];
  /** Workers that are not needed any more and end what they have begun. */
  readonly #leaving = new Set<Slot>();
  #port: number;
  #problem: string | null = null;
  #beats: ReturnType<typeof setInterval> | null = null;
  #reconciled = false;
  #stopping = false;

  constructor(
    config: Config,
    parts: {
      readonly primary: Primary;
      readonly tls: TlsFiles | null;
      readonly log: Log;
      /** Taken as the first workers. */
      readonly early: readonly WorkerProcess[];
    },
  ) {
    this.#config = config;
    this.#primary = parts.primary;
    this.#tls = parts.tls;
    this.#log = parts.log;
    this.#early = [...parts.early];
    this.#port = config.http.port;
    this.#slots = Array.from({ length: config.http.workers }, (_, index) => newSlot(index));
  }

  /** Starts the workers; the first one finds the port. Null when it cannot listen. */
  async start(): Promise<string | null> {
    this.#beats = setInterval(() => this.#beat(), beatMs);
    this.#primary.watchHealth((problem) => {
      this.#problem = problem;
      this.#beat();
    });
    // Where the kernel chooses the port, the first worker finds it and the others join.
    const alone = this.#port === 0 ? this.#slots.slice(0, 1) : [];
    for (const slot of alone) {
      if (!(await this.#spawn(slot))) return null;
    }
    const others = this.#slots.slice(alone.length);
    const listening = await Promise.all(others.map((slot) => this.#spawn(slot)));
    if (listening.includes(false)) return null;
    void this.#primary.reconciled.then(() => {
      this.#reconciled = true;
      for (const slot of this.#slots) this.#send(slot, { type: "reconciled" });
    });
    return urlOf(this.#config, this.#port);
  }

  /** Every worker serves new connections with it; those that start later get it at their start. */
  replaceTls(tls: TlsMaterial): void {
    for (const slot of this.#slots) this.#send(slot, { type: "tls", tls });
  }

  /**
   * Another configuration is in force from now on, which differs in what may change while the server runs. Resolves
   * once every worker answers by it, those that leave included, with what went wrong.
   */
  async reconfigure(config: Config): Promise<readonly string[]> {
    this.#config = config;
    this.#primary.reconfigure(config);
    const slots = [...this.#slots, ...this.#leaving];
    const found = await Promise.all(slots.map((slot) => this.#configure(slot)));
    // Nobody answers new connections by what is no longer in force.
    this.#replace(slots.filter((_, at) => found[at] !== null));
    const started = await this.#resize(config.http.workers);
    return [...found, ...started].filter((problem) => problem !== null);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#tls?.close();
    const { graceTimeout } = this.#config.http;
    const slots = [...this.#slots, ...this.#leaving];
    const running = slots.flatMap((slot) => (slot.child === null ? [] : [slot.child]));
    for (const slot of slots) this.#send(slot, { type: "stop", graceMs: graceTimeout });
    const timer = setTimeout(() => {
      for (const child of running) child.kill();
    }, graceTimeout + killAfterMs);
    await Promise.all(running.map((child) => child.exited));
    clearTimeout(timer);
    // Until now: a worker that does not hear of the primary commits nothing more, and uploads end within the grace time.
    if (this.#beats !== null) clearInterval(this.#beats);
  }

  /**
   * Tells every worker that the primary is alive. Beats are counted rather than time: while this process stands still,
   * nobody can be heard.
   */
  #beat(): void {
    for (const slot of [...this.#slots, ...this.#leaving]) {
      if (slot.child === null || slot.silentBeats === null) continue;
      slot.silentBeats += 1;
      this.#send(slot, { type: "alive", problem: this.#problem });
      if (slot.silentBeats !== silentWorkerBeatsMax) continue;
      const silentMs = silentWorkerBeatsMax * beatMs;
      this.#log.error({ worker: slot.index, silentMs }, "a worker hangs; another takes its place");
      slot.child.kill();
    }
  }

  /** A worker that is not there, or goes meanwhile, is started with the new configuration. */
  async #configure(slot: Slot): Promise<string | null> {
    if (slot.child === null) return null;
    const { promise, resolve } = Promise.withResolvers<string | null>();
    slot.configured = resolve;
    this.#send(slot, { type: "config", config: this.#config });
    const problem = await inTime(promise, "an answer");
    slot.configured = null;
    return problem === null ? null : `worker ${slot.index}: ${problem}`;
  }

  /** Takes workers out of service that could not take a configuration; `#resize` starts others for them. */
  #replace(failed: readonly Slot[]): void {
    for (const slot of failed.filter((each) => this.#slots.includes(each))) {
      this.#slots = this.#slots.filter((each) => each !== slot);
      this.#retire(slot);
    }
  }

  #retire(slot: Slot): void {
    if (slot.child !== null) this.#leaving.add(slot);
    this.#send(slot, { type: "retire" });
  }

  /** More workers are started; of too many the last ones leave without dropping a request. As `reconfigure`. */
  async #resize(workers: number): Promise<(string | null)[]> {
    const leaving = this.#slots.slice(workers);
    this.#slots = this.#slots.slice(0, workers);
    for (const slot of leaving) this.#retire(slot);
    const taken = new Set([...this.#slots, ...this.#leaving].map(({ index }) => index));
    const added: Slot[] = [];
    for (let index = 0; this.#slots.length + added.length < workers; index += 1) {
      if (!taken.has(index)) added.push(newSlot(index));
    }
    this.#slots.push(...added);
    return await Promise.all(
      added.map(async (slot) => {
        const problem = await inTime(
          this.#spawn(slot).then(() => null),
          "a start",
        );
        return problem === null ? null : `worker ${slot.index}: ${problem}`;
      }),
    );
  }

  /** Starts a slot's worker; resolves with whether it came to listen. */
  #spawn(slot: Slot): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const places = this.#primary.places(slot.index + 1);
    const child = this.#early.shift() ?? new WorkerProcess();
    slot.child = child;
    slot.places = places;
    slot.startedAt = Date.now();
    slot.silentBeats = null;
    // To this very process: the one that comes in its place counts its commits anew.
    const replies = new CommitReplies((list) => child.send({ type: "replies", replies: list }));
    child.listen({
      message: (message) => this.#receive(slot, message, { replies, resolve }),
      exit: (ended) => {
        resolve(false);
        slot.child = null;
        slot.configured?.(null);
        this.#primary.workerEnded(places, !this.#isWanted(slot));
        this.#restart(slot, ended);
      },
    });
    return promise;
  }

  #receive(
    slot: Slot,
    message: FromWorker,
    {
      replies,
      resolve,
    }: { readonly replies: CommitReplies; readonly resolve: (listening: boolean) => void },
  ): void {
    slot.silentBeats = 0;
    if (message.type === "alive") return;
    if (message.type === "commit") {
      void answerCommit(this.#primary.committer, message).then((reply) => replies.add(reply));
    } else if (message.type === "hello") {
      this.#send(slot, {
        type: "init",
        config: this.#config,
        index: slot.index,
        port: this.#port,
        reconciled: this.#reconciled,
        tls: this.#tls?.current ?? null,
        places: slot.places,
      });
    } else if (message.type === "listening") {
      this.#port = message.port;
      resolve(true);
    } else if (message.type === "login") {
      // Failed logins count together, whichever worker they came to.
      for (const other of [...this.#slots, ...this.#leaving]) {
        if (other !== slot) this.#send(other, message);
      }
    } else if (message.type === "configured") {
      slot.configured?.(message.problem);
    } else {
      process.stderr.write(`zot: ${message.message}\n`);
    }
  }

  #send(slot: Slot, message: ToWorker): void {
    slot.child?.send(message);
  }

  #restart(slot: Slot, ended: number | string | null): void {
    this.#leaving.delete(slot);
    if (!this.#isWanted(slot) || this.#port === 0) return;
    const lived = Date.now() - slot.startedAt;
    slot.pauseMs =
      lived > healthyMs ? restartPauseMinMs : Math.min(slot.pauseMs * 2, restartPauseMaxMs);
    this.#log.error({ worker: slot.index, ended, restartMs: slot.pauseMs }, "a worker ended");
    setTimeout(() => {
      if (this.#isWanted(slot)) void this.#spawn(slot);
    }, slot.pauseMs);
  }

  #isWanted(slot: Slot): boolean {
    return !this.#stopping && this.#slots.includes(slot);
  }
}

function newSlot(index: number): Slot {
  return {
    index,
    child: null,
    places: {},
    startedAt: 0,
    pauseMs: restartPauseMinMs,
    silentBeats: null,
    configured: null,
  };
}

/** What a worker says, or that it said nothing; it may still do so later. */
async function inTime(answer: Promise<string | null>, what: string): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => resolve(`expected ${what} within ${configuredMs / 1000} s, got none yet`),
    configuredMs,
  );
  const problem = await Promise.race([answer, promise]);
  clearTimeout(timer);
  return problem;
}
