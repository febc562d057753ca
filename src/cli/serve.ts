/**
 * `zot serve`: an owner that supervises worker processes.
 *
 * Promises: prints one line when the registry can be pushed to; restarts a worker that dies, while the others serve
 * on; on SIGTERM, SIGINT or SIGHUP finishes what is in flight within the grace time, writes every index.json
 * and returns 0; a second signal ends it at once. Workers end when their supervisor does.
 * Leaves to others: joining the parts (`../server.ts`), a worker's life (`worker.ts`).
 */
import type { Config } from "../config/schema.ts";
import { flushLogs, openLog, type Log } from "../lib/log.ts";
import { isCompiled } from "../lib/runtime.ts";
import { answerCommit } from "../metadata/commit_channel.ts";
import type { TlsFiles } from "../http/tls_files.ts";
import type { TlsMaterial } from "../http/tls_material.ts";
import { openTls, startOwner, urlOf, type Owner } from "../server.ts";
import { pushHint } from "./push_hint.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

export interface ServeOptions {
  /** Path of the configuration file; null when the defaults serve. */
  readonly configPath: string | null;
  readonly warnings: readonly string[];
}

type Child = Bun.Subprocess<"ignore", "inherit", "inherit">;

/** A worker that dies sooner than this after its start is restarted with growing pauses. */
const healthyMs = 5_000;
const restartPauseMinMs = 50;
const restartPauseMaxMs = 5_000;
/** Time beyond the grace time for workers to end before they are killed. */
const killAfterMs = 5_000;

/** Serves until a signal; returns the exit code. */
export async function serve(config: Config, options: ServeOptions): Promise<number> {
  const log = await openLog({
    level: config.log.level,
    output: config.log.output,
    base: {},
  });
  for (const warning of options.warnings) log.warn(warning);
  const opened = await open(config, log);
  if (opened === null) return 1;
  const { owner, supervisor } = opened;
  const url = await supervisor.start();
  if (url === null) {
    await owner.stop();
    flushLogs();
    return 1;
  }
  log.info(
    {
      url,
      workers: config.http.workers,
      rootDirectory: config.storage.rootDirectory,
      config: options.configPath,
    },
    "listening",
  );
  flushLogs();
  if (options.configPath === null)
    process.stderr.write(pushHint(url, config.storage.rootDirectory));
  const signal = await firstSignal();
  log.info({ signal }, "stopping");
  await supervisor.stop();
  await owner.stop();
  log.info("stopped");
  flushLogs();
  return 0;
}

async function open(
  config: Config,
  log: Log,
): Promise<{ owner: Owner; supervisor: Supervisor } | null> {
  try {
    const tls = await openTls(config, log, (material) => supervisor.replaceTls(material));
    if (!config.storage.shared) await requireFreePort(config);
    const owner = await startOwner(config, log);
    const supervisor = new Supervisor(config, { owner, tls, log });
    return { owner, supervisor };
  } catch (error) {
    process.stderr.write(`zot: ${error instanceof Error ? error.message : String(error)}\n`);
    return null;
  }
}

/**
 * Workers share their port, and would share it with a stranger of the same user as well: so one listener that
 * shares with nobody is tried first.
 */
async function requireFreePort({ http }: Config): Promise<void> {
  if (http.port === 0) return;
  try {
    const probe = Bun.listen({
      hostname: http.address,
      port: http.port,
      socket: { data() {} },
    });
    probe.stop(true);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `http.port: expected to listen on ${http.address}:${http.port}, and cannot (${reason}); ` +
        "end what listens there or choose another port",
      { cause },
    );
  }
}

function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    let signalled = false;
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.on(name, () => {
        if (signalled) process.kill(process.pid, "SIGKILL");
        signalled = true;
        resolve(name);
      });
    }
  });
}

interface Slot {
  readonly index: number;
  child: Child | null;
  startedAt: number;
  pauseMs: number;
}

class Supervisor {
  readonly #config: Config;
  readonly #owner: Owner;
  readonly #tls: TlsFiles | null;
  readonly #log: Log;
  readonly #slots: Slot[];
  #port: number;
  #reconciled = false;
  #stopping = false;

