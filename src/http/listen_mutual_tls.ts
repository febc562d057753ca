/**
 * The listener for TLS with client certificates.
 *
 * `Bun.serve` does not show a handler the client's certificate. So a front ends TLS and opens for each client a
 * connection to an HTTP listener on loopback, and that listener looks up the client by the connection's address. No
 * header carries an identity, so none can be forged; a connection that the front did not open (any process on this
 * machine can reach loopback) is answered 421. The front is used only where client certificates are configured, because
 * bytes then cross user space twice.
 *
 * A certificate is requested and not required: each request is checked for whether it needs one. If a certificate does
 * not verify, every request of its connection gets an error with the reason. Connections are limited in number, and a
 * client that makes no progress is cut (`connection_pair.ts`).
 */
import type { TCPSocketListener } from "bun";
import {
  type Client,
  ConnectionPair,
  type PairLimits,
  type PairSocket,
} from "./connection_pair.ts";
import { apiError, errorBody } from "../oci/errors.ts";
import { connectionsPossible } from "./connection_limit.ts";
import {
  expired,
  listen,
  type Listener,
  type ListenLimits,
  type ListenOptions,
  retiredMsDefault,
} from "./listen.ts";
import { retireSocket, sendBelow } from "./listening_socket.ts";
import { peerCertificate } from "./peer_certificate.ts";
import { runtimeTls, type TlsMaterial } from "./tls_material.ts";

export interface MutualTlsOptions extends Omit<ListenOptions, "peerOf"> {
  readonly tls: TlsMaterial;
  /** A TLS handshake failed. */
  readonly onRefused?: (refused: RefusedHandshake) => void;
  readonly handshakeMs?: number;
  readonly lingerMs?: number;
}

export interface RefusedHandshake {
  readonly address: string | null;
  readonly problem: string;
}

/** Where the limit of open files is not known. */
const connectionsMaxDefault = 1000;
/** Of one client: its connection, and both ends of the one inside. */
const descriptorsPerClient = 3;
const handshakeMsDefault = 10_000;
const lingerMsDefault = 5_000;
const sweepMs = 1000;
/** What clients have to take the last bytes when the grace time of a stop is over. */
const lastBytesMs = 250;

/** Where the HTTP listener is, and from where the front reaches it: other addresses of loopback are strangers. */
const inside = "127.0.0.1";

/** The next certificate comes with a listener of its own. The runtime's types do not know the option. */
const sharedPort = { reusePort: true };

export function listenMutualTls(options: MutualTlsOptions): Listener {
  return new MutualTlsListener(options);
}

type Pair = ConnectionPair | undefined;

/** A listening socket with one certificate and one set of authorities. */
interface Front {
  readonly listener: TCPSocketListener<Pair>;
  readonly generation: { retired: boolean };
}

class MutualTlsListener implements Listener {
  readonly port: number;
  readonly #options: MutualTlsOptions;
  #limits: PairLimits;
  #connectionsMax: number;
  readonly #inner: Listener;
  readonly #pairs = new Set<ConnectionPair>();
  /** By the port of the inner connection. */
  readonly #byPort = new Map<number, ConnectionPair>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #emptied = Promise.withResolvers<void>();
  #front: Front;
  #stopping = false;
  /** Said once per time that the limit of connections is reached. */
  #saidFull = false;

