/**
 * Requests to one upstream, each through its gate, within its limit, and with what goes wrong as trouble in words.
 */
import { ClientError } from "../../../client/client_error.ts";
import type { HeaderLine } from "../../../client/http_message.ts";
import type { Exchange, OpenExchange } from "../../../client/exchange.ts";
import type { RegistryClient } from "../../../client/registry_client.ts";
import type { Address } from "../../../client/registry_url.ts";
import type { Clock } from "../../../lib/clock.ts";
import { type Asked, troubleOfFailure } from "./answers.ts";
import type { Pass, RequestClass, UpstreamGate } from "./gate.ts";
import { UpstreamTrouble } from "./trouble.ts";

export interface UpstreamRequest {
  readonly method: "GET" | "HEAD";
  readonly url: string | Address;
  readonly class: RequestClass;
  readonly headers?: readonly HeaderLine[];
  /** Until the whole answer is there; for `open` until its head is. */
  readonly wholeMs: number;
  readonly bodyBytesMax?: number;
  readonly signal?: AbortSignal;
}

/** An answer whose body is still to be read; `close` also gives the place at the gate back. */
export interface OpenAnswer extends OpenExchange {
  /** Waits where bytes came faster than they may. */
  spend(bytes: number): Promise<void> | null;
}

/** Mirrors that a request may have come through. */
export const hopsMax = 3;
export const hopsHeader = "X-Zot-Mirror-Hops";

export interface RequestsOptions {
  /** As in `Upstream.host`. */
  readonly host: string;
  readonly client: RegistryClient;
  readonly gate: UpstreamGate;
  readonly clock: Clock;
  readonly redirectsMax: number;
  readonly onAnswer: (method: string, status: number | null, ms: number) => void;
}

/** What waits too long for a place may come again after so long. */
const busyRetryAfterS = 5;

/** The time that a request has; whoever asked may end it before. */
class Deadline {
  isLate = false;
  readonly #ending = new AbortController();
  readonly #over = new AbortController();

  constructor(clock: Clock, { wholeMs, signal }: UpstreamRequest) {
    const leave = (): void => this.#ending.abort();
    signal?.addEventListener("abort", leave, { once: true });
    void clock.sleep(wholeMs, this.#over.signal).then(() => {
      if (this.#over.signal.aborted) return;
      this.isLate = true;
      this.#ending.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** No more time counts. Whoever asked may still end what is open. */
  over(): void {
    this.#over.abort();
  }
}

export class UpstreamRequests {
  readonly #options: RequestsOptions;
  readonly #hops: number;

  /** `hops`: mirrors that the request came through that these are sent for. */
  constructor(options: RequestsOptions, hops = 0) {
    this.#options = options;
    this.#hops = hops;
  }

  withHops(hops: number): UpstreamRequests {
    return new UpstreamRequests(this.#options, hops);
  }

  get host(): string {
    return this.#options.host;
  }

  get client(): RegistryClient {
    return this.#options.client;
  }

  get hasLogin(): boolean {
    return this.client.exchanger.auth.hasLogin;
  }

  get asked(): Asked {
    return { host: this.host, hasLogin: this.hasLogin, nowMs: this.#options.clock.now() };
  }

  /** The whole answer, whatever its status. @throws UpstreamTrouble where none came. */
  async exchange(request: UpstreamRequest): Promise<Exchange> {
    const deadline = new Deadline(this.#options.clock, request);
    try {
      const pass = await this.#enter(request, deadline);
      try {
        return await this.#answered(request, deadline, (signal) =>
          this.client.exchange({ ...this.#wired(request), signal }),
        );
      } finally {
        pass.leave();
      }
    } finally {
      deadline.over();
    }
  }

  /** The head of an answer, whatever its status; its body is read as it comes, for as long as it moves. */
  async open(request: UpstreamRequest): Promise<OpenAnswer> {
    const waiting = new Deadline(this.#options.clock, request);
    const pass = await this.#enter(request, waiting).finally(() => waiting.over());
    const deadline = new Deadline(this.#options.clock, request);
    let answer: OpenExchange;
    try {
      answer = await this.#answered(request, deadline, (signal) =>
        this.client.open({ ...this.#wired(request), signal }),
      );
    } catch (error) {
      pass.leave();
      throw error;
    } finally {
      deadline.over();
    }
    const close = (): void => {
      answer.close();
      pass.leave();
    };
    return { ...answer, close, spend: (bytes) => pass.spend(bytes) };
  }

  /** A place at the gate. Downloads wait for theirs as long as it takes; others no longer than they may take. */
  async #enter(request: UpstreamRequest, deadline: Deadline): Promise<Pass> {
    if (this.#hops > hopsMax) throw new UpstreamTrouble("loop", this.host);
    const signal = request.class === "blob" ? request.signal : deadline.signal;
    if (request.signal?.aborted === true) throw new ClientError("aborted", this.host);
    try {
      return await this.#options.gate.enter(request.class, signal);
    } catch (error) {
      if (!deadline.isLate || !(error instanceof ClientError)) throw error;
      throw new UpstreamTrouble("busy", this.host, { retryAfterS: busyRetryAfterS });
    }
  }

  /** Sends, and tells the gate what came of it. Who does not answer in time is silent. */
  async #answered<T extends Exchange | OpenExchange>(
    request: UpstreamRequest,
    deadline: Deadline,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, gate, host, onAnswer } = this.#options;
    const startMs = clock.monotonicMs();
    let status: number | null = null;
    try {
      const answer = await send(deadline.signal);
      ({ status } = answer);
      gate.heard(answer);
      return answer;
    } catch (error) {
      // Whoever asked does not want it any more: nobody's fault.
      if (request.signal?.aborted === true) throw error;
      const isLate = deadline.isLate && error instanceof ClientError && error.kind === "aborted";
      const words = `did not answer within ${request.wholeMs / 1000} s`;
      const trouble = isLate
        ? new UpstreamTrouble("silent", host, { words })
        : troubleOfFailure(error, this.asked);
      gate.failed(trouble);
      throw trouble;
    } finally {
      onAnswer(request.method, status, clock.monotonicMs() - startMs);
    }
  }

  #wired({ method, url, headers = [], bodyBytesMax }: UpstreamRequest) {
    const own: HeaderLine[] = [
      ["Accept-Encoding", "identity"],
      ["Via", "1.1 zot"],
      [hopsHeader, String(this.#hops + 1)],
    ];
    return {
      method,
      url,
      headers: [...headers, ...own],
      redirectsMax: this.#options.redirectsMax,
      ...(bodyBytesMax === undefined ? {} : { bodyBytesMax }),
    };
  }
}
