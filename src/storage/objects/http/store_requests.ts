/**
 * Sends requests to a store of objects: within places by kind of request, with a limit on silence, and again where that
 * may help. Each request can be repeated, because keys are never used twice.
 *
 * `fetch` has traps that are shut here: it follows redirects, unpacks bodies, waits for ever, and runs only so many
 * requests at once in a process (`BUN_CONFIG_MAX_HTTP_REQUESTS`, which is set where processes are started).
 */
import { KiB, MiB } from "../../../lib/bytes.ts";
import type { Clock } from "../../../lib/clock.ts";
import { Gate, GateFull } from "../../../lib/gate.ts";
import { ObjectStoreRefused, ObjectStoreUnavailable } from "../object_store.ts";
import { adviceOn } from "../store_advice.ts";
import { RetryBudget } from "./retry_budget.ts";
import type {
  Lesson,
  Pace,
  StoreAnswer,
  StoreDialect,
  StoreRequest,
  Verdict,
} from "./store_dialect.ts";

/** What a process may have of `fetch` at once where nobody said otherwise; more wait in silence. */
const requestsMaxDefault = 256;
/** Of these, how many bodies may come, go, and how many small requests run at once: none keeps the others waiting. */
const shares = { read: 1 / 2, write: 1 / 8, small: 1 / 8 } as const;
/** Requests of each kind that wait for a place; beyond it they are refused. */
const waitingMax = 2_000;

/** Until an answer begins. */
export const silenceMs = 30_000;
/** A body that goes out has as long as it takes at this pace, since how far it has come cannot be seen. */
const slowestBytesPerSecond = 64 * KiB;
/** A small request as a whole. */
const smallMs = 10_000;
/** A store that has to copy all parts says nothing meanwhile. */
const slowMs = 5 * 60_000;

const triesMax = 4;
const pauseMs = { least: 50, first: 200, factor: 4, most: 5_000 } as const;
/** A page of a list is the longest that is read as text. */
const answerBytesMax = 4 * MiB;

export interface RequestParts {
  readonly dialect: StoreDialect;
  readonly clock: Clock;
  /** PEM of the authorities that are trusted in place of the system's; null for those. */
  readonly ca: string | null;
  readonly verify: boolean;
  /** How many requests `fetch` runs at once in this process. */
  readonly requestsMax: number;
}

/** An answer with its body still to come, which `over` gives the place back for. */
export interface OpenAnswer {
  readonly response: Response;
  /** Ends the request where it is not read to its end. */
  readonly abort: () => void;
  readonly over: () => void;
}

/** What one try came to. */
type Outcome =
  | { readonly verdict: Verdict; readonly answer: StoreAnswer }
  | { readonly verdict: { readonly kind: "open" }; readonly response: Response; abort: () => void };

export class StoreRequests {
  readonly #parts: RequestParts;
  readonly #budget = new RetryBudget();
  readonly #gates: Readonly<Record<Pace, Gate>>;
  readonly #closed = new AbortController();

  constructor(parts: RequestParts) {
    this.#parts = parts;
    const gate = (share: number): Gate =>
      new Gate({ runningMax: Math.max(1, Math.floor(parts.requestsMax * share)), waitingMax });
    const small = gate(shares.small);
    this.#gates = { read: gate(shares.read), write: gate(shares.write), small, slow: small };
  }

