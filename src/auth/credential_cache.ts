/**
 * Remembers verified credentials, so that a password hash is not computed for every request.
 *
 * The key of an entry is a hash of the whole Authorization header with a secret that each process makes for itself: no
 * password can be recovered from the cache, and nothing of it survives the process. An entry lives for a minute and
 * ends at once when the file that it came from changes. Whether an API key was revoked is asked of the metadata with each
 * request, since another process or server may have done it; a directory is asked again after a second.
 *
 * Only successful logins are kept, in a bounded number; a look-up costs one hash and no promise. A remembered caller
 * waits at most half a second for such a check: while the directory does not answer, the cached login stays valid until
 * its minute is over.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { Lru } from "../lib/lru.ts";
import type { PolicyCaller } from "./caller.ts";

export interface Verified {
  readonly caller: PolicyCaller;
  /** Whether the source of the proof (a file, say) is unchanged; null when nothing can change. */
  readonly isCurrent: (() => boolean) | null;
  /** Asks the metadata with each request whether the key of the proof is there; null where there is none. */
  readonly isKept: (() => Promise<boolean>) | null;
  /** Asks where the proof is kept whether it still holds; null when `isCurrent` says it all. */
  readonly recheck: (() => Promise<boolean>) | null;
  /** Milliseconds since the epoch after which the proof is void by itself; null for the cache's own life. */
  readonly expiresAt: number | null;
}

interface Entry extends Verified {
  readonly untilMs: number;
  /** When the next check of the proof is due. */
  recheckAtMs: number;
  /** The check that is running; and whether a request has waited `patienceMs` for it. */
  looking: Promise<boolean> | null;
  isSlow: boolean;
}

/** What a look-up finds: a caller, nothing, or an entry that must be checked again first. */
export type CacheHit =
  | { readonly kind: "hit"; readonly caller: PolicyCaller }
  | { readonly kind: "recheck"; readonly answer: Promise<PolicyCaller | null> };

const entriesMax = 10_000;
/** A verified credential is trusted for this long. */
export const lifeMs = 60_000;
/** A proof that is kept elsewhere is checked again after this. */
const recheckMs = 1_000;
/** How long a request waits for that check. */
const patienceMs = 500;

export class CredentialCache {
  readonly #clock: Clock;
  readonly #key = randomBytes(32).toString("base64");
  readonly #entries = new Lru<string, Entry>({ entriesMax });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The key of a header. The secret stands on both sides, and the hash is never shown to anybody: an HMAC would cost
   * an object of the runtime for each request and protect from nothing more.
   */
  keyOf(header: string): string {
    return Bun.SHA256.hash(`${this.#key}${header}${this.#key}`, "base64");
  }

  /** `nowMs` is monotonic, `now` the time of day. */
  find(key: string, nowMs: number, now: number): CacheHit | null {
    const entry = this.#entries.get(key);
    if (entry === null) return null;
    if (!isCurrent(entry, nowMs, now)) {
      this.#entries.delete(key);
      return null;
    }
    const isDue = entry.recheck !== null && nowMs >= entry.recheckAtMs && !entry.isSlow;
    if (entry.isKept !== null) {
      return { kind: "recheck", answer: this.#requireKept(key, entry, isDue) };
    }
    if (!isDue) return { kind: "hit", caller: entry.caller };
    return { kind: "recheck", answer: this.#recheck(key, entry) };
  }

  /** Each request asks for itself: what an earlier one is told may have been true before a key was revoked. */
  async #requireKept(key: string, entry: Entry, isDue: boolean): Promise<PolicyCaller | null> {
    if ((await entry.isKept?.()) !== true) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      return null;
    }
    return isDue ? await this.#recheck(key, entry) : entry.caller;
  }

  /** The remembered caller, without a check of its proof. */
  peek(key: string, nowMs: number, now: number): PolicyCaller | null {
    const entry = this.#entries.get(key);
    return entry !== null && isCurrent(entry, nowMs, now) ? entry.caller : null;
  }

  set(key: string, verified: Verified, nowMs: number): void {
    this.#entries.set(key, {
      ...verified,
      untilMs: nowMs + lifeMs,
      recheckAtMs: nowMs + recheckMs,
      looking: null,
      isSlow: false,
    });
  }

  clear(): void {
    this.#entries.clear();
  }

  /** One check at a time, shared by all requests that wait for it. */
  async #recheck(key: string, entry: Entry): Promise<PolicyCaller | null> {
    entry.looking ??= this.#look(key, entry);
    const done = new AbortController();
    const patience = this.#clock.sleep(patienceMs, done.signal).then(() => "slow" as const);
    try {
      const holds = await Promise.race([entry.looking, patience]);
      if (holds === "slow") entry.isSlow = entry.looking !== null;
      return holds === false ? null : entry.caller;
    } finally {
      done.abort();
    }
  }

  /** Whether the proof still holds; forgets it when it does not, even if no request waits for it any more. */
  async #look(key: string, entry: Entry): Promise<boolean> {
    try {
      const holds = (await entry.recheck?.()) === true;
      if (!holds && this.#entries.get(key) === entry) this.#entries.delete(key);
      return holds;
    } finally {
      entry.looking = null;
      entry.isSlow = false;
      entry.recheckAtMs = this.#clock.monotonicMs() + recheckMs;
    }
  }
}

function isCurrent(entry: Entry, nowMs: number, now: number): boolean {
  if (nowMs >= entry.untilMs) return false;
  if (entry.expiresAt !== null && now >= entry.expiresAt) return false;
  return entry.isCurrent === null || entry.isCurrent();
}
