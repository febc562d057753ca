/**
 * Connections to an LDAP directory: opened with TLS as configured, used by one login at a time, then kept for the next.
 *
 * A broken connection is replaced and never reopened by the library, which would reopen it without StartTLS. Every use
 * has a deadline after which its socket is closed; open connections and waiting logins are limited in number. After a
 * failure callers are rejected at once for a moment, then one tries again; a directory that answers, even with an
 * error, has not failed.
 */
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { Client } from "ldapts";
import type { Clock } from "../lib/clock.ts";
import { Gate, GateFull } from "../lib/gate.ts";

/** The directory did not answer, or not as it should. Never means that a password is wrong. */
export class LdapUnavailable extends Error {
  override readonly name = "LdapUnavailable";
}

export interface LdapConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly security: "ldaps" | "start-tls" | "none";
  readonly skipVerify: boolean;
  /** PEM of the authorities that count; null for the system's. */
  readonly authorities: () => string | null;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const connectionsMax = 8;
const waitingMax = 64;
/** Idle connections are closed after this: directories close them soon after, too. */
const idleMsMax = 30_000;
/** After a failure, logins are rejected for so long without asking the directory. */
const pauseMs = 2_000;

/** Results that speak of the directory as a whole (RFC 4511 §4.1.9): busy, unavailable. */
const overloadCodes: readonly number[] = [51, 52];

/** One open connection. */
export interface LdapConnection {
  readonly client: Client;
  /** Aborted when the connection is closed, by whom ever. */
  readonly gone: AbortSignal;
  /** The entry that the connection is bound as; null when it is not bound, or as we do not know whom. */
  boundAs: string | null;
  close(): void;
}