  /** An answer that is fine; null for what is absent. @throws ObjectStoreUnavailable, ObjectStoreRefused */
  async send(request: StoreRequest): Promise<StoreAnswer | null> {
    return await this.#inPlace(request, async () => {
      const outcome = await this.#tried(request);
      return "answer" in outcome && outcome.verdict.kind === "fine" ? outcome.answer : null;
    });
  }

  /** As `send`, of a request whose answer is streamed. */
  async open(request: StoreRequest): Promise<OpenAnswer | null> {
    const { promise, resolve, reject } = Promise.withResolvers<OpenAnswer | null>();
    const place = this.#inPlace(request, async () => {
      const outcome = await this.#tried(request);
      if (!("response" in outcome)) return resolve(null);
      const { promise: ended, resolve: over } = Promise.withResolvers<void>();
      resolve({ response: outcome.response, abort: outcome.abort, over });
      await ended;
    });
    place.catch(reject);
    return await promise;
  }

  /** Ends what runs and waits. */
  close(): void {
    this.#closed.abort();
  }

  /** Whether a body that broke off may be asked for once more. */
  mayResume(): boolean {
    return !this.#closed.signal.aborted && this.#budget.spend();
  }

  async #inPlace<T>({ operation }: StoreRequest, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#gates[operation.pace].run(work);
    } catch (error) {
      if (!(error instanceof GateFull)) throw error;
      throw this.#unavailable(operation.says, "too many requests to it wait", error);
    }
  }

  async #tried(request: StoreRequest): Promise<Outcome> {
    const { says } = request.operation;
    const lessons = new Set<Lesson>();
    this.#budget.earn();
    for (let failures = 0; ;) {
      const outcome = await this.#tryOnce(request, lessons);
      const { verdict } = outcome;
      if (verdict.kind === "refused") throw this.#refused(says, verdict.says);
      if (verdict.kind === "learned") {
        if (lessons.has(verdict.what)) throw this.#refused(says, verdict.says);
        lessons.add(verdict.what);
        continue;
      }
      if (verdict.kind !== "again") return outcome;
      failures += 1;
      const isLast = failures === triesMax || this.#closed.signal.aborted;
      if (isLast || !this.#budget.spend()) throw this.#unavailable(says, verdict.says);
      await this.#parts.clock.sleep(pauseAfter(failures), this.#closed.signal);
    }
  }

  async #tryOnce(request: StoreRequest, lessons: ReadonlySet<Lesson>): Promise<Outcome> {
    const { dialect, clock } = this.#parts;
    const signed = await dialect.sign(request, lessons);
    const late = new AbortController();
    const over = new AbortController();
    const stop = AbortSignal.any([over.signal, this.#closed.signal]);
    void clock.sleep(limitMs(request), stop).then(() => {
      if (!over.signal.aborted) late.abort();
    });
    const { method, pace } = request.operation;
    try {
      const response = await fetch(signed.url, {
        method,
        headers: signed.headers,
        ...(request.body === undefined ? {} : { body: request.body as Blob }),
        redirect: "manual",
        decompress: false,
        timeout: false,
        signal: late.signal,
        tls: this.#tls(),
      } as RequestInit);
      if (pace === "read" && response.ok) {
        return { verdict: { kind: "open" }, response, abort: () => late.abort() };
      }
      const text = method === "HEAD" ? "" : await textOf(response);
      const answer = { status: response.status, headers: response.headers, text };
      return { verdict: dialect.verdict(request, answer), answer };
    } catch (error) {
      return { verdict: this.#verdictOn(error, late.signal, request), answer: nothing };
    } finally {
      over.abort();
    }
  }

  #verdictOn(error: unknown, late: AbortSignal, { operation }: StoreRequest): Verdict {
    const code = codeOf(error, late);
    const told = (word: string, says = word): string => {
      const { store } = this.#parts.dialect;
      const help = adviceOn([word], { store, permission: operation.permission });
      return help === null ? says : `${says}: ${help}`;
    };
    if (!isOfCertificate.test(code)) return { kind: "again", says: told(code) };
    const says = `its certificate is not trusted (${code})`;
    const line = told(code, says);
    return { kind: "refused", says: line === says ? `${says}; set cafile` : line };
  }

  #tls(): object {
    const { ca, verify } = this.#parts;
    return { rejectUnauthorized: verify, ...(ca === null ? {} : { ca }) };
  }

  #refused(what: string, says: string): ObjectStoreRefused {
    return new ObjectStoreRefused(`${this.#parts.dialect.name} refuses the ${what}: ${says}`);
  }

  #unavailable(what: string, says: string, cause?: unknown): ObjectStoreUnavailable {
    const line = `${this.#parts.dialect.name} cannot serve the ${what} now: ${says}`;
    return new ObjectStoreUnavailable(line, { cause });
  }
}

/** What the environment of a process lets `fetch` run at once. */
export function requestsMaxOf(env: Readonly<Record<string, string | undefined>>): number {
  const said = Number(env["BUN_CONFIG_MAX_HTTP_REQUESTS"]);
  return Number.isSafeInteger(said) && said > 0 ? said : requestsMaxDefault;
}

const nothing: StoreAnswer = { status: 0, headers: new Headers(), text: "" };

function limitMs({ operation, body }: StoreRequest): number {
  if (operation.pace === "small") return smallMs;
  if (operation.pace === "slow") return slowMs;
  const bytes = body instanceof Blob ? body.size : (body?.length ?? 0);
  return silenceMs + (bytes / slowestBytesPerSecond) * 1000;
}

/** Full jitter: those who failed together do not come back together. */
function pauseAfter(failures: number): number {
  const { least, first, factor, most } = pauseMs;
  const longest = Math.min(most, first * factor ** (failures - 1));
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return least + (random / 2 ** 32) * (longest - least);
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > answerBytesMax) break;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Of the files that a body comes from. */
const fileCodes = ["ENOENT", "EACCES", "EPERM", "EIO", "EISDIR", "EMFILE"];

const isOfCertificate = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME/;

/** In a word why no answer came. @throws the error itself where it is not the store's. */
function codeOf(error: unknown, late: AbortSignal): string {
  if (late.aborted) return "no answer in time";
  if (!(error instanceof Error)) throw error;
  const code = "code" in error ? String(error.code) : error.name;
  if (fileCodes.includes(code) || error.name === "AssertionError") throw error;
  return code;
}
