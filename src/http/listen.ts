/**
 * The listener for HTTP, plain or over TLS; the only file that names `Bun.serve`.
 *
 * Every request reaches `dispatch` with a Fetch `Request` and a `Connection`; answers go out with their exact length,
 * and the kernel sends file bodies. Only idle time is limited, never a whole transfer: the upload's code watches its
 * progress, and a download may stall for `writeIdleMs`. `stop` accepts no more connections, lets requests in flight
 * finish for a grace time, then cuts them. `replaceTls` serves another certificate on the same port and loses no
 * connection: existing ones go on, and are asked to close after their next answer.
 *
 * The runtime's traps, each with a test (`test/http/listen.test.ts`): its idle timer cuts slow transfers that make
 * progress, forgets a timeout that was set before the answer's body began, and keeps one that was set for a request's
 * body; bodies are limited to 128 MiB by default; file answers reveal the file's name unless Content-Disposition is
 * set, and answer a Range by themselves unless the status is 206 or Content-Range is set; neither can a certificate be
 * changed nor a listening socket be closed alone (`listening_socket.ts`).
 */
import type { Connection, PeerCertificate } from "./call.ts";
import { ConnectionLimit } from "./connection_limit.ts";
import { DrainLimit, drainBytesMax } from "./drain_limit.ts";
import { closesBehind, Lingering } from "./lingering.ts";
import { isSentLater, slowBodyBytesMin, type Reply, type ReplyBody } from "./endpoint.ts";
import { closeBelow, listeningSockets, retireSocket } from "./listening_socket.ts";
import { SentBodies } from "./sent_bodies.ts";
import { responseOf } from "./response.ts";
import { runtimeTls, type TlsMaterial } from "./tls_material.ts";

/** The runtime's largest idle time, in seconds. */
const idleSecondsMax = 255;
/** It looks every four seconds: with less than two looks it cuts connections that are busy at the moment of one. */
const idleSecondsMin = 5;
/** How long a replaced certificate's idle connections stay when no idle limit ends them sooner. */
export const retiredMsDefault = 60_000;
/** A stop ends connections when no request is in flight for so long: time for one that is on its way. */
const unaskedMs = 1_000;
const stopLookMs = 50;

/** What may change while it listens. */
export interface ListenLimits {
  /** How long a connection may be silent while a request is read; 0 for no limit. */
  readonly readIdleMs: number;
  /** How long an answer may find no taker; 0 for no limit. */
  readonly writeIdleMs: number;
  /** Connections of this listener at once; 0, or nothing, is no limit but that of open files. */
  readonly connectionsMax?: number;
}

export interface ListenOptions extends ListenLimits {
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Let several processes listen on the port. */
  readonly sharePort: boolean;
  /** Another server listens on the port when this one stops: no connection is lost that was on its way to this one. */
  readonly handsOver?: boolean;
  /** Speak TLS with this; plain HTTP without it. */
  readonly tls?: TlsMaterial | null;
  /**
   * For a listener that only a front of this process may reach: who is behind the connection from that address.
   * Null for a stranger, whose requests are answered 421. Without it every connection is a client's own.
   */
  readonly peerOf?: PeerOf;
  readonly dispatch: (request: Request, connection: Connection) => Promise<Reply>;
  /** A failure below HTTP, for the log. */
  readonly onFailure: (error: unknown) => void;
  /** What is answered instead where the runtime could not open the file of an answer; without it an empty 500. */
  readonly insteadOf?: (error: unknown) => Reply;
  /** There are as many connections as there may be, or there is room again. */
  readonly onFull?: (full: boolean) => void;
}

export interface Listener {
  readonly port: number;
  /** Requests being answered. */
  readonly pending: () => number;
  /**
   * Serves new connections with other material. Resolves when no connection gets the old one any more; a failure
   * leaves it in force.
   */
  replaceTls(material: TlsMaterial): Promise<void>;
  /** Other limits, for every request that comes from now on. */
  adjust(limits: ListenLimits): void;
  /**
   * Takes no new connections, where others share the port, and loses none that had begun; those that are there end
   * after their next answer, or when they were idle for long enough. Resolves when the last one should have ended.
   */
  retire(): Promise<void>;
  stop(graceMs: number): Promise<void>;
}

const unexplained: Reply = { status: 500, headers: {}, body: null };

/** As TLS words it. */
export const expired = "certificate has expired";

type PeerOf = (address: string, port: number) => Peer | null;

/** The client of a connection that a front has accepted. */
export interface Peer {
  readonly address: string;
  readonly tlsVersion: string;
  readonly certificate: PeerCertificate | null;
  readonly certificateProblem: string | null;
  /** The connection should end after its next answer. */
  readonly retired: boolean;
  /** Requests whose answer has not begun; counted by the listener. */
  waiting: number;
}

type Server = Bun.Server<undefined>;

export function listen(options: ListenOptions): Listener {
  return new HttpListener(options);
}

/** One server of the runtime: a certificate, its listening socket, and the connections that know it. */
interface Serving {
  readonly server: Server;
  /** Descriptor of the listening socket; null when it is not known. */
  readonly socket: number | null;
  readonly state: { retired: boolean; stopped: boolean };
}

