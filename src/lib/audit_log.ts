/**
 * The audit log: one JSON line for every change, appended to a file.
 *
 * A line is written before its answer is sent, and in one piece, also when several processes append. A file that log
 * rotation moved away is made anew within a second. A line that cannot be written is reported to the operator, and the
 * request goes on. `server.ts` decides what counts as a change.
 */
import { closeSync, fstatSync, openSync, statSync, writeSync } from "node:fs";
import type { Clock } from "./clock.ts";

/** How often the file is looked at, to see whether it was moved away. */
const lookMs = 1_000;

export interface AuditLogOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly onProblem: (problem: string) => void;
}

export class AuditLog {
  readonly #options: AuditLogOptions;
  #descriptor: number;
  #lookedAtMs: number;
  /** The last line has no end. */
  #isTorn = false;

  /** @throws when the file cannot be opened. */
  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#descriptor = openSync(options.path, "a", 0o640);
    this.#lookedAtMs = options.clock.monotonicMs();
  }

  write(record: object): void {
    const { clock, path } = this.#options;
    const time = new Date(clock.now()).toISOString();
    const line = `${this.#isTorn ? "\n" : ""}${JSON.stringify({ time, ...record })}\n`;
    this.#attempt(() => this.#reopen());
    this.#attempt(() => {
      const writtenBytes = writeSync(this.#descriptor, line);
      // A disk that is nearly full takes a part, and calls that no error.
      this.#isTorn = writtenBytes < Buffer.byteLength(line);
      if (this.#isTorn) throw new Error(`${path}: only a part of a line found room`);
    });
  }

  /** The line is written, also where the file could not be opened anew: the old one is better than none. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onProblem(error instanceof Error ? error.message : String(error));
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #reopen(): void {
    const { path, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < lookMs) return;
    this.#lookedAtMs = nowMs;
    const open = fstatSync(this.#descriptor);
    const there = statSync(path, { throwIfNoEntry: false });
    if (there?.ino === open.ino && there.dev === open.dev) return;
    const fresh = openSync(path, "a", 0o640);
    closeSync(this.#descriptor);
    this.#descriptor = fresh;
  }
}
