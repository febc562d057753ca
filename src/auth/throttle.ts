/**
 * Counts failed logins, so that an attacker cannot try thousands of passwords.
 *
 * Three counts, each of which decays at a steady rate: of an account from one network (ten failures, then a wait), of a
 * network over all accounts (a hundred), and of an account from everywhere. The last only delays and never rejects. A
 * network from which an account logged in lately is not held back by failures of other accounts there. So an attacker
 * cannot lock others out. A network is an IPv4 address or an IPv6 /64.
 *
 * Memory is bounded. Logins that arrive together get no more tries than those that come one by one, and the counts of
 * several processes add up where `tell` carries news between them.
 */
import { Lru } from "../lib/lru.ts";

export interface LoginAttempt {
  readonly network: string;
  readonly account: string;
}

/** An outcome that is sent to other processes. */
export interface LoginNews extends LoginAttempt {
  readonly failed: boolean;
}

export type ThrottleAdvice =
  | { readonly kind: "go"; readonly delayMs: number }
  | { readonly kind: "wait"; readonly retryAfterS: number };

interface Limit {
  /** Failures in a row that are free. */
  readonly burst: number;
  /** One failure is forgotten after this. */
  readonly forgetMs: number;
}

const minute = 60_000;
const perPair: Limit = { burst: 10, forgetMs: 1.5 * minute };
const perNetwork: Limit = { burst: 100, forgetMs: 0.15 * minute };
const perAccount: Limit = { burst: 20, forgetMs: 0.5 * minute };
/** How long a login to an account that is under attack is held back. */
const attackDelayMs = 1_000;
/** A login that worked vouches for its network this long. */
const vouchMs = 24 * 60 * minute;

/** Logins to one account from one network that wait for how others of the pair end. */
const waitingMax = 64;

const pairsMax = 50_000;
const networksMax = 20_000;
const accountsMax = 20_000;

/** Failures that are not forgotten yet, as of a moment. */
interface Count {
  readonly failures: number;
  readonly atMs: number;
}

/** Logins of a pair: how many are being tried, and who waits for one of them to end. */
interface Trying {
  running: number;
  readonly waiting: (() => void)[];
}

export class Throttle {
  readonly #pairs = new Lru<string, Count>({ entriesMax: pairsMax });
  readonly #networks = new Lru<string, Count>({ entriesMax: networksMax });
  readonly #accounts = new Lru<string, Count>({ entriesMax: accountsMax });
  readonly #vouched = new Lru<string, number>({ entriesMax: pairsMax });
  readonly #trying = new Map<string, Trying>();
  readonly #tell: (news: LoginNews) => void;

  constructor(tell: (news: LoginNews) => void = () => {}) {
    this.#tell = tell;
  }

