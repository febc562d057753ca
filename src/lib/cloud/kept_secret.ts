/**
 * Keeps a login that was fetched until shortly before its end: one fetch at a time, and when fetching fails, the old one
 * counts while it lasts.
 */
import type { Clock } from "../clock.ts";

/** What was fetched, and until when it can be used (milliseconds since 1970). */
export interface Fetched<T> {
  readonly secret: T;
  readonly untilMs: number;
}

/** A login that was refused is not fetched again at once: it may be right, and what was asked for is not ours. */
const anewEachMs = 30_000;
/** After a failure, as long as there is an older one. */
const retryMs = 10_000;

export class KeptSecret<T> {
  readonly #fetch: () => Promise<Fetched<T>>;
  readonly #clock: Clock;
  readonly #renewBeforeMs: number;
  #login: Fetched<T> | null = null;
  #fetchedMs = -Infinity;
  #failedMs = -Infinity;
  #fetching: Promise<Fetched<T>> | null = null;

  constructor(
    fetch: () => Promise<Fetched<T>>,
    { clock, renewBeforeMs }: { readonly clock: Clock; readonly renewBeforeMs: number },
  ) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#renewBeforeMs = renewBeforeMs;
  }

  /** `anew`: who used it was refused. */
  async get(anew: boolean): Promise<T> {
    const login = this.#login;
    const nowMs = this.#clock.monotonicMs();
    const lastsMs = login === null ? 0 : login.untilMs - this.#clock.now();
    const isFresh = lastsMs > this.#renewBeforeMs;
    const mayAnew = anew && nowMs - this.#fetchedMs >= anewEachMs;
    if (login !== null && isFresh && !mayAnew) return login.secret;
    const mayWait = login !== null && lastsMs > 0;
    if (mayWait && nowMs - this.#failedMs < retryMs) return login.secret;
    try {
      return (await this.#fetchOnce()).secret;
    } catch (error) {
      this.#failedMs = this.#clock.monotonicMs();
      if (mayWait) return login.secret;
      throw error;
    }
  }

  #fetchOnce(): Promise<Fetched<T>> {
    this.#fetching ??= this.#fetch()
      .then((login) => {
        this.#login = login;
        this.#fetchedMs = this.#clock.monotonicMs();
        return login;
      })
      .finally(() => {
        this.#fetching = null;
      });
    return this.#fetching;
  }
}
