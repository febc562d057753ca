/**
 * What was verified lately, so that a password hash is not computed for every request.
 *
 * Keys are keyed hashes of the whole Authorization header, under a key that each process makes for itself: nothing
 * here can be turned back into a password, and nothing survives the process. An entry lives a short while, ends at
 * once when the file it came from changes, and is checked again after a moment where the proof is elsewhere
 * (a directory, the metadata).
 *
 * Promises: bounded; finding an entry costs one hash and no promise; only successes are kept.
 * Leaves to others: verifying (`authenticator.ts`).
 */
import { randomBytes } from "node:crypto";
import { Lru } from "../lib/lru.ts";
import type { PolicyCaller } from "./caller.ts";

export interface Verified {
  readonly caller: PolicyCaller;
  /** Whether what the proof rests on is still as it was then; null when nothing can change. */
  readonly isCurrent: (() => boolean) | null;
  /** Asks where the proof is kept whether it still holds; null when `isCurrent` says it all. */
  readonly recheck: (() => Promise<boolean>) | null;
  /** Milliseconds since the epoch after which the proof is void by itself; null for the cache's own life. */
  readonly expiresAt: number | null;
}

interface Entry extends Verified {
  readonly untilMs: number;
  /** When the next look at the proof is due. */
  recheckAtMs: number;
  rechecking: Promise<boolean> | null;
}

/** What a look-up finds: a caller, nothing, or an entry that must be checked again first. */
export type CacheHit =
  | { readonly kind: "hit"; readonly caller: PolicyCaller }
  | { readonly kind: "recheck"; readonly answer: Promise<PolicyCaller | null> };

const entriesMax = 10_000;
/** A verified credential is trusted for this long. */
export const lifeMs = 60_000;
/** A proof that is kept elsewhere is looked at again after this. */
const recheckMs = 1_000;

export class CredentialCache {
  readonly #key = randomBytes(32).toString("base64");
  readonly #entries = new Lru<string, Entry>({ entriesMax });

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
    if (entry.recheck === null || nowMs < entry.recheckAtMs) {
      return { kind: "hit", caller: entry.caller };
    }
    return { kind: "recheck", answer: this.#recheck(key, entry, nowMs) };
  }

  set(key: string, verified: Verified, nowMs: number): void {
    this.#entries.set(key, {
      ...verified,
      untilMs: nowMs + lifeMs,
      recheckAtMs: nowMs + recheckMs,
      rechecking: null,
    });
  }

  clear(): void {
    this.#entries.clear();
  }

  /** One look at a time, whoever waits for it. */
  async #recheck(key: string, entry: Entry, nowMs: number): Promise<PolicyCaller | null> {
    entry.rechecking ??=
      entry.recheck?.().finally(() => {
        entry.rechecking = null;
      }) ?? null;
    if (await entry.rechecking) {
      entry.recheckAtMs = nowMs + recheckMs;
      return entry.caller;
    }
    this.#entries.delete(key);
    return null;
  }
}

function isCurrent(entry: Entry, nowMs: number, now: number): boolean {
  if (nowMs >= entry.untilMs) return false;
  if (entry.expiresAt !== null && now >= entry.expiresAt) return false;
  return entry.isCurrent === null || entry.isCurrent();
}