class HttpListener implements Listener {
  readonly port: number;
  readonly #options: ListenOptions;
  #limits: ListenLimits;
  /** The runtime keeps the idle limit of its start, and can be given another one for a connection. */
  #adjusted = false;
  #current: Serving;
  readonly #retired = new Set<Serving>();
  readonly #connections: ConnectionLimit | null;
  readonly #drains = new DrainLimit();
  readonly #lingering = new Lingering();
  readonly #sent = new SentBodies();

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#limits = options;
    this.#current = this.#serve(options.port, options.tls ?? null);
    this.port = this.#current.server.port ?? options.port;
    this.#connections = this.#limitConnections();
  }

  pending(): number {
    return this.#all().reduce((total, { server }) => total + server.pendingRequests, 0);
  }

  async replaceTls(material: TlsMaterial): Promise<void> {
    const next = this.#serve(this.port, material);
    const old = this.#current;
    this.#current = next;
    this.#retired.add(old);
    old.state.retired = true;
    await this.#closeSocket(old);
    const timer = setTimeout(() => void this.#finish(old), this.#retiredMs());
    timer.unref();
  }

  adjust(limits: ListenLimits): void {
    this.#limits = limits;
    this.#adjusted = true;
    if (this.#connections !== null) this.#connections.connectionsMax = limits.connectionsMax ?? 0;
  }

  async retire(): Promise<void> {
    this.#current.state.retired = true;
    this.#connections?.close();
    await this.#closeSocket(this.#current);
    await Bun.sleep(this.#retiredMs());
  }

  async stop(graceMs: number): Promise<void> {
    this.#connections?.close();
    if (this.#options.handsOver === true) {
      // Who keeps a connection goes to the other server, rather than to find it closed.
      this.#current.state.retired = true;
      await this.#closeSocket(this.#current);
    }
    await Promise.all(this.#all().map((serving) => stopServing(serving, graceMs)));
    this.#drains.close();
    this.#lingering.close();
    this.#sent.close();
  }

  #all(): Serving[] {
    return [this.#current, ...this.#retired];
  }

  /** How long connections have to end that should. */
  #retiredMs(): number {
    const { readIdleMs } = this.#limits;
    return readIdleMs === 0 ? retiredMsDefault : idleSeconds(readIdleMs) * 1000;
  }

  /** Only its front reaches such a listener. */
  #limitConnections(): ConnectionLimit | null {
    if (this.#options.peerOf !== undefined) return null;
    return ConnectionLimit.open({
      connectionsMax: this.#options.connectionsMax ?? 0,
      socket: () => this.#current.socket,
      onChange: (full) => this.#options.onFull?.(full),
    });
  }

  #serve(port: number, tls: TlsMaterial | null): Serving {
    const options = this.#options;
    const state = { retired: false, stopped: false };
    const before = listeningSockets();
    const server: Server = Bun.serve({
      hostname: options.address,
      port,
      // The next certificate comes with a listener of its own.
      reusePort: options.sharePort || tls !== null,
      idleTimeout: idleSeconds(this.#limits.readIdleMs),
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      ...(tls === null ? {} : { tls: runtimeTls(tls) }),
      fetch: (request, server) => this.#answer(request, server, state),
      error: (error): Response => {
        options.onFailure(error);
        const instead = options.insteadOf?.(error) ?? unexplained;
        this.#sent.replaced(error, instead);
        return responseOf(instead, null);
      },
    });
    const opened = [...listeningSockets().difference(before)];
    return { server, socket: opened.length === 1 ? (opened[0] ?? null) : null, state };
  }

  async #answer(
    request: Request,
    server: Server,
    state: { readonly retired: boolean },
  ): Promise<Response> {
    const { peerOf, tls } = this.#options;
    if (peerOf !== undefined) return this.#answerPeer(request, server, peerOf);
    const connection = new ServerConnection(server, request, tls ? "tls" : null);
    const response = await this.#respond(request, server, connection);
    if (state.retired || this.#connections?.isFull === true) {
      response.headers.set("connection", "close");
    }
    return response;
  }

  async #respond(
    request: Request,
    server: Server,
    connection: ServerConnection,
  ): Promise<Response> {
    if (this.#adjusted) server.timeout(request, idleSeconds(this.#limits.readIdleMs));
    const closes = closesBehind(request);
    const isAsked = this.#drains.size > 0 || closes || mayGoOn(request);
    const from = isAsked ? server.requestIP(request) : null;
    if (from !== null) this.#drains.forget(from.address, from.port);
    const reply = await this.#options.dispatch(request, connection);
    // What was said for the body would hold for the connection's next silence, too.
    if (connection.isHeldOpen) server.timeout(request, idleSeconds(this.#limits.readIdleMs));
    const isEarly = from !== null && (reply.status >= 400 || !request.bodyUsed);
    if (isEarly && closes) this.#lingering.keep(from.address, from.port);
    else if (isEarly && mayGoOn(request)) this.#drains.watch(from.address, from.port);
    this.#follow(reply, request, server);
    if (isSlow(reply.body)) {
      const writeIdleSeconds = idleSeconds(this.#limits.writeIdleMs);
      // Only a timeout set after the body began counts.
      setImmediate(() => server.timeout(request, writeIdleSeconds));
    }
    return responseOf(reply, request);
  }

  /** Reports to the code that gave the answer how its body ended. */
  #follow({ body, onEnd }: Reply, request: Request, server: Server): void {
    if (onEnd === undefined) return;
    const { signal } = request;
    if (isSentLater(body)) {
      this.#sent.watch({ body, peer: () => server.requestIP(request), signal, onEnd });
    } else if (body instanceof Blob) this.#sent.opened({ body, onEnd });
    else onEnd({ kind: "unknown", sentBytes: null });
  }

  async #answerPeer(request: Request, server: Server, peerOf: PeerOf): Promise<Response> {
    const from = server.requestIP(request);
    const peer = from === null ? null : peerOf(from.address, from.port);
    if (peer === null) {
      return new Response(null, { status: 421, headers: { connection: "close" } });
    }
    peer.waiting += 1;
    try {
      const connection = new ServerConnection(server, request, peer);
      const response = await this.#respond(request, server, connection);
      if (peer.retired) response.headers.set("connection", "close");
      return response;
    } finally {
      peer.waiting -= 1;
    }
  }

  /** Ends the listening of a server, not its connections; where that cannot be, both share the port for a while. */
  async #closeSocket({ socket, state }: Serving): Promise<void> {
    if (socket === null) return;
    await retireSocket(socket, () => {
      if (!state.stopped) closeBelow(socket);
    });
  }

  async #finish(serving: Serving): Promise<void> {
    serving.state.stopped = true;
    await serving.server.stop(false);
    this.#retired.delete(serving);
  }
}

