/**
 * How an upstream is, as all workers together see it: whether it limits us (429, a spent budget), whether it fails again
 * and again (a circuit that opens, and lets one request in ten seconds find out), and what went wrong last.
 */
import { ClientError } from "../../../client/client_error.ts";
import type { HeaderLines } from "../../../client/http_message.ts";
import type { Clock } from "../../../lib/clock.ts";
import { retryAfterMaxS, retryAfterOf } from "./answers.ts";
import type { GateSlot } from "./gate_page.ts";
import { UpstreamTrouble } from "./trouble.ts";
import type { UpstreamState } from "./upstream.ts";

/** So many failures within so long open the circuit; then one request per pause finds out whether it works again. */
const failuresMax = 5;
const failuresMs = 30_000;
const probePauseMs = 10_000;
/** What a 429 without `Retry-After` means. */
const limitedDefaultS = 60;
/** A budget that is spent counts for no longer: nobody may have asked since. */
const budgetCountsS = retryAfterMaxS;

interface Answered {
  readonly status: number;
  readonly headers: HeaderLines;
}

/** 501 is a method that it does not know, and 508 a mirror that is well and was asked in a circle. */
function isFailure(status: number): boolean {
  return status >= 500 && status !== 501 && status !== 508;
}

export class Health {
  readonly #slot: GateSlot;
  readonly #host: string;
  readonly #clock: Clock;

  constructor(slot: GateSlot, host: string, clock: Clock) {
    this.#slot = slot;
    this.#host = host;
    this.#clock = clock;
  }

  /**
   * Lets a request through, or not. `isCounted` for one that takes from the upstream's budget.
   * @throws UpstreamTrouble
   */
  admit(isCounted: boolean): void {
    const nowS = this.#nowS();
    const limitedS = this.#limitedUntilS() - nowS;
    if (limitedS > 0) {
      throw this.#limited(
        `limits our requests: it answered 429, and may be asked in ${limitedS} s`,
        limitedS,
      );
    }
    const budgetS = this.#slot.get("budgetAtS") + budgetCountsS - nowS;
    if (isCounted && this.#slot.get("budget") === 1 && budgetS > 0 && budgetS <= budgetCountsS) {
      throw this.#limited("limits our requests: its budget for us is spent", Math.min(60, budgetS));
    }
    if (this.#slot.get("openSinceS") === 0) return;
    const probeMs = this.#slot.get("probeMs");
    const leftMs = (probeMs - this.#nowMs()) | 0;
    const isTime = leftMs <= 0 || leftMs > probePauseMs;
    if (isTime && this.#slot.exchange("probeMs", probeMs, this.#nowMs() + probePauseMs)) return;
    const words = `failed again and again, the last time so: ${this.#slot.errorWords}`;
    const retryAfterS = isTime ? 1 : Math.ceil(leftMs / 1000);
    throw new UpstreamTrouble("circuit-open", this.#host, { words, retryAfterS });
  }

  /** An answer came. */
  heard({ status, headers }: Answered): void {
    this.#noteBudget(headers);
    if (status === 429) {
      const seconds = retryAfterOf(headers.get("Retry-After"), limitedDefaultS, this.#clock.now());
      this.limit("answered 429", seconds);
      this.#works();
    } else if (isFailure(status)) this.#fails(`answered ${status}`);
    else this.#works();
  }

  /** None came, or none that can be used. */
  failed(trouble: UpstreamTrouble): void {
    if (trouble.kind === "limited") {
      this.limit(trouble.words, trouble.retryAfterS ?? limitedDefaultS);
      return;
    }
    const cause = trouble.cause instanceof ClientError ? trouble.cause.kind : null;
    const isDown =
      trouble.kind === "unreachable" ||
      trouble.kind === "silent" ||
      cause === "closed" ||
      cause === "notHttp" ||
      cause === "tokenService";
    if (isDown) this.#fails(trouble.words);
    else this.#note(trouble.words);
  }

  limit(words: string, seconds: number): void {
    if (this.#limitedUntilS() <= this.#nowS()) this.#slot.set("limitedSinceS", this.#nowS());
    this.#slot.set("limitedUntilS", this.#nowS() + seconds);
    this.#note(words);
  }

  state(): UpstreamState {
    const slot = this.#slot;
    const nowS = this.#nowS();
    const isOpen = slot.get("openSinceS") !== 0;
    const isLimited = this.#limitedUntilS() > nowS;
    const errorAtS = slot.get("errorAtS");
    const budget = slot.get("budget");
    const probeInMs = (slot.get("probeMs") - this.#nowMs()) | 0;
    const sinceS = isOpen
      ? slot.get("openSinceS")
      : slot.get(isLimited ? "limitedSinceS" : "upSinceS");
    return {
      state: isOpen ? "down" : isLimited ? "limited" : "up",
      sinceMs: sinceS === 0 ? null : sinceS * 1000,
      lastError: errorAtS === 0 ? null : { words: slot.errorWords, atMs: errorAtS * 1000 },
      budgetLeft: budget === 0 ? null : budget - 1,
      resetMs: isOpen
        ? this.#clock.now() + Math.max(0, Math.min(probeInMs, probePauseMs))
        : isLimited
          ? this.#limitedUntilS() * 1000
          : null,
    };
  }

  /** What lies further ahead than any memo may is of a clock that was set back. */
  #limitedUntilS(): number {
    const untilS = this.#slot.get("limitedUntilS");
    return untilS - this.#nowS() > retryAfterMaxS ? 0 : untilS;
  }

  #noteBudget(headers: HeaderLines): void {
    const match = /^(\d{1,9})(?:;|$)/.exec(headers.get("RateLimit-Remaining") ?? "");
    if (match === null) return;
    this.#slot.set("budget", Number(match[1]) + 1);
    this.#slot.set("budgetAtS", this.#nowS());
  }

  #works(): void {
    if (this.#slot.get("failures") !== 0) this.#slot.set("failures", 0);
    if (this.#slot.get("openSinceS") === 0) return;
    this.#slot.set("openSinceS", 0);
    this.#slot.set("upSinceS", this.#nowS());
  }

  #fails(words: string): void {
    this.#note(words);
    const nowMs = this.#nowMs();
    const ageMs = (nowMs - this.#slot.get("firstFailureMs")) | 0;
    const isFirst = this.#slot.get("failures") === 0 || ageMs < 0 || ageMs > failuresMs;
    if (isFirst) {
      this.#slot.set("firstFailureMs", nowMs);
      this.#slot.set("failures", 1);
      return;
    }
    const failures = this.#slot.add("failures", 1);
    if (failures < failuresMax || this.#slot.get("openSinceS") !== 0) return;
    this.#slot.set("probeMs", nowMs + probePauseMs);
    this.#slot.set("openSinceS", this.#nowS());
  }

  #note(words: string): void {
    this.#slot.errorWords = words;
    this.#slot.set("errorAtS", this.#nowS());
  }

  #limited(words: string, retryAfterS: number): UpstreamTrouble {
    return new UpstreamTrouble("limited", this.#host, { words, retryAfterS });
  }

  #nowS(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  /** Wraps around, as the numbers of the page do. */
  #nowMs(): number {
    return Math.floor(this.#clock.now()) | 0;
  }
}
