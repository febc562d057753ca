// One connection to a server: bytes out, bytes in, and a limit on silence.
//
// A pull interface over a socket: `read` gives the next bytes (null at the end), `write` waits until
// the socket takes more. Every wait is bounded by an idle limit, never the whole transfer, so that a
// slow server that does progress is not cut. Reading stops when too much waits unread. HTTP is left
// to transport.ts; which connection is used again, to its pool.
import type { Socket } from "node:net";
import { KiB } from "../lib/bytes.ts";
import { ClientError, toClientError } from "./client_error.ts";

/** What proves the server to us and us to the server. Texts are PEM. */
export interface TlsOptions {
  /** Certificates to trust instead of the system's. */
  ca?: string;
  cert?: string;
  key?: string;
  /** Accept any certificate. */
  insecure?: boolean;
}

export interface ConnectTarget {
  /** Name or address, IPv6 without brackets. */
  host: string;
  port: number;
  tls: TlsOptions | null;
  /** Where the connection goes in place of `host`, which is still the name that the certificate must have. */
  address?: string;
}

export interface IdleLimits {
  /** Until the connection stands, TLS handshake included. */
  connectMs: number;
  /** Between any two signs of life while an answer is awaited or a body moves. */
  idleMs: number;
}

const unreadBytesMax = 512 * KiB;

export function hostAndPort(target: { host: string; port: number }): string {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  return `${host}:${target.port}`;
}

/** A connection that stands. Made by `openConnection`; one user at a time. */
export class Connection {
  readonly label: string;
  readonly #socket: Socket;
  readonly #idleMs: number;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #ended = false;
  #failure: ClientError | null = null;
  #wakeReader: (() => void) | null = null;
  #wakeWriter: (() => void) | null = null;

  constructor(socket: Socket, label: string, idleMs: number) {
    this.label = label;
    this.#socket = socket;
    this.#idleMs = idleMs;
    socket.on("data", (chunk) => {
      this.#push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    });
    socket.on("drain", () => this.#wakeWriter?.());
    socket.on("end", () => {
      this.#finish(null);
    });
    socket.on("close", () => {
      this.#finish(null);
    });
    socket.on("error", (error) => {
      this.#finish(toClientError(error, label));
    });
  }

  /** True while the server has neither closed nor sent anything that nobody asked for. */
  get quiet(): boolean {
    return !this.#ended && this.#failure === null && this.#queue.length === 0;
  }

  /** The next bytes, or null when the server closed. Throws answerTimeout after a silent idle limit. */
  async read(): Promise<Uint8Array | null> {
    while (this.#queue.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended) return null;
      await this.#wait("reader");
    }
    const chunk = this.#queue.shift() ?? null;
    this.#queuedBytes -= chunk?.length ?? 0;
    if (this.#queuedBytes < unreadBytesMax) this.#socket.resume();
    return chunk;
  }

  /** Puts bytes back that were read too far. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#queue.unshift(bytes);
    this.#queuedBytes += bytes.length;
  }

  /** Sends bytes; resolves when the socket takes more. Throws when the server closed. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#ended || this.#socket.destroyed) throw new ClientError("closed", this.label);
    if (this.#socket.write(bytes)) return;
    await this.#wait("writer");
    if (this.#failure !== null) throw this.#failure;
  }

  /** Sends bytes and resolves when the kernel has them, so that a following `destroy` cuts after them. */
  async flush(bytes: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.write(bytes, () => {
      resolve();
    });
    await promise;
  }

  /** An idle connection does not keep the process alive. */
  park(): void {
    this.#socket.unref();
  }

  unpark(): void {
    this.#socket.ref();
  }

  /** Drops the connection at once, also in the middle of a message. */
  destroy(): void {
    this.#finish(null);
    this.#socket.destroy();
  }

  /** Drops the connection; whoever waits for it, and every later call, gets this error. */
  fail(error: ClientError): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#finish(error);
    this.#socket.destroy();
  }

  #push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes >= unreadBytesMax) this.#socket.pause();
    this.#wakeReader?.();
  }

  #finish(failure: ClientError | null): void {
    this.#failure ??= failure;
    this.#ended = true;
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  async #wait(who: "reader" | "writer"): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => {
      resolve(false);
    }, this.#idleMs);
    const wake = (): void => {
      resolve(true);
    };
    if (who === "reader") this.#wakeReader = wake;
    else this.#wakeWriter = wake;
    const woken = await promise;
    clearTimeout(timer);
    if (who === "reader") this.#wakeReader = null;
    else this.#wakeWriter = null;
    if (woken) return;
    const detail = `${this.#idleMs / 1000} s of silence`;
    this.#failure ??= new ClientError("answerTimeout", this.label, { detail });
    this.#socket.destroy();
    throw this.#failure;
  }
}
