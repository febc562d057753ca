// Sends one HTTP/1.1 request exactly as told and gives the answer as it comes.
//
// The path is not normalised, header lines are not joined or added, a body goes out with its length
// or in chunks, and a request can be cut off on purpose. The runtime's own client does none of that,
// and a checker needs all of it. Connections are kept and used again while they are fresh.
// Redirects, logins and collecting bodies are left to exchange.ts.
import { type Clock, systemClock } from "../lib/clock.ts";
import { KiB } from "../lib/bytes.ts";
import { ClientError, toClientError } from "./client_error.ts";
import { type Connection, type ConnectTarget, hostAndPort, type IdleLimits } from "./connection.ts";
import {
  formatChunk,
  formatRequestHead,
  type HeaderLine,
  lastChunk,
  type ResponseHead,
} from "./http_message.ts";
import { openConnection } from "./open_connection.ts";
import { readBody, readHead } from "./response_reader.ts";
import type { Proxy } from "./route.ts";

/** The body of a request. `open` may be called again when the request has to be repeated. */
export interface RequestBody {
  open(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Bytes; null when unknown, which sends the body in chunks. */
  lengthBytes: number | null;
}

export interface WireRequest {
  method: string;
  /** Path and query, written into the request line as it is. */
  target: string;
  /** Every line that is sent, `Host` and the framing included. */
  headers: readonly HeaderLine[];
  body: RequestBody | null;
  /** Drop the connection after this many bytes of the body; then `send` throws `aborted`. */
  cutAfterBytes: number | null;
  /** Read an answer that has no body (HEAD, 204) until the server closes; its excess is the body. */
  readPastEnd?: boolean;
  /** Breaks off: what waits then throws `aborted`. */
  signal?: AbortSignal | null;
  /** Goes through this one; for a plain server `target` is then the whole URL. */
  proxy?: Proxy | undefined;
}

export interface WireResponse extends ResponseHead {
  /** The body as it arrives. Reading it to the end frees the connection; leaving early drops it. */
  body: AsyncGenerator<Uint8Array, void, void>;
  /** Drops the connection, also when nobody began to read the body. */
  drop: () => void;
}

/** A kept connection older than this is not used again: the server may be about to close it. */
const keptMsMax = 2000;
const keptPerOriginMax = 64;
const writeBytesMax = 256 * KiB;
const joinedBytesMax = 64 * KiB;

/** A body of known bytes, sent with its length. */
export function bytesBody(bytes: Uint8Array): RequestBody {
  return { open: () => [bytes], lengthBytes: bytes.length };
}

/** The same bytes sent with `Transfer-Encoding: chunked`, in pieces of at most `pieceBytes`. */
export function chunkedBody(bytes: Uint8Array, pieceBytes = 64 * KiB): RequestBody {
  return { open: () => pieces(bytes, pieceBytes), lengthBytes: null };
}

function* pieces(bytes: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

interface Kept {
  connection: Connection;
  sinceMs: number;
}

/** Connections to any number of servers, and the sending of requests over them. */
export class Transport {
  readonly #limits: IdleLimits;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept[]>();

  constructor(limits: IdleLimits, clock: Clock = systemClock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Sends and resolves with the head of the final answer. Throws a ClientError when there is none. */
  async send(target: ConnectTarget, request: WireRequest): Promise<WireResponse> {
    if (request.signal?.aborted === true) {
      throw new ClientError("aborted", hostAndPort(target));
    }
    const key = keyOf(target, request.proxy);
    const kept = this.#take(key);
    if (kept !== null) {
      try {
        return await this.#roundTrip(kept, key, request);
      } catch (error) {
        const safe = request.method === "GET" || request.method === "HEAD";
        const stale = error instanceof ClientError && error.kind === "closed";
        if (!safe || !stale) throw error;
      }
    }
    const { proxy, signal } = request;
    const fresh = await openConnection(target, this.#limits, { proxy, signal: signal ?? null });
    return this.#roundTrip(fresh, key, request);
  }

  /** Drops all kept connections. */
  close(): void {
    for (const list of this.#kept.values()) for (const { connection } of list) connection.destroy();
    this.#kept.clear();
  }

  async #roundTrip(
    connection: Connection,
    key: string,
    request: WireRequest,
  ): Promise<WireResponse> {
    const sending = new Sending(connection, request);
    const unwatch = abortWith(connection, request.signal ?? null);
    try {
      const sent = sending.run();
      if (request.cutAfterBytes !== null) {
        await sent;
        throw new ClientError("aborted", connection.label, { detail: "cut off on purpose" });
      }
      // A failing source ends the exchange; a refused write does not, for an answer may still come.
      const failed = sent.then(
        () => new Promise<never>(() => {}),
        (error: unknown) => {
          if (error instanceof ClientError) return new Promise<never>(() => {});
          throw error;
        },
      );
      const head = await Promise.race([readHead(connection), failed]);
      sending.stop();
      const method = request.readPastEnd === true ? null : request.method;
      let isDone = false;
      const body = readBody(connection, method, head, (reusable) => {
        isDone = true;
        unwatch();
        if (reusable && sending.complete && !asksForEnd(request)) this.#keep(key, connection);
        else connection.destroy();
      });
      const drop = (): void => {
        // A connection that carried its answer to the end may serve another request already.
        if (isDone) return;
        unwatch();
        connection.destroy();
      };
      return { ...head, body, drop };
    } catch (error) {
      unwatch();
      connection.destroy();
      throw error instanceof ClientError ? error : toClientError(error, connection.label);
    }
  }

  #take(key: string): Connection | null {
    const list = this.#kept.get(key) ?? [];
    for (let kept = list.pop(); kept !== undefined; kept = list.pop()) {
      const fresh = this.#clock.monotonicMs() - kept.sinceMs <= keptMsMax;
      if (fresh && kept.connection.quiet) {
        kept.connection.unpark();
        return kept.connection;
      }
      kept.connection.destroy();
    }
    return null;
  }

  #keep(key: string, connection: Connection): void {
    const list = this.#kept.get(key) ?? [];
    this.#kept.set(key, list);
    if (!connection.quiet || list.length >= keptPerOriginMax) {
      connection.destroy();
      return;
    }
    connection.park();
    list.push({ connection, sinceMs: this.#clock.monotonicMs() });
  }
}

/** Requests with the same key may share a connection. */
function keyOf(target: ConnectTarget, proxy: Proxy | undefined): string {
  const key = `${target.tls === null ? "http" : "https"}://${hostAndPort(target)}`;
  return proxy === undefined ? key : `${key} by ${hostAndPort(proxy)}`;
}

/** Fails the connection when the signal says so. Returns what ends that. */
function abortWith(connection: Connection, signal: AbortSignal | null): () => void {
  if (signal === null) return () => {};
  const abort = (): void => {
    connection.fail(new ClientError("aborted", connection.label));
  };
  signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}

/** After `Connection: close` in a request its answer is the last, whether it says so or not (RFC 9112 §9.6). */
function asksForEnd({ headers }: WireRequest): boolean {
  return headers.some(
    ([name, value]) => name.toLowerCase() === "connection" && /\bclose\b/i.test(value),
  );
}

/** The sending of one request, which ends early when the answer comes first. */
class Sending {
  complete = false;
  readonly #connection: Connection;
  readonly #request: WireRequest;
  #stopped = false;

  constructor(connection: Connection, request: WireRequest) {
    this.#connection = connection;
    this.#request = request;
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    const { method, target, headers, body, cutAfterBytes } = this.#request;
    const head = formatRequestHead(method, target, headers);
    if (cutAfterBytes !== null) return this.#cut(head, cutAfterBytes);
    if (body === null) {
      await this.#connection.write(head);
      this.complete = true;
      return;
    }
    let pending: Uint8Array | null = head;
    for await (const piece of body.open()) {
      if (this.#stopped) return;
      for (const part of pieces(piece, writeBytesMax)) {
        const framed: Uint8Array = body.lengthBytes === null ? formatChunk(part) : part;
        await this.#writeAfter(pending, framed);
        pending = null;
      }
    }
    if (pending !== null || body.lengthBytes === null) {
      await this.#writeAfter(pending, body.lengthBytes === null ? lastChunk : new Uint8Array(0));
    }
    this.complete = true;
  }

  /** Small first pieces leave together with the head: one packet, one wake of the server. */
  async #writeAfter(head: Uint8Array | null, bytes: Uint8Array): Promise<void> {
    if (head === null) return this.#connection.write(bytes);
    if (bytes.length > joinedBytesMax) {
      await this.#connection.write(head);
      return this.#connection.write(bytes);
    }
    const joined = new Uint8Array(head.length + bytes.length);
    joined.set(head);
    joined.set(bytes, head.length);
    return this.#connection.write(joined);
  }

  async #cut(head: Uint8Array, cutAfterBytes: number): Promise<void> {
    const body = this.#request.body;
    const collected: Uint8Array[] = [head];
    let left = cutAfterBytes;
    if (body !== null) {
      for await (const piece of body.open()) {
        const part = piece.subarray(0, left);
        left -= part.length;
        collected.push(body.lengthBytes === null ? formatChunk(part) : part);
        if (left === 0) break;
      }
    }
    await this.#connection.flush(Buffer.concat(collected));
  }
}