  constructor(options: MutualTlsOptions) {
    this.#options = options;
    this.#limits = this.#pairLimits(options);
    this.#connectionsMax = connectionsMaxOf(options);
    this.#inner = listen({
      ...options,
      address: inside,
      port: 0,
      handsOver: false,
      sharePort: false,
      tls: null,
      // The front always takes bytes, and is the one that sees the client stall.
      writeIdleMs: 0,
      peerOf: (address, port) => (address === inside ? (this.#byPort.get(port) ?? null) : null),
    });
    this.#front = this.#open(options.port, options.tls);
    this.port = this.#front.listener.port;
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs);
    this.#sweeper.unref();
  }

  pending(): number {
    return this.#inner.pending();
  }

  async replaceTls(material: TlsMaterial): Promise<void> {
    const next = this.#open(this.port, material);
    const old = this.#front;
    this.#front = next;
    old.generation.retired = true;
    await retireSocket(descriptorOf(old.listener), () => old.listener.stop());
  }

  adjust(limits: ListenLimits): void {
    this.#limits = this.#pairLimits(limits);
    this.#connectionsMax = connectionsMaxOf(limits);
    for (const pair of this.#pairs) pair.limits = this.#limits;
    this.#inner.adjust({ ...limits, writeIdleMs: 0 });
  }

  async retire(): Promise<void> {
    const { listener, generation } = this.#front;
    generation.retired = true;
    await retireSocket(descriptorOf(listener), () => listener.stop());
    const { readIdleMs, retiredMs } = this.#limits;
    await Bun.sleep(readIdleMs === 0 ? retiredMs : Math.min(readIdleMs, retiredMs));
  }

  async stop(graceMs: number): Promise<void> {
    const { listener, generation } = this.#front;
    if (this.#options.handsOver === true) {
      generation.retired = true;
      await retireSocket(descriptorOf(listener), () => listener.stop());
    }
    this.#stopping = true;
    listener.stop();
    for (const pair of this.#pairs) if (!pair.isSecured) pair.cut();
    const untilMs = performance.now() + graceMs + lastBytesMs;
    await this.#inner.stop(graceMs);
    // The listener inside ends what had a request; not what never had one.
    for (const pair of this.#pairs) pair.dismiss();
    if (this.#pairs.size > 0) {
      const timer = setTimeout(() => this.#cutAll(), Math.max(untilMs - performance.now(), 0));
      await this.#emptied.promise;
      clearTimeout(timer);
    }
    clearInterval(this.#sweeper);
  }

  #pairLimits({ readIdleMs, writeIdleMs }: ListenLimits): PairLimits {
    const { handshakeMs = handshakeMsDefault, lingerMs = lingerMsDefault } = this.#options;
    return { handshakeMs, readIdleMs, writeIdleMs, lingerMs, retiredMs: retiredMsDefault };
  }

  #open(port: number, tls: TlsMaterial): Front {
    const generation = { retired: false };
    const listener = Bun.listen<Pair>({
      hostname: this.#options.address,
      port,
      ...sharedPort,
      // Whether a certificate verifies is asked below: here, TLS would also refuse who has none.
      tls: {
        ...runtimeTls(tls),
        ...(tls.ca === null ? {} : { ca: tls.ca }),
        requestCert: true,
        rejectUnauthorized: false,
      },
      socket: {
        open: (outer) => this.#accept(outer, generation),
        handshake: (outer, done, error) => this.#shaken(outer, done, error),
        data: (outer, chunk) => outer.data?.fromOuter(chunk),
        drain: (outer) => outer.data?.outerDrained(),
        close: (outer) => this.#outerClosed(outer),
        error: (outer) => outer.terminate(),
      },
    });
    return { listener, generation };
  }

  #accept(outer: PairSocket, generation: { readonly retired: boolean }): void {
    if (this.#pairs.size >= this.#connectionsMax) {
      outer.terminate();
      this.#sayFull();
      return;
    }
    const limits = this.#limits;
    const pair = new ConnectionPair(outer, { limits, generation, nowMs: performance.now() });
    outer.data = pair;
    this.#pairs.add(pair);
  }

  #sayFull(): void {
    if (this.#saidFull) return;
    this.#saidFull = true;
    this.#options.onFull?.(true);
  }

  /** The handshake has ended; `done` is true for any certificate, even a self-made one. */
  #shaken(outer: PairSocket, done: boolean, error: Error | null): void {
    try {
      if (done && !this.#stopping) {
        this.#secured(outer);
        return;
      }
      // A client that only checks whether the port is open is not reported.
      if (!done && codeOf(error) !== "ECONNRESET") this.#refuse(outer, error);
      if (!done && error?.message.endsWith(":HTTP_REQUEST") === true) sayPlain(outer);
    } catch (failure) {
      // Otherwise the error would be lost: to the runtime this is a call of its own.
      this.#refuse(outer, failure);
    }
    outer.terminate();
  }

  #refuse(outer: PairSocket, error: unknown): void {
    const reason = error instanceof Error ? error.message : "it did not end";
    this.#options.onRefused?.({
      address: outer.remoteAddress ?? null,
      problem: reason.replace(/^error:\w+:SSL routines:\w+:/, ""),
    });
  }

  #secured(outer: PairSocket): void {
    const pair = outer.data;
    if (pair === undefined) return;
    const client = clientOf(outer);
    let insidePort = 0;
    Bun.connect<Pair>({
      hostname: inside,
      port: this.#inner.port,
      data: pair,
      socket: {
        open: (inner) => {
          insidePort = inner.localPort;
          // Before the first byte goes in.
          this.#byPort.set(insidePort, pair);
          if (!pair.open(client, inner)) inner.end();
        },
        data: (_, chunk) => pair.fromInner(chunk),
        drain: () => pair.innerDrained(),
        close: () => {
          this.#byPort.delete(insidePort);
          pair.innerClosed(performance.now());
        },
        error: (inner) => inner.terminate(),
      },
    }).catch((error: unknown) => {
      outer.terminate();
      if (!this.#stopping) this.#options.onFailure(error);
    });
  }

  #outerClosed(outer: PairSocket): void {
    const pair = outer.data;
    if (pair === undefined) return;
    pair.outerClosed();
    this.#pairs.delete(pair);
    if (this.#saidFull && this.#pairs.size < this.#connectionsMax / 2) {
      this.#saidFull = false;
      this.#options.onFull?.(false);
    }
    if (this.#stopping && this.#pairs.size === 0) this.#emptied.resolve();
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const pair of this.#pairs) pair.checkProgress(nowMs);
  }

  #cutAll(): void {
    for (const pair of this.#pairs) pair.cut();
  }
}

