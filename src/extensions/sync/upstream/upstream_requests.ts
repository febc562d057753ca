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
    const pass = await this.#enter(request);
    try {
      return await this.#within(request, (signal) =>
        this.client.exchange({ ...this.#wired(request), signal }),
      );
    } finally {
      pass.leave();
    }
  }

  /** The head of an answer, whatever its status; its body is read as it comes, for as long as it moves. */
  async open(request: UpstreamRequest): Promise<OpenAnswer> {
    const pass = await this.#enter(request);
    let answer: OpenExchange;
    try {
      answer = await this.#within(request, (signal) =>
        this.client.open({ ...this.#wired(request), signal }),
      );
    } catch (error) {
      pass.leave();
      throw error;
    }
    const close = (): void => {
      answer.close();
      pass.leave();
    };
    return { ...answer, close, spend: (bytes) => pass.spend(bytes) };
  }

  #enter(request: UpstreamRequest): Promise<Pass> {
    if (this.#hops > hopsMax) throw new UpstreamTrouble("loop", this.host);
    return this.#options.gate.enter(request.class, request.signal);
  }

  /** Runs a request; when its time is over, it is silent. What came of it is told to the gate. */
  async #within<T extends Exchange | OpenExchange>(
    request: UpstreamRequest,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, gate, host, onAnswer } = this.#options;
    const ending = new AbortController();
    const over = new AbortController();
    let isLate = false;
    void clock.sleep(request.wholeMs, over.signal).then(() => {
      if (over.signal.aborted) return;
      isLate = true;
      ending.abort();
    });
    const leave = (): void => ending.abort();
    request.signal?.addEventListener("abort", leave, { once: true });
    const startMs = clock.monotonicMs();
    let status: number | null = null;
    try {
      const answer = await send(ending.signal);
      ({ status } = answer);
      gate.heard(answer);
      return answer;
    } catch (error) {
      // Whoever asked does not want it any more: nobody's fault.
      if (request.signal?.aborted === true) throw error;
      const late = isLate && error instanceof ClientError && error.kind === "aborted";
      const words = `did not answer within ${request.wholeMs / 1000} s`;
      const trouble = late
        ? new UpstreamTrouble("silent", host, { words })
        : troubleOfFailure(error, this.asked);
      gate.failed(trouble);
      throw trouble;
    } finally {
      over.abort();
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