export class LdapConnections {
  readonly #options: LdapConnectionOptions;
  readonly #gate = new Gate({ runningMax: connectionsMax, waitingMax });
  readonly #idle: { readonly connection: LdapConnection; readonly sinceMs: number }[] = [];
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: LdapConnectionOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` with a connection of its own.
   * @throws LdapUnavailable when there is none, or when `work` throws or takes too long.
   */
  async use<T>(work: (connection: LdapConnection) => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    if (clock.monotonicMs() - this.#failedAtMs < pauseMs) {
      throw new LdapUnavailable("The directory did not answer a moment ago");
    }
    try {
      return await this.#gate.run(() => this.#useOne(work));
    } catch (error) {
      if (error instanceof GateFull)
        throw new LdapUnavailable("Too many logins wait", { cause: error });
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#idle.splice(0)) connection.close();
  }

  async #useOne<T>(work: (connection: LdapConnection) => Promise<T>): Promise<T> {
    const kept = this.#keptConnection();
    if (kept !== null) {
      try {
        return await this.#run(kept, work);
      } catch (error) {
        // A kept connection may have died in its sleep: that tells nothing about the directory.
        if (!(error instanceof ConnectionLost)) throw this.#failed(error);
      }
    }
    try {
      return await this.#withDeadline((signal) => this.#openAndRun(work, signal));
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async #openAndRun<T>(
    work: (connection: LdapConnection) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const connection = await openConnection(this.#options, signal);
    return await this.#settle(connection, work);
  }

  #run<T>(
    connection: LdapConnection,
    work: (connection: LdapConnection) => Promise<T>,
  ): Promise<T> {
    return this.#withDeadline((signal) => {
      signal.addEventListener("abort", () => connection.close());
      return this.#settle(connection, work);
    });
  }

  /** Runs the work, then keeps the connection or closes it. */
  async #settle<T>(
    connection: LdapConnection,
    work: (connection: LdapConnection) => Promise<T>,
  ): Promise<T> {
    try {
      const result = await Promise.race([work(connection), lost(connection)]);
      if (this.#closed || connection.gone.aborted) connection.close();
      else this.#idle.push({ connection, sinceMs: this.#options.clock.monotonicMs() });
      return result;
    } catch (error) {
      const isLost = connection.gone.aborted;
      connection.close();
      if (isLost) throw new ConnectionLost(messageOf(error), { cause: error });
      throw error;
    }
  }

  #keptConnection(): LdapConnection | null {
    const nowMs = this.#options.clock.monotonicMs();
    for (;;) {
      const last = this.#idle.pop();
      if (last === undefined) return null;
      const { connection, sinceMs } = last;
      if (!connection.gone.aborted && nowMs - sinceMs < idleMsMax) return connection;
      connection.close();
    }
  }

  async #withDeadline<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { timeoutMs, clock } = this.#options;
    const late = new AbortController();
    const done = new AbortController();
    const deadline = clock.sleep(timeoutMs, done.signal).then(() => {
      if (done.signal.aborted) return new Promise<never>(() => {});
      late.abort();
      throw new LdapUnavailable(`The directory did not answer within ${timeoutMs} ms`);
    });
    try {
      return await Promise.race([work(late.signal), deadline]);
    } finally {
      done.abort();
    }
  }

  #failed(error: unknown): LdapUnavailable {
    const code = resultCodeOf(error);
    if (code !== null && !overloadCodes.includes(code)) {
      return new LdapUnavailable(`The directory answered: ${messageOf(error)}`, { cause: error });
    }
    this.#failedAtMs = this.#options.clock.monotonicMs();
    for (const { connection } of this.#idle.splice(0)) connection.close();
    if (error instanceof LdapUnavailable) return error;
    return new LdapUnavailable(`The directory failed: ${messageOf(error)}`, { cause: error });
  }
}

/** The connection broke; another one may work. */
class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** Rejects when the connection is closed. The library does not notice after StartTLS, and would wait. */
function lost({ gone }: LdapConnection): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new ConnectionLost("The connection was closed"));
    if (gone.aborted) fail();
    else gone.addEventListener("abort", fail, { once: true });
  });
}

async function openConnection(
  options: LdapConnectionOptions,
  signal: AbortSignal,
): Promise<LdapConnection> {
  const { host, port, security, timeoutMs } = options;
  const gone = new AbortController();
  const sockets: (Socket | TLSSocket)[] = [];
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  signal.addEventListener("abort", close);
  const once = <S extends Socket>(socket: S): S => {
    sockets.push(socket);
    socket.once("end", () => gone.abort());
    socket.once("close", () => gone.abort());
    return socket;
  };
  const secure = tlsOptions(options);
  const name = host.includes(":") ? `[${host}]` : host;
  // Only who has a directory pays for the library.
  const { Client: LdapClient } = await import("ldapts");
  const client = new LdapClient({
    url: `${security === "ldaps" ? "ldaps" : "ldap"}://${name}:${port}`,
    timeout: timeoutMs,
    connectTimeout: timeoutMs,
    strictDN: false,
    ...(security === "ldaps" ? { tlsOptions: secure } : {}),
    createConnection: ((toPort: number, toHost: string) => {
      refuseSecond(sockets, 0);
      return once(connectPlain(toPort, toHost));
    }) as typeof connectPlain,
    createSecureConnection: ((first: number | ConnectionOptions, toHost?: string) => {
      refuseSecond(sockets, security === "ldaps" ? 0 : 1);
      return typeof first === "number"
        ? once(connectTls(first, toHost ?? host, secure))
        : once(connectTls(first));
    }) as typeof connectTls,
  });
  try {
    if (security === "start-tls") await client.startTLS({ ...secure });
  } catch (error) {
    close();
    throw error;
  }
  return { client, gone: gone.signal, boundAs: null, close };
}

/** The library opens a connection anew when it is asked on a closed one: here that is an error instead. */
function refuseSecond(sockets: readonly unknown[], expected: number): void {
  if (sockets.length !== expected) throw new ConnectionLost("The connection was closed");
}

function tlsOptions({ host, skipVerify, authorities }: LdapConnectionOptions): ConnectionOptions {
  const ca = authorities();
  const isAddress = /^[\d.]+$|:/.test(host);
  return {
    host,
    ...(isAddress ? {} : { servername: host }),
    ...(ca === null ? {} : { ca }),
    rejectUnauthorized: !skipVerify,
    minVersion: "TLSv1.2",
  };
}

/** The result code of an answer that the library throws; null for what is no answer. */
export function resultCodeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  return typeof error.code === "number" ? error.code : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.split("\n").join(" ") : String(error);
}
