/**
 * Keeps a login that was fetched until shortly before its end: one fetch at a time, and when fetching fails, the old one
 * counts while it lasts.
 */
import type { Credentials, CredentialSource } from "../../../../client/client_auth.ts";
import type { Clock } from "../../../../lib/clock.ts";
import type { Login } from "./login_parts.ts";

/** A login that was refused is not fetched again at once: it may be right, and what was asked for is not ours. */
const anewEachMs = 30_000;
/** After a failure, as long as there is an older one. */
const retryMs = 10_000;

export function keptLogin(
  fetch: () => Promise<Login>,
  options: { readonly clock: Clock; readonly renewBeforeMs: number },
): CredentialSource {
  const kept = new KeptLogin(fetch, options);
  return (anew) => kept.get(anew);
}

class KeptLogin {
  readonly #fetch: () => Promise<Login>;
  readonly #clock: Clock;
  readonly #renewBeforeMs: number;
  #login: Login | null = null;
  #fetchedMs = -Infinity;
  #failedMs = -Infinity;
  #fetching: Promise<Login> | null = null;

  constructor(
    fetch: () => Promise<Login>,
    { clock, renewBeforeMs }: { readonly clock: Clock; readonly renewBeforeMs: number },
  ) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#renewBeforeMs = renewBeforeMs;
  }

  async get(anew: boolean): Promise<Credentials> {
    const login = this.#login;
    const nowMs = this.#clock.monotonicMs();
    const lastsMs = login === null ? 0 : login.untilMs - this.#clock.now();
    const isFresh = lastsMs > this.#renewBeforeMs;
    const mayAnew = anew && nowMs - this.#fetchedMs >= anewEachMs;
    if (login !== null && isFresh && !mayAnew) return login.credentials;
    const mayWait = login !== null && lastsMs > 0;
    if (mayWait && nowMs - this.#failedMs < retryMs) return login.credentials;
    try {
      return (await this.#fetchOnce()).credentials;
    } catch (error) {
      this.#failedMs = this.#clock.monotonicMs();
      if (mayWait) return login.credentials;
      throw error;
    }
  }

  #fetchOnce(): Promise<Login> {
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
