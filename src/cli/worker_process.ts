/**
 * One worker process as its supervisor sees it: spawned, spoken to, heard, gone.
 *
 * Messages that a worker sends before anyone listens are kept. So workers can start while the supervisor still opens
 * the storage: both load at the same time, and the first answer comes sooner. `worker_messages.ts` lists the messages,
 * `supervisor.ts` restarts a worker that ended.
 */
import { ownCommand } from "./own_command.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

export interface WorkerListener {
  message(message: FromWorker): void;
  /** Called once; `ended` is the exit status or the signal. */
  exit(ended: number | string | null): void;
}

/** Requests to a store of objects that a worker may run at once: the runtime reads it as a process starts. */
const fetchesMax = "1000";

export class WorkerProcess {
  readonly #child: Bun.Subprocess<"ignore", "inherit", "inherit">;
  /** Before there is a listener: only `hello` can come, as a worker waits for the answer. */
  readonly #unheard: FromWorker[] = [];
  #listener: WorkerListener | null = null;
  #ended: { readonly ended: number | string | null } | null = null;

  constructor() {
    this.#child = Bun.spawn(ownCommand("worker"), {
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      env: { BUN_CONFIG_MAX_HTTP_REQUESTS: fetchesMax, ...process.env },
      // Messages are plain data. The runtime's other encoding costs a commit 17 µs more, there and back.
      serialization: "json",
      ipc: (message: FromWorker) => {
        if (this.#listener === null) this.#unheard.push(message);
        else this.#listener.message(message);
      },
      onExit: (_child, exitCode, signalCode) => {
        this.#ended = { ended: signalCode ?? exitCode };
        this.#listener?.exit(this.#ended.ended);
      },
    });
  }

  /** Resolves when the process is gone. */
  get exited(): Promise<unknown> {
    return this.#child.exited;
  }

  /** Hands over what came until now, then all that comes. To be called once. */
  listen(listener: WorkerListener): void {
    this.#listener = listener;
    for (const message of this.#unheard.splice(0)) listener.message(message);
    if (this.#ended !== null) listener.exit(this.#ended.ended);
  }

  /** Does nothing when the worker is gone: its end is told to the listener. */
  send(message: ToWorker): void {
    try {
      this.#child.send(message);
    } catch {
      // Gone between two messages.
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