  /** Whether a login may be tried now. */
  advise({ network, account }: LoginAttempt, nowMs: number): ThrottleAdvice {
    const pair = pairKey({ network, account });
    const pairWaitMs = waitMs(this.#pairs.get(pair), perPair, nowMs);
    const vouchedAtMs = this.#vouched.get(pair);
    const isVouched = vouchedAtMs !== null && nowMs - vouchedAtMs < vouchMs;
    const networkWaitMs = isVouched ? 0 : waitMs(this.#networks.get(network), perNetwork, nowMs);
    const longestMs = Math.max(pairWaitMs, networkWaitMs);
    if (longestMs > 0) return { kind: "wait", retryAfterS: Math.ceil(longestMs / 1000) };
    const attacked = waitMs(this.#accounts.get(accountKey(account)), perAccount, nowMs) > 0;
    return { kind: "go", delayMs: attacked && !isVouched ? attackDelayMs : 0 };
  }

  /**
   * As `advise`, once it is known that failures of the logins being tried leave room for one more. Who is told to go
   * must say when it has ended.
   */
  async begin(attempt: LoginAttempt, nowMs: () => number): Promise<ThrottleAdvice> {
    const pair = pairKey(attempt);
    for (;;) {
      const advice = this.advise(attempt, nowMs());
      if (advice.kind === "wait") return advice;
      const trying = this.#trying.get(pair) ?? { running: 0, waiting: [] };
      if (trying.running < triesLeft(this.#pairs.get(pair), perPair, nowMs())) {
        trying.running += 1;
        this.#trying.set(pair, trying);
        return advice;
      }
      if (trying.waiting.length >= waitingMax) return { kind: "wait", retryAfterS: 1 };
      const { promise, resolve } = Promise.withResolvers<void>();
      trying.waiting.push(resolve);
      await promise;
    }
  }

  /** A login that `begin` let go has ended, and its outcome is recorded. */
  end(attempt: LoginAttempt): void {
    const pair = pairKey(attempt);
    const trying = this.#trying.get(pair);
    if (trying === undefined) return;
    trying.running -= 1;
    if (trying.running === 0) this.#trying.delete(pair);
    for (const resolve of trying.waiting.splice(0)) resolve();
  }

  /** A login was tried. */
  record(news: LoginNews, nowMs: number): void {
    this.learn(news, nowMs);
    this.#tell(news);
  }

  /** As `record`, for what another process tells. */
  learn({ network, account, failed }: LoginNews, nowMs: number): void {
    const pair = pairKey({ network, account });
    if (!failed) {
      this.#pairs.delete(pair);
      this.#vouched.set(pair, nowMs);
      return;
    }
    add(this.#pairs, pair, perPair, nowMs);
    add(this.#networks, network, perNetwork, nowMs);
    add(this.#accounts, accountKey(account), perAccount, nowMs);
  }
}

/**
 * A name has one count however it is written. Directories compare names as RFC 4518 prepares them: case, the number of
 * blanks, and characters that do not show make no difference; Active Directory ignores accents as well.
 */
function accountKey(account: string): string {
  return account
    .normalize("NFKD")
    .replace(/[\t-\r\u0085\p{Z}]+/gu, " ")
    .replace(/[\p{C}\p{M}\ufffc]/gu, "")
    .replace(/ +/g, " ")
    .trim()
    .toUpperCase()
    .toLowerCase();
}

function pairKey({ network, account }: LoginAttempt): string {
  return `${network} ${accountKey(account)}`;
}

function failuresNow(count: Count | null, limit: Limit, nowMs: number): number {
  if (count === null) return 0;
  return Math.max(0, count.failures - (nowMs - count.atMs) / limit.forgetMs);
}

/** How long until one more failure is free; 0 when it is. */
function waitMs(count: Count | null, limit: Limit, nowMs: number): number {
  const over = failuresNow(count, limit, nowMs) - (limit.burst - 1);
  return over > 0 ? over * limit.forgetMs : 0;
}

/** How many may be tried at once when all of them may fail; at least one, since this one may be tried. */
function triesLeft(count: Count | null, limit: Limit, nowMs: number): number {
  return Math.max(1, limit.burst - Math.ceil(failuresNow(count, limit, nowMs)));
}

function add(counts: Lru<string, Count>, key: string, limit: Limit, nowMs: number): void {
  const failures = failuresNow(counts.get(key), limit, nowMs) + 1;
  // More than twice the burst counts no further: the wait is bounded.
  counts.set(key, { failures: Math.min(failures, 2 * limit.burst), atMs: nowMs });
}

/** The network of an address: what one subscriber can be expected to have to himself. */
export function networkOf(address: string | null): string {
  if (address === null) return "unknown";
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.split("%")[0]?.split("::") ?? [];
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === "" ? [] : tail.split(":");
  const missing = address.includes("::") ? Math.max(0, 8 - groups.length - rest.length) : 0;
  const full = [...groups, ...Array.from({ length: missing }, () => "0"), ...rest];
  return `${full
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