const plainBody = errorBody(
  apiError("REQUEST_INVALID", {
    message: "Expected TLS on this port, got plain HTTP; ask by an https URL",
  }),
);
const plainAnswer = Buffer.from(
  "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n" +
    `Content-Length: ${Buffer.byteLength(plainBody)}\r\n\r\n${plainBody}`,
);

/** Answers a client that speaks plain HTTP: TLS would end without a word that it understands. */
function sayPlain(outer: PairSocket): void {
  const descriptor: unknown = Reflect.get(outer, "fd");
  if (typeof descriptor === "number" && descriptor >= 0) sendBelow(descriptor, plainAnswer);
}

function codeOf(error: Error | null): unknown {
  return error === null ? null : Reflect.get(error, "code");
}

/** As configured; else as many as the limit of open files allows. */
function connectionsMaxOf({ connectionsMax = 0 }: ListenLimits): number {
  if (connectionsMax > 0) return connectionsMax;
  return connectionsPossible(descriptorsPerClient) ?? connectionsMaxDefault;
}

/** -1 when the runtime does not tell: its types do not know the property. */
function descriptorOf(listener: TCPSocketListener<Pair>): number {
  const descriptor: unknown = Reflect.get(listener, "fd");
  return typeof descriptor === "number" ? descriptor : -1;
}

function clientOf(outer: PairSocket): Client {
  const found = outer.getPeerX509Certificate() as
    | ReturnType<PairSocket["getPeerX509Certificate"]>
    | undefined;
  const certificate = found === undefined ? null : peerCertificate(found);
  const problem = certificate === null ? null : problemOf(outer, certificate.expiresAtMs);
  return {
    address: outer.remoteAddress,
    tlsVersion: outer.getTLSVersion().replace(/^TLSv/, ""),
    certificate: problem === null ? certificate : null,
    certificateProblem: problem,
  };
}

/** Why a certificate does not verify; a resumed session brings the verdict of its first handshake. */
function problemOf(outer: PairSocket, expiresAtMs: number): string | null {
  if (!outer.authorized) return outer.getAuthorizationError()?.message ?? "it does not verify";
  return expiresAtMs <= Date.now() ? expired : null;
}
