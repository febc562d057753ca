// Makes a connection: by itself or through a proxy, with TLS or without, all of it within one limit.
//
// A server behind TLS is reached through a proxy by CONNECT (RFC 9110 §9.3.6), so that the proxy sees a name and bytes.
// A plain one is asked for through it by the whole URL, which is the transport's business: the connection is the proxy's.
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { KiB } from "../lib/bytes.ts";
import { ClientError, toClientError } from "./client_error.ts";
import {
  Connection,
  type ConnectTarget,
  hostAndPort,
  type IdleLimits,
  type TlsOptions,
} from "./connection.ts";
import {
  findHeadEnd,
  formatRequestHead,
  type HeaderLine,
  parseResponseHead,
} from "./http_message.ts";
import type { Proxy } from "./route.ts";

/** Beyond it the answer of a proxy is none. */
const proxyHeadBytesMax = 16 * KiB;

/** Connects within `limits.connectMs`. Throws a ClientError that names the cause. */
export async function openConnection(
  target: ConnectTarget,
  limits: IdleLimits,
  options: { proxy?: Proxy | undefined; signal?: AbortSignal | null } = {},
): Promise<Connection> {
  const label = hostAndPort(target);
  const opening = new Opening(label);
  const timer = setTimeout(() => {
    const detail = `${limits.connectMs / 1000} s`;
    opening.fail(new ClientError("connectTimeout", label, { detail }));
  }, limits.connectMs);
  const abort = (): void => {
    opening.fail(new ClientError("aborted", label));
  };
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    const socket =
      options.proxy === undefined
        ? await opening.dial(target)
        : await throughProxy(opening, target, options.proxy);
    socket.setNoDelay(true);
    return new Connection(socket, label, limits.idleMs);
  } catch (error) {
    opening.fail(error);
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
}

/** The sockets of one attempt: whatever fails ends all of them, and is what whoever waits gets. */
class Opening {
  readonly #label: string;
  readonly #sockets: Socket[] = [];
  #fail: (error: unknown) => void = () => {};
  #failure: unknown = null;

  constructor(label: string) {
    this.#label = label;
  }

  fail(error: unknown): void {
    this.#failure ??= error;
    this.#fail(this.#failure);
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Waits for something of a socket; an error or the end of it is a failure. */
  async until<T>(socket: Socket, wait: (done: (value: T) => void) => void): Promise<T> {
    if (this.#failure !== null) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#fail = reject;
    socket.on("error", (error) => reject(toClientError(error, this.#label)));
    socket.once("close", () => {
      reject(new ClientError("closed", this.#label, { detail: "while connecting" }));
    });
    wait(resolve);
    return await promise;
  }

  async dial(target: ConnectTarget): Promise<Socket> {
    const socket = this.#own(
      target.tls === null
        ? connectPlain({ host: target.address ?? target.host, port: target.port })
        : connectTls({
            host: target.address ?? target.host,
            port: target.port,
            ...tlsOptions(target.host, target.tls),
          }),
    );
    await this.until<void>(socket, (done) => {
      socket.once(target.tls === null ? "connect" : "secureConnect", () => done());
    });
    return socket;
  }

  /** TLS inside of a connection that stands. */
  async wrap(inner: Socket, host: string, tls: TlsOptions): Promise<Socket> {
    const socket = this.#own(connectTls({ socket: inner, ...tlsOptions(host, tls) }));
    await this.until<void>(socket, (done) => {
      socket.once("secureConnect", () => done());
    });
    return socket;
  }

  #own<T extends Socket>(socket: T): T {
    this.#sockets.push(socket);
    return socket;
  }
}

async function throughProxy(
  opening: Opening,
  target: ConnectTarget,
  proxy: Proxy,
): Promise<Socket> {
  const socket = await opening.dial(proxy);
  if (target.tls === null) return socket;
  const authority = hostAndPort({ host: target.address ?? target.host, port: target.port });
  const headers: HeaderLine[] = [["Host", authority]];
  if (proxy.authorization !== null) headers.push(["Proxy-Authorization", proxy.authorization]);
  const head = await opening.until<Uint8Array>(socket, (done) => {
    let held: Uint8Array = new Uint8Array(0);
    const take = (piece: Uint8Array): void => {
      held = Buffer.concat([held, piece]);
      if (findHeadEnd(held) === -1 && held.length <= proxyHeadBytesMax) return;
      socket.off("data", take);
      done(held);
    };
    socket.on("data", take);
    socket.write(formatRequestHead("CONNECT", authority, headers));
  });
  requireTunnel(head, proxy);
  return opening.wrap(socket, target.host, target.tls);
}

/** What a proxy answers to CONNECT is 2xx and nothing behind it: the client speaks first in TLS. */
function requireTunnel(head: Uint8Array, proxy: Proxy): void {
  const end = findHeadEnd(head);
  const refused = (detail: string): ClientError =>
    new ClientError("proxy", hostAndPort(proxy), { detail });
  if (end === -1) throw refused("no HTTP");
  let status: number;
  try {
    ({ status } = parseResponseHead(head.subarray(0, end)));
  } catch (error) {
    throw toClientError(error, hostAndPort(proxy));
  }
  if (status === 407) throw refused("it wants a login, or another one: 407");
  if (status < 200 || status > 299) throw refused(`it answered ${status}`);
  if (end !== head.length) throw refused("it sent more than an answer");
}

function tlsOptions(host: string, tls: TlsOptions): ConnectionOptions {
  const isAddress = /^[\d.]+$|:/.test(host);
  return {
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: tls.insecure !== true,
    // A server name must be a name (RFC 6066 §3).
    ...(isAddress ? {} : { servername: host }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
}
