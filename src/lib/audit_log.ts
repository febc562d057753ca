/**
 * The audit log: one JSON line for every change, appended to a file.
 *
 * Promises: a line is written before the answer that it tells of is sent, in one piece, also when several processes
 * append; a file that was moved away (log rotation) is made anew within a second. A line that cannot be written
 * is told to the operator and costs the request nothing.
 * Leaves to others: what is a change (`server.ts`).
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

  /** @throws when the file cannot be opened. */
  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#descriptor = openSync(options.path, "a", 0o640);
    this.#lookedAtMs = options.clock.monotonicMs();
  }

  write(record: object): void {
    const { clock, onProblem } = this.#options;
    const time = new Date(clock.now()).toISOString();
    try {
      this.#reopen();
      writeSync(this.#descriptor, `${JSON.stringify({ time, ...record })}\n`);
    } catch (error) {
      onProblem(error instanceof Error ? error.message : String(error));
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
