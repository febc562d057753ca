/**
 * Follows the configuration file of a server that runs: a changed file is checked, and put into force as far as it can.
 *
 * A file with a problem changes nothing, and the log has the lines that `zot verify` prints. The log names by path what
 * took effect and what waits for a restart, and shows only values that are not secret. A change is in force or refused
 * before the next one is looked at. A caller of `reload` learns what came of it. A volume that swaps a link
 * (Kubernetes' `..data`) is a change like any other (`../lib/watched_file.ts`). Each `options.ts` says whether an
 * option can change while the server runs; `supervisor.ts` tells the workers.
 */
import { loadText, type CommandLine } from "../config/load.ts";
import { planReload, showChange, type Change, type Running } from "../config/reload.ts";
import type { Config } from "../config/schema.ts";
import { systemClock } from "../lib/clock.ts";
import { setLogLevel, type Log } from "../lib/log.ts";
import { WatchedFile } from "../lib/watched_file.ts";

export interface ConfigFollowerOptions {
  readonly path: string;
  /** What the command line adds to the file. */
  readonly added?: CommandLine | null;
  /** What is in force: what the file said at the start. */
  readonly running: Running;
  /** Said at the start, and not to be said again. */
  readonly warnings: readonly string[];
  readonly log: Log;
  /** Rejects with one line when a configuration cannot be put into force. */
  readonly check: (config: Config) => Promise<void>;
  /** Puts a configuration into force; resolves with what went wrong. */
  readonly apply: (config: Config) => Promise<readonly string[]>;
}

const lookMs = 250;
/** A file that takes logins or access control away may be one of which only the first part is written. */
const unguardedMs = 5_000;
const unchanged = "the configuration file was read again; it changes nothing";
const unguardedText =
  "the changed configuration takes logins or access control away; it waits, in case the file is still being written";
const refused = "the changed configuration file is refused; what runs stays as it is";

export class ConfigFollower {
  readonly #options: ConfigFollowerOptions;
  #running: Running;
  #warnings: readonly string[];
  /** Options that wait for a restart, as they were told last. */
  #waiting = "";
  #file: WatchedFile<string> | null = null;
  /** Somebody asked, and is to be told whatever comes of it. */
  #asked = false;
  #timer: ReturnType<typeof setInterval> | null = null;
  #work: Promise<void> = Promise.resolve();
  readonly #closed = new AbortController();

  constructor(options: ConfigFollowerOptions) {
    this.#options = options;
    this.#running = options.running;
    this.#warnings = options.warnings;
  }

  /** Looks at the file from now on; first of all for what changed since it was read for the start. */
  start(): void {
    this.#timer = setInterval(() => this.#look(), lookMs);
    this.#timer.unref();
  }

  /** Reads the file now, and says so also when nothing changed. */
  reload(): void {
    this.#asked = true;
    if (this.#file === null) this.#look();
    else this.#file.readNow();
    if (!this.#asked) return;
    this.#asked = false;
    this.#refuse([`${this.#options.path}: expected a file that can be read`]);
  }

  /** Looks no more; resolves once a change that was begun is in force. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#closed.abort();
    await this.#work;
  }

  #look(): void {
    if (this.#file !== null) {
      void this.#file.version; // Asking is looking.
      return;
    }
    const { path } = this.#options;
    try {
      this.#file = new WatchedFile({
        path,
        parse: (bytes) => Buffer.from(bytes).toString("utf8"),
        clock: systemClock,
        onChange: (problem) => this.#changed(problem),
      });
      this.#changed(null);
    } catch {
      // It was there a moment ago: the next look finds it.
    }
  }

  #changed(problem: string | null): void {
    const text = problem === null ? (this.#file?.content ?? "") : null;
    const asked = this.#asked;
    this.#asked = false;
    this.#work = this.#work.then(async () => {
      try {
        if (text === null) this.#refuse([problem ?? ""]);
        else await this.#reload(text, asked);
      } catch (error) {
        this.#refuse([error instanceof Error ? error.message : String(error)]);
      }
    });
  }

  async #reload(text: string, asked: boolean): Promise<void> {
    const { path, log, check } = this.#options;
    const found = await loadText(text, path, process.env, this.#options.added ?? null);
    if ("problems" in found) {
      this.#refuse(found.problems);
      return;
    }
    const { next, live, restart, unguarded, problems } = planReload(this.#running, found);
    if (problems.length > 0) {
      this.#refuse([...problems, "these options can change together only by a restart"]);
      return;
    }
    if (unguarded && !asked && !(await this.#isLasting(text))) return;
    if (live.length > 0) {
      await check(next.config);
      await this.#apply(next, live);
    } else if (asked && restart.length === 0) log.info({ config: path }, unchanged);
    for (const warning of found.warnings) if (!this.#warnings.includes(warning)) log.warn(warning);
    this.#warnings = found.warnings;
    this.#tellWaiting(restart, asked);
  }

  /** Whether the file is still the same after a while; if not, what it is now is looked at next. */
  async #isLasting(text: string): Promise<boolean> {
    const { path, log } = this.#options;
    log.warn({ config: path, waitMs: unguardedMs }, unguardedText);
    await systemClock.sleep(unguardedMs, this.#closed.signal);
    return !this.#closed.signal.aborted && this.#file?.content === text;
  }

  async #apply(next: Running, live: readonly Change[]): Promise<void> {
    const { path, log, apply } = this.#options;
    this.#running = next;
    const failures = await apply(next.config);
    const tell = (): void => {
      for (const problem of failures) log.error({ problem }, "a worker goes on as it was");
      log.info({ config: path, changed: live.map(showChange) }, "the configuration was changed");
    };
    // At the more talkative of both levels, so that a change of the level is told in either direction.
    const { level } = next.config.log;
    if (log.isLevelEnabled("info")) {
      tell();
      setLogLevel(log, level);
    } else {
      setLogLevel(log, level);
      tell();
    }
  }

  #tellWaiting(restart: readonly Change[], asked: boolean): void {
    const { path, log } = this.#options;
    const waiting = restart.map(showChange);
    const told = waiting.join("\n");
    if (waiting.length > 0 && (asked || told !== this.#waiting)) {
      log.warn({ config: path, waiting }, "changed options wait for a restart");
    }
    this.#waiting = told;
  }

  #refuse(problems: readonly string[]): void {
    this.#options.log.error({ config: this.#options.path, problems }, refused);
  }
}