  constructor(
    config: Config,
    parts: { readonly owner: Owner; readonly tls: TlsFiles | null; readonly log: Log },
  ) {
    this.#config = config;
    this.#owner = parts.owner;
    this.#tls = parts.tls;
    this.#log = parts.log;
    this.#port = config.http.port;
    this.#slots = Array.from({ length: config.http.workers }, (_, index) => ({
      index,
      child: null,
      startedAt: 0,
      pauseMs: restartPauseMinMs,
    }));
  }

  /** Starts the workers; the first one finds the port. Null when it cannot listen. */
  async start(): Promise<string | null> {
    // Where the kernel chooses the port, the first worker finds it and the others join.
    const alone = this.#port === 0 ? this.#slots.slice(0, 1) : [];
    for (const slot of alone) {
      if (!(await this.#spawn(slot))) return null;
    }
    const others = this.#slots.slice(alone.length);
    const listening = await Promise.all(others.map((slot) => this.#spawn(slot)));
    if (listening.includes(false)) return null;
    void this.#owner.reconciled.then(() => {
      this.#reconciled = true;
      for (const slot of this.#slots) this.#send(slot, { type: "reconciled" });
    });
    return urlOf(this.#config, this.#port);
  }

  /** Every worker serves new connections with it; those that start later get it at their start. */
  replaceTls(tls: TlsMaterial): void {
    for (const slot of this.#slots) this.#send(slot, { type: "tls", tls });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#tls?.close();
    const { graceTimeout } = this.#config.http;
    const running = this.#slots.flatMap((slot) => (slot.child === null ? [] : [slot.child]));
    for (const slot of this.#slots) this.#send(slot, { type: "stop", graceMs: graceTimeout });
    const timer = setTimeout(() => {
      for (const child of running) child.kill("SIGKILL");
    }, graceTimeout + killAfterMs);
    await Promise.all(running.map((child) => child.exited));
    clearTimeout(timer);
  }

  /** Starts a slot's worker; resolves with whether it came to listen. */
  #spawn(slot: Slot): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const child: Child = Bun.spawn(workerCommand(), {
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      serialization: "advanced",
      ipc: (message: FromWorker) => this.#receive(slot, message, resolve),
      onExit: (_child, exitCode, signalCode) => {
        resolve(false);
        slot.child = null;
        this.#restart(slot, signalCode ?? exitCode);
      },
    });
    slot.child = child;
    slot.startedAt = Date.now();
    return promise;
  }

  #receive(slot: Slot, message: FromWorker, resolve: (listening: boolean) => void): void {
    if (message.type === "commit") {
      void answerCommit(this.#owner.committer, message).then((reply) => this.#send(slot, reply));
    } else if (message.type === "hello") {
      this.#send(slot, {
        type: "init",
        config: this.#config,
        index: slot.index,
        port: this.#port,
        reconciled: this.#reconciled,
        tls: this.#tls?.current ?? null,
      });
    } else if (message.type === "listening") {
      this.#port = message.port;
      resolve(true);
    } else if (message.type === "login") {
      // Failed logins count together, whichever worker they came to.
      for (const other of this.#slots) if (other !== slot) this.#send(other, message);
    } else {
      process.stderr.write(`zot: ${message.message}\n`);
    }
  }

  #send(slot: Slot, message: ToWorker): void {
    try {
      slot.child?.send(message);
    } catch {
      // The worker is gone: its exit is handled where it is noticed.
    }
  }

  #restart(slot: Slot, ended: number | string | null): void {
    if (this.#stopping || this.#port === 0) return;
    const lived = Date.now() - slot.startedAt;
    slot.pauseMs =
      lived > healthyMs ? restartPauseMinMs : Math.min(slot.pauseMs * 2, restartPauseMaxMs);
    this.#log.error({ worker: slot.index, ended, restartMs: slot.pauseMs }, "a worker ended");
    setTimeout(() => {
      if (!this.#stopping) void this.#spawn(slot);
    }, slot.pauseMs);
  }
}

/**
 * This very program as a worker: the runtime with its flags and its script, or the compiled executable. The flags
 * matter: without them the runtime would read settings from the caller's working directory.
 */
function workerCommand(): string[] {
  if (isCompiled) return [process.execPath, "worker"];
  return [process.execPath, ...process.execArgv, Bun.main, "worker"];
}
