/**
 * What signals ask of a server that runs: SIGTERM and SIGINT to stop, SIGHUP to read the configuration file now.
 *
 * A terminal that is closed sends SIGHUP as well, and means a stop: so a server that was started from a terminal
 * stops when that terminal is gone, unless it was told to ignore the signal (`nohup`). Asking the system for the
 * terminal tells the two apart.
 *
 * SIGHUP never ends a server that is starting. `serve.ts` stops the server, `config_follower.ts` reloads its
 * configuration, and `on_stop_signal.ts` handles a second signal to stop.
 */
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { onStopSignal } from "./on_stop_signal.ts";

/** The process's own terminal, if it has one; opening it fails as soon as that is gone. */
const terminalPath = "/dev/tty";
/** The signal may come a moment before the terminal is gone. */
const hangUpMs = 100;
/** Bit of SIGHUP, the first of all signals, in a mask of /proc. */
const hangUpBit = 1n;

export class Signals {
  /** Called for each SIGHUP that is to be a reload. */
  onReload: () => void = () => {};
  /** Resolves with the signal that asks for a stop. */
  readonly stop: Promise<string>;
  readonly #askStop: (name: string) => void;
  readonly #followsTerminal = hasTerminal() && !ignoresHangUp();
  #stopping = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.stop = promise;
    this.#askStop = (name) => {
      this.#stopping = true;
      resolve(name);
    };
    onStopSignal(this.#askStop);
    process.on("SIGHUP", () => void this.#hangUp());
  }

  async #hangUp(): Promise<void> {
    if (this.#followsTerminal) {
      await Bun.sleep(hangUpMs);
      if (!hasTerminal()) this.#askStop("SIGHUP");
    }
    if (!this.#stopping) this.onReload();
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync(terminalPath, constants.O_RDONLY | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}

/** Whether whoever started this process had SIGHUP ignored. To be asked before a handler is set. */
function ignoresHangUp(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return (BigInt(`0x${mask ?? 0}`) & hangUpBit) !== 0n;
  } catch {
    return false;
  }
}
