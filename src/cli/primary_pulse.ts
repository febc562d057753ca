/**
 * Notices in a worker that the primary has fallen silent: it hangs, or its disk does.
 *
 * The worker is then not ready, and answers its commits 503 instead of waiting for as long as the primary hangs; their
 * outcome is unknown. It counts beats rather than time, as `supervisor.ts` does: a process that stands still cannot
 * hear the other one.
 */
import type { Log } from "../lib/log.ts";
import type { ChannelCommitter } from "../metadata/commit_channel.ts";
import type { Worker } from "../server.ts";
import { beatMs } from "./worker_messages.ts";

/** The primary is taken to hang when it says nothing for so many beats. */
const silentPrimaryBeatsMax = 10;

export class PrimaryPulse {
  readonly #committer: ChannelCommitter;
  #serving: { readonly worker: Worker; readonly log: Log } | null = null;
  #silentBeats = 0;
  #problem: string | null = null;

  constructor(committer: ChannelCommitter) {
    this.#committer = committer;
    setInterval(() => this.#beat(), beatMs).unref();
  }

  /** The worker listens: its health follows from now on. */
  serve(worker: Worker, log: Log): void {
    this.#serving = { worker, log };
    worker.health.problem = this.#problem;
  }

  /** The primary is alive, and finds this wrong with its root, or nothing. */
  heard(problem: string | null): void {
    if (this.#silentBeats >= silentPrimaryBeatsMax) {
      this.#committer.reopen();
      this.#serving?.log.info("the primary process answers again");
    }
    this.#silentBeats = 0;
    this.#tell(problem);
  }

  /** The primary has ended, and could not say so itself when it was killed or met a bus error. */
  gone(): void {
    this.#serving?.log.error("the primary process is gone: this worker ends");
  }

  #beat(): void {
    this.#silentBeats += 1;
    if (this.#silentBeats !== silentPrimaryBeatsMax) return;
    this.#committer.close();
    const silentMs = silentPrimaryBeatsMax * beatMs;
    this.#serving?.log.error({ silentMs }, "the primary process does not answer: not ready");
    this.#tell("the primary process does not answer");
  }

  #tell(problem: string | null): void {
    this.#problem = problem;
    if (this.#serving !== null) this.#serving.worker.health.problem = problem;
  }
}
