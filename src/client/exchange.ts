// One request and its answer, with login, redirects and limits around the bare transport.
//
// `Exchanger.exchange` sends any request exactly as told to one registry and gives whatever answer
// comes, also a 500: judging is the caller's. A 401 is answered once, redirects are followed a
// bounded number of times without taking the login to another origin, bodies are collected up to a
// limit or handed on piece by piece. Everything that went over the wire can be observed, redacted.
import { MiB } from "../lib/bytes.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import {
  ClientAuth,
  type Credentials,
  type CredentialSource,
  type TokenAnswer,
} from "./client_auth.ts";
import { ClientError } from "./client_error.ts";
import { type IdleLimits, hostAndPort, type TlsOptions } from "./connection.ts";
import { type HeaderLine, HeaderLines } from "./http_message.ts";
import {
  type Address,
  formatAddress,
  formatHost,
  formatOrigin,
  type Origin,
  resolveAddress,
  sameOrigin,
} from "./registry_url.ts";
import type { Route, Way } from "./route.ts";
import { fillEntry, newEntry, showBody, type TranscriptEntry } from "./transcript.ts";
import { bytesBody, type RequestBody, Transport, type WireResponse } from "./transport.ts";

export interface ExchangerOptions {
  origin: Origin;
  /** Path before `/v2/`, without a slash at the end. */
  prefix: string;
  credentials: Credentials | CredentialSource;
  tls: TlsOptions;
  /** Decides how an origin is reached, and whether it may be; directly, whatever it is, where this is left out. */
  route?: Route;
  /** Fetch tokens without a login where a redirect leads to another registry that wants some. */
  loginElsewhere?: boolean;
  limits: IdleLimits;
  userAgent: string;
  /** Sees every request that went over the wire, secrets removed. */
  onTranscript?: (entry: TranscriptEntry) => void;
  clock?: Clock;
}

export interface ExchangeRequest {
  method: string;
  /** A raw path with query (`/v2/...`, put behind the prefix), or an address from an answer. */
  url: string | Address;
  /** Sent as written. Host, User-Agent, Content-Length or Transfer-Encoding are added when missing. */
  headers?: readonly HeaderLine[];
  body?: RequestBody | Uint8Array;
  /** `auto` logs in when asked; `none` never; a text is sent as the Authorization value. */
  login?: "auto" | "none" | { authorization: string };
  /** How many redirects to follow. */
  redirectsMax?: number;
  /** A larger body is an error. Not applied when `onBody` is given. */
  bodyBytesMax?: number;
  /** Takes the body piece by piece; `body` of the exchange stays empty. */
  onBody?: (piece: Uint8Array) => void | Promise<void>;
  /** Drop the connection after this many bytes of the request's body. */
  cutAfterBytes?: number;
  /** Read on after an answer that has no body; what comes is taken as the body. */
  readPastEnd?: boolean;
  /** The bodies of request and answer are secrets: transcripts hide them. */
  secretBodies?: boolean;
  /** Breaks the request off, whatever it waits for; it then throws `aborted`. */
  signal?: AbortSignal;
}

/** An answer whose body is still to be read. */
export interface OpenExchange {
  method: string;
  /** Where the answer came from: base for relative addresses in it. */
  address: Address;
  status: number;
  reason: string;
  headers: HeaderLines;
  redirects: number;
  /** Read it to the end, which frees the connection; leaving the loop early drops it. */
  body: AsyncGenerator<Uint8Array, void, void>;
  /** Drops the connection, also when nobody began to read. */
  close(): void;
}

/** The answer to a request, after logins and redirects. */
export interface Exchange {
  method: string;
  /** Where the answer came from: base for relative addresses in it. */
  address: Address;
  status: number;
  reason: string;
  headers: HeaderLines;
  body: Uint8Array;
  /** Bytes of the body that arrived, also when they were handed on. */
  bodyBytes: number;
  redirects: number;
  /** Milliseconds from sending to the head of the answer, and to its end. */
  firstByteMs: number;
  durationMs: number;
}

