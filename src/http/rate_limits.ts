/**
 * Request rates: of the whole server, of a method, and of one caller (`http.ratelimit`).
 *
 * Each rate is a token bucket that holds one second's worth. A bucket is a single number, the moment at which it will
 * be full again (GCRA), on a page that all workers share: so a rate is the server's, however many processes answer, and
 * a check costs a few atomic operations. Callers have a table of fixed size on the same page. A caller whose bucket is
 * full needs no place in it; while all places of a set are busy, the least busy caller loses its own.
 *
 * A request is admitted or rejected at once, before its credentials are verified; none waits. The limit may be exceeded
 * by one bucket, and for a moment when the wall clock is set. Any content of the page is valid, so a crash, a restart
 * or a changed rate needs no repair.
 */
import { networkOf } from "../auth/throttle.ts";
import type { Clock } from "../lib/clock.ts";
import { openSharedPage } from "../lib/shared_page.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import { countedMethods } from "./counted_methods.ts";
import type { RateLimitValues } from "./limit_options.ts";

/** What a bucket holds, in time: so a number on the page is never further ahead than this. */
const bucketUs = 1_000_000;
const sets = 4096;
const ways = 4;

/** Layout of the page: a random number, the bucket of the server, one per method, then pairs of caller and bucket. */
const seedAt = 0;
const serverAt = 1;
const methodsAt = 2;
const callersAt = 16;
const pageLength = callersAt + sets * ways * 2;

/** A configured rate: its option's name for messages, and what a request takes out of the bucket. */
interface Rate {
  readonly option: string;
  readonly perSecond: number;
  readonly costUs: number;
}

export class RateLimits {
  readonly #page: Int32Array;
  readonly #clock: Clock;
  readonly #server: Rate | null;
  readonly #caller: Rate | null;
  readonly #methods: ReadonlyMap<string, { readonly rate: Rate; readonly at: number }>;

  /** `pagePath` is the same for all processes of the server; null where there is one. */
  constructor(values: RateLimitValues, pagePath: string | null, clock: Clock) {
    const fresh = new Int32Array(pageLength);
    fresh[seedAt] = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
    this.#page = openSharedPage(pagePath ?? fresh, fresh);
    this.#clock = clock;
    this.#server = rateOf("http.ratelimit.rate", values.rate);
    this.#caller = rateOf("http.ratelimit.perCaller", values.perCaller);
    this.#methods = methodRates(values);
  }

  /**
   * Counts a request; the API error when it is one too many. `address` is the client's, null when it is not known;
   * `name` that of a user who has logged in lately, who is the same caller wherever he comes from.
   */
  check(
    method: string,
    address: string | null,
    name: () => string | null = () => null,
  ): ApiError | null {
    const nowUs = Math.floor(this.#clock.now() * 1000) | 0;
    // A caller that is over its own rate takes nothing from the others.
    if (this.#caller !== null) {
      const user = name();
      const caller = user === null || user === "" ? networkOf(address) : `user ${user}`;
      const at = this.#callerAt(caller, nowUs);
      const waitUs = this.#take(at, this.#caller, nowUs);
      if (waitUs > 0) return tooMany(this.#caller, waitUs);
    }
    const counted = this.#methods.get(method);
    if (counted !== undefined) {
      const waitUs = this.#take(counted.at, counted.rate, nowUs);
      if (waitUs > 0) return tooMany(counted.rate, waitUs);
    }
    if (this.#server === null) return null;
    const waitUs = this.#take(serverAt, this.#server, nowUs);
    return waitUs > 0 ? tooMany(this.#server, waitUs) : null;
  }

  /** Takes one request out of a bucket; 0 when there was one, else how long until there is. */
  #take(at: number, { costUs }: Rate, nowUs: number): number {
    for (;;) {
      const found = Atomics.load(this.#page, at);
      const owedUs = owed(found, nowUs) + costUs;
      if (owedUs > bucketUs) return owedUs - bucketUs;
      const next = (nowUs + owedUs) | 0;
      if (Atomics.compareExchange(this.#page, at, found, next) === found) return 0;
    }
  }

  /** Where a caller's bucket is; a new caller gets the place that is missed least. */
  #callerAt(caller: string, nowUs: number): number {
    const page = this.#page;
    const key = Bun.hash.xxHash32(caller, Atomics.load(page, seedAt) >>> 0);
    const first = callersAt + (key % sets) * ways * 2;
    let place = first;
    let leastUs = Infinity;
    for (let at = first; at < first + ways * 2; at += 2) {
      if (Atomics.load(page, at) === (key | 0)) return at + 1;
      const owedUs = owed(Atomics.load(page, at + 1), nowUs);
      if (owedUs >= leastUs) continue;
      place = at;
      leastUs = owedUs;
    }
    Atomics.store(page, place, key | 0);
    if (leastUs > 0) Atomics.store(page, place + 1, nowUs);
    return place + 1;
  }
}

/** Whether any rate is limited at all. */
export function limitsRates({ rate, methods, perCaller }: RateLimitValues): boolean {
  return rate > 0 || perCaller > 0 || methods.length > 0;
}

/** How far a bucket is from full. What no bucket can be (an old page, a clock that was set back) is full. */
function owed(found: number, nowUs: number): number {
  const aheadUs = (found - nowUs) | 0;
  return aheadUs > 0 && aheadUs <= bucketUs ? aheadUs : 0;
}

function rateOf(option: string, perSecond: number): Rate | null {
  if (perSecond === 0) return null;
  return { option, perSecond, costUs: Math.floor(bucketUs / perSecond) };
}

function methodRates({ methods }: RateLimitValues) {
  const rates = new Map<string, { rate: Rate; at: number }>();
  for (const { method, rate: perSecond } of methods) {
    const rate = rateOf(`http.ratelimit.methods (${method})`, perSecond);
    if (rate !== null) rates.set(method, { rate, at: methodsAt + countedMethods.indexOf(method) });
  }
  return rates;
}

function tooMany({ option, perSecond }: Rate, waitUs: number): ApiError {
  const seconds = Math.ceil(waitUs / bucketUs);
  return apiError("TOO_MANY_REQUESTS", {
    message: `Too many requests; expected up to ${perSecond} a second (${option}), try again in ${seconds} s`,
    headers: { "retry-after": String(seconds) },
  });
}
