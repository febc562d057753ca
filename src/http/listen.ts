/**
 * The listener for plain HTTP; the only file that names `Bun.serve`.
 *
 * Promises: every request reaches `dispatch` with a Fetch `Request` and a `Connection`; answers go out with
 * their exact length; file bodies are sent by the kernel. Transfers are limited by idleness alone: an
 * upload's owner watches its progress, a download may stall for `writeIdleMs`. `stop` ends
 * accepting at once, lets requests in flight finish for a grace time, then cuts them.
 *
 * The runtime's traps, each with a test (`test/http/listen.test.ts`): its idle timer cuts slow transfers that
 * make progress, and forgets a timeout that was set before the answer's body began; bodies are limited to
 * 128 MiB by default; file answers leak the file's name unless Content-Disposition is set, and answer a Range by
 * themselves unless the status is 206 or Content-Range is set.
 * Leaves to others: TLS identities, routing.
 */
import type { Connection } from "./call.ts";
import type { Reply, ReplyBody } from "./endpoint.ts";

/** The runtime's largest idle time, in seconds. */
const idleSecondsMax = 255;
/** Answers smaller than this fit the socket's buffer and need no time of their own. */
const slowBodyBytesMin = 256 * 1024;

export interface ListenOptions {
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** How long a connection may be silent while a request is read; 0 for no limit. */
  readonly readIdleMs: number;
  /** How long an answer may find no taker; 0 for no limit. */
  readonly writeIdleMs: number;
  /** Let several processes listen on the port. */
  readonly sharePort: boolean;
  readonly dispatch: (request: Request, connection: Connection) => Promise<Reply>;
  /** A failure below HTTP, for the log. */
  readonly onFailure: (error: unknown) => void;
}

export interface Listener {
  readonly port: number;
  /** Requests being answered. */
  readonly pending: () => number;
  stop(graceMs: number): Promise<void>;
}

type Server = Bun.Server<undefined>;

export function listen(options: ListenOptions): Listener {
  const writeIdleSeconds = idleSeconds(options.writeIdleMs);
  const server = Bun.serve({
    hostname: options.address,
    port: options.port,
    reusePort: options.sharePort,
    idleTimeout: idleSeconds(options.readIdleMs),
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    async fetch(request, server): Promise<Response> {
      const reply = await options.dispatch(request, new ServerConnection(server, request));
      return responseOf(reply, request, server, writeIdleSeconds);
    },
    error(error): Response {
      options.onFailure(error);
      return new Response(null, { status: 500 });
    },
  });
  return {
    port: server.port ?? options.port,
    pending: () => server.pendingRequests,
    stop: (graceMs) => stopServer(server, graceMs),
  };
}

function responseOf(
  reply: Reply,
  request: Request,
  server: Server,
  writeIdleSeconds: number,
): Response {
  const { body, status, headers } = reply;
  if (isSlow(body)) {
    // Only a timeout set after the body began counts.
    setImmediate(() => server.timeout(request, writeIdleSeconds));
  }
  const response = new Response(body as Blob | null, { status, headers });
  if (body instanceof Blob) guardFile(response.headers, { status, request, sizeBytes: body.size });
  return response;
}

/** Keeps the runtime from adding to the answer of a file what the handler did not say. */
function guardFile(
  headers: Headers,
  file: { readonly status: number; readonly request: Request; readonly sizeBytes: number },
): void {
  const { status, request, sizeBytes } = file;
  // Without this line it would tell the file's name.
  if (!headers.has("content-disposition")) headers.set("content-disposition", "attachment");
  // The handler answers with all bytes; without this line it would read the Range again, its own way.
  if (status === 200 && request.headers.has("range")) {
    headers.set("content-range", `bytes 0-${sizeBytes - 1}/${sizeBytes}`);
  }
}

function isSlow(body: ReplyBody): boolean {
  if (body instanceof ReadableStream) return true;
  const lengthBytes = body instanceof Blob ? body.size : (body?.length ?? 0);
  return lengthBytes >= slowBodyBytesMin;
}

class ServerConnection implements Connection {
  readonly tlsVersion = null;
  readonly certificate = null;
  readonly #server: Server;
  readonly #request: Request;

  constructor(server: Server, request: Request) {
    this.#server = server;
    this.#request = request;
  }

  get address(): string | null {
    const address = this.#server.requestIP(this.#request)?.address ?? null;
    return address?.startsWith("::ffff:") === true ? address.slice("::ffff:".length) : address;
  }

  holdOpen(): void {
    this.#server.timeout(this.#request, 0);
  }

  cut(): void {
    this.#server.timeout(this.#request, 1);
  }
}

async function stopServer(server: Server, graceMs: number): Promise<void> {
  const drained = server.stop(false);
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), graceMs);
  });
  const outcome = await Promise.race([drained, late]);
  if (timer !== null) clearTimeout(timer);
  if (outcome === "late") await server.stop(true);
}

function idleSeconds(idleMs: number): number {
  if (idleMs === 0) return 0;
  return Math.min(Math.max(Math.ceil(idleMs / 1000), 1), idleSecondsMax);
}