/** One attempt on the wire, before anything is read of the answer's body. */
interface Attempt {
  response: WireResponse;
  address: Address;
  entry: TranscriptEntry;
  startMs: number;
  firstByteMs: number;
}

export const redirectsMaxDefault = 5;
export const bodyBytesMaxDefault = 16 * MiB;
const discardedBytesMax = MiB;
const redirectStatuses = new Set([301, 302, 303, 307, 308]);

const straight: Way = {};

/** Origins with logins of their own that are remembered. */
const elsewhereMax = 16;

/** Sends requests to one registry. */
export class Exchanger {
  readonly origin: Origin;
  readonly prefix: string;
  readonly auth: ClientAuth;
  readonly #options: ExchangerOptions;
  readonly #transport: Transport;
  readonly #clock: Clock;
  /** Our certificate is for the registry itself. */
  readonly #tlsElsewhere: TlsOptions;
  readonly #elsewhere = new Map<string, ClientAuth>();

  constructor(options: ExchangerOptions) {
    this.origin = options.origin;
    this.prefix = options.prefix;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { cert: _cert, key: _key, ...tlsElsewhere } = options.tls;
    this.#tlsElsewhere = tlsElsewhere;
    this.#transport = new Transport(options.limits, this.#clock);
    this.auth = this.#login(options.origin, options.credentials);
  }