/** Whether the body of a request may go on for long after its answer. */
function mayGoOn({ headers }: Request): boolean {
  const length = headers.get("content-length");
  if (length === null) return headers.has("transfer-encoding");
  return Number.parseInt(length, 10) > drainBytesMax;
}

function isSlow(body: ReplyBody): boolean {
  if (body instanceof ReadableStream) return true;
  const lengthBytes = body instanceof Blob ? body.size : (body?.length ?? 0);
  return lengthBytes >= slowBodyBytesMin;
}

class ServerConnection implements Connection {
  readonly tlsVersion: string | null;
  readonly certificate: PeerCertificate | null;
  readonly certificateProblem: string | null;
  readonly #server: Server;
  readonly #request: Request;
  readonly #peer: Peer | null;
  /** Asked of the runtime once. */
  #address: string | null | undefined;
  /** The runtime's idle limit is off for this connection. */
  isHeldOpen = false;

  /** `through` is the client behind a front, "tls" for TLS that ends here, null for plain HTTP. */
  constructor(server: Server, request: Request, through: Peer | "tls" | null) {
    this.#server = server;
    this.#request = request;
    this.#peer = through === "tls" ? null : through;
    this.tlsVersion = through === "tls" ? "" : (through?.tlsVersion ?? null);
    const certificate = this.#peer?.certificate ?? null;
    // It was looked at when the connection began, which may be long ago.
    const isOver = certificate !== null && certificate.expiresAtMs <= Date.now();
    this.certificate = isOver ? null : certificate;
    this.certificateProblem = isOver ? expired : (this.#peer?.certificateProblem ?? null);
  }

  get address(): string | null {
    this.#address ??= this.#findAddress();
    return this.#address;
  }

  #findAddress(): string | null {
    const address = this.#peer?.address ?? this.#server.requestIP(this.#request)?.address ?? null;
    return address?.startsWith("::ffff:") === true ? address.slice("::ffff:".length) : address;
  }

  holdOpen(): void {
    this.isHeldOpen = true;
    this.#server.timeout(this.#request, 0);
  }

  cut(): void {
    this.#server.timeout(this.#request, 1);
  }
}

/**
 * Waits for what is being answered. The runtime leaves connections open that have sent no request, or a part of one,
 * and may wait for them: they end when nothing was asked for a while.
 */
async function stopServing({ server, state }: Serving, graceMs: number): Promise<void> {
  state.stopped = true;
  const drained = server.stop(false).then(() => true);
  const untilMs = performance.now() + graceMs;
  let askedMs = performance.now();
  for (;;) {
    const nowMs = performance.now();
    if (server.pendingRequests > 0) askedMs = nowMs;
    const leftMs = Math.min(untilMs, askedMs + unaskedMs) - nowMs;
    if (leftMs <= 0) break;
    if (!(await isWithin(drained, Math.min(leftMs, stopLookMs)))) continue;
    // The last bytes of an answer may still be on their way.
    setTimeout(() => void server.stop(true), unaskedMs).unref();
    return;
  }
  await server.stop(true);
}

async function isWithin(done: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const isDone = await Promise.race([done, late]);
  if (timer !== null) clearTimeout(timer);
  return isDone;
}

function idleSeconds(idleMs: number): number {
  if (idleMs === 0) return 0;
  return Math.min(Math.max(Math.ceil(idleMs / 1000), idleSecondsMin), idleSecondsMax);
}