  #login(origin: Origin, credentials: Credentials | CredentialSource): ClientAuth {
    return new ClientAuth(
      origin,
      credentials,
      (request) => this.#sendTokenRequest(request),
      this.#clock,
    );
  }

  /** Who logs us in at an origin; null for nobody. */
  #authOf(origin: Origin): ClientAuth | null {
    if (sameOrigin(origin, this.origin)) return this.auth;
    if (this.#options.loginElsewhere !== true) return null;
    const key = formatOrigin(origin);
    const known = this.#elsewhere.get(key);
    if (known !== undefined) return known;
    if (this.#elsewhere.size >= elsewhereMax) this.#elsewhere.clear();
    const fresh = this.#login(origin, { kind: "anonymous" });
    this.#elsewhere.set(key, fresh);
    return fresh;
  }

  /** Drops kept connections. The exchanger may be used again. */
  close(): void {
    this.#transport.close();
  }

  /** Sends a request; resolves with any HTTP answer, throws a ClientError when there is none. */
  async exchange(request: ExchangeRequest): Promise<Exchange> {
    const { attempt, method, redirects } = await this.#answered(request);
    return this.#finish(request, method, attempt, redirects);
  }

  /** Sends a request, and gives the answer as soon as its head is there. Throws a ClientError when there is none. */
  async open(request: ExchangeRequest): Promise<OpenExchange> {
    const { attempt, method, redirects } = await this.#answered(request);
    const { response, address } = attempt;
    const { status, reason, headers } = response;
    const body = this.#watched(attempt);
    return { method, address, status, reason, headers, redirects, body, close: response.drop };
  }

  /** The last answer, after logins and redirects. */
  async #answered(
    request: ExchangeRequest,
  ): Promise<{ attempt: Attempt; method: string; redirects: number }> {
    let address = this.resolve(request.url);
    let method = request.method;
    let redirects = 0;
    let asked = false;
    if (this.auth.canChange) await this.auth.renew();
    let authorization = this.#unasked(request, method, address);
    for (;;) {
      const attempt = await this.#attempt({ ...request, method }, address, authorization);
      const { status, headers } = attempt.response;
      const login = request.login ?? "auto";
      const auth = login === "auto" && !asked ? this.#authOf(address.origin) : null;
      if (status === 401 && auth !== null) {
        asked = true;
        const lines = headers.all("WWW-Authenticate");
        const answer = await auth
          .answer(lines, method, address.target, authorization)
          .catch((error: unknown) => {
            attempt.response.drop();
            throw error;
          });
        if (answer !== null) {
          await this.#discard(attempt);
          authorization = answer;
          continue;
        }
      }
      const next = this.#redirectTarget(request, method, attempt);
      if (next === null) return { attempt, method, redirects };
      await this.#discard(attempt);
      redirects += 1;
      if (redirects > (request.redirectsMax ?? redirectsMaxDefault)) {
        throw new ClientError("redirectLoop", formatOrigin(this.origin), {
          detail: `more than ${redirects - 1} redirects, the last to ${formatOrigin(next.origin)}`,
        });
      }
      address = next;
      if (status === 303) method = method === "HEAD" ? "HEAD" : "GET";
      asked = false;
      authorization = this.#unasked(request, method, address);
    }
  }

  /** The address of a raw path (behind the prefix) or of an absolute URL. */
  resolve(url: string | Address): Address {
    if (typeof url !== "string") return url;
    if (url.startsWith("/")) return { origin: this.origin, target: this.prefix + url };
    const base: Address = { origin: this.origin, target: `${this.prefix}/v2/` };
    const address = resolveAddress(url, base);
    if (address === null) throw new ClientError("badUrl", JSON.stringify(url));
    return address;
  }

  #unasked(request: ExchangeRequest, method: string, address: Address): string | null {
    const login = request.login ?? "auto";
    if (login === "none") return null;
    if (login === "auto")
      return this.#authOf(address.origin)?.unasked(method, address.target) ?? null;
    return sameOrigin(address.origin, this.origin) ? login.authorization : null;
  }

  #redirectTarget(request: ExchangeRequest, method: string, attempt: Attempt): Address | null {
    const { status, headers } = attempt.response;
    if (!redirectStatuses.has(status) || request.redirectsMax === 0) return null;
    const reads = method === "GET" || method === "HEAD";
    if (!reads && status !== 307 && status !== 308) return null;
    const location = headers.get("Location");
    const next = location === null ? null : resolveAddress(location, attempt.address);
    // From TLS to plain text nothing is followed: the content could be anyone's.
    return next !== null && attempt.address.origin.tls && !next.origin.tls ? null : next;
  }

  async #attempt(
    request: ExchangeRequest,
    address: Address,
    authorization: string | null,
  ): Promise<Attempt> {
    const body =
      request.body instanceof Uint8Array ? bytesBody(request.body) : (request.body ?? null);
    const headers = this.#requestHeaders(request, address, authorization, body);
    const secret = request.secretBodies === true;
    const entry = newEntry(request.method, address, headers, secret ? undefined : request.body);
    const startMs = this.#clock.monotonicMs();
    const { host, port } = address.origin;
    const isDerived = !sameOrigin(address.origin, this.origin);
    const tls = address.origin.tls ? (isDerived ? this.#tlsElsewhere : this.#options.tls) : null;
    try {
      const way = (await this.#options.route?.(address.origin, isDerived)) ?? straight;
      const { proxy } = way;
      const byUrl = proxy !== undefined && tls === null;
      if (byUrl && proxy.authorization !== null) {
        headers.push(["Proxy-Authorization", proxy.authorization]);
      }
      const response = await this.#transport.send(
        { host, port, tls, ...(way.address === undefined ? {} : { address: way.address }) },
        {
          method: request.method,
          target: byUrl ? formatAddress(address) : address.target,
          proxy,
          headers,
          body,
          cutAfterBytes: request.cutAfterBytes ?? null,
          readPastEnd: request.readPastEnd ?? false,
          signal: request.signal ?? null,
        },
      );
      const firstByteMs = this.#clock.monotonicMs() - startMs;
      return { response, address, entry, startMs, firstByteMs };
    } catch (error) {
      entry.error = error instanceof Error ? error.message : String(error);
      this.#observe(entry, startMs);
      throw error;
    }
  }

  #requestHeaders(
    request: ExchangeRequest,
    address: Address,
    authorization: string | null,
    body: RequestBody | null,
  ): HeaderLine[] {
    const given = new HeaderLines(request.headers ?? []);
    const headers: HeaderLine[] = [];
    if (!given.has("Host")) headers.push(["Host", formatHost(address.origin)]);
    if (!given.has("User-Agent")) headers.push(["User-Agent", this.#options.userAgent]);
    headers.push(...given.lines);
    if (authorization !== null) headers.push(["Authorization", authorization]);
    const framed = given.has("Content-Length") || given.has("Transfer-Encoding");
    if (body !== null && !framed) {
      if (body.lengthBytes === null) headers.push(["Transfer-Encoding", "chunked"]);
      else headers.push(["Content-Length", String(body.lengthBytes)]);
    } else if (body === null && !framed && /^(POST|PUT|PATCH)$/.test(request.method)) {
      headers.push(["Content-Length", "0"]);
    }
    if (request.readPastEnd === true) headers.push(["Connection", "close"]);
    return headers;
  }

  async #finish(
    request: ExchangeRequest,
    method: string,
    attempt: Attempt,
    redirects: number,
  ): Promise<Exchange> {
    const { response, address, entry, startMs, firstByteMs } = attempt;
    const pieces: Uint8Array[] = [];
    const bodyBytesMax = request.bodyBytesMax ?? bodyBytesMaxDefault;
    let bodyBytes = 0;
    try {
      for await (const piece of response.body) {
        bodyBytes += piece.length;
        if (request.onBody !== undefined) await request.onBody(piece);
        else if (bodyBytes <= bodyBytesMax) pieces.push(piece);
        else throw tooLarge(address, bodyBytesMax);
      }
    } catch (error) {
      entry.error = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      const kept = Buffer.concat(pieces);
      const secret = request.secretBodies === true;
      fillEntry(entry, response, showBody(kept, { totalBytes: bodyBytes, secret }));
      this.#observe(entry, startMs);
    }
    return {
      method,
      address,
      status: response.status,
      reason: response.reason,
      headers: response.headers,
      body: pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces),
      bodyBytes,
      redirects,
      firstByteMs,
      durationMs: this.#clock.monotonicMs() - startMs,
    };
  }

  /** The body as it comes; the observer hears of it at its end. */
  async *#watched({ response, entry, startMs }: Attempt): AsyncGenerator<Uint8Array, void, void> {
    let bytes = 0;
    try {
      for await (const piece of response.body) {
        bytes += piece.length;
        yield piece;
      }
    } catch (error) {
      entry.error = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      fillEntry(entry, response, bytes === 0 ? "" : `(${bytes} bytes)`);
      this.#observe(entry, startMs);
    }
  }

  /** Reads an answer that is not the last one, so that its connection can be used again. */
  async #discard(attempt: Attempt): Promise<void> {
    let bytes = 0;
    for await (const piece of attempt.response.body) {
      bytes += piece.length;
      if (bytes > discardedBytesMax) break;
    }
    fillEntry(attempt.entry, attempt.response, bytes === 0 ? "" : `(${bytes} bytes)`);
    this.#observe(attempt.entry, attempt.startMs);
  }

  #observe(entry: TranscriptEntry, startMs: number): void {
    entry.durationMs = this.#clock.monotonicMs() - startMs;
    this.#options.onTranscript?.(entry);
  }

  async #sendTokenRequest(request: {
    method: string;
    address: Address;
    headers: HeaderLine[];
    form: string | null;
  }): Promise<TokenAnswer> {
    const body = request.form === null ? undefined : new TextEncoder().encode(request.form);
    const attempt = await this.#attempt(
      {
        method: request.method,
        url: request.address,
        headers: request.headers,
        ...(body && { body }),
      },
      request.address,
      null,
    );
    // The form and the answer are secrets from end to end.
    if (body !== undefined) attempt.entry.requestBody = showBody(body, { secret: true });
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of attempt.response.body) {
      bytes += piece.length;
      if (bytes > discardedBytesMax) throw tooLarge(request.address, discardedBytesMax);
      pieces.push(piece);
    }
    fillEntry(attempt.entry, attempt.response, showBody(Buffer.concat(pieces), { secret: true }));
    this.#observe(attempt.entry, attempt.startMs);
    const retryAfter = attempt.response.headers.get("Retry-After");
    return { status: attempt.response.status, body: Buffer.concat(pieces), retryAfter };
  }
}

function tooLarge(address: Address, bodyBytesMax: number): ClientError {
  const host = hostAndPort(address.origin);
  return new ClientError("answerTooLarge", host, { detail: `${bodyBytesMax} bytes` });
}
