// An upstream registry that does exactly what a test tells it, right or wrong, and remembers every request.
//
// Without a script it is a small registry over the content that it was given: manifests with HEAD and `If-None-Match`,
// blobs with ranges and ETags, pages of tags, a catalog, referrers, and logins by token if it is told so. A script for a
// method and a path takes the place of that: it may lie about lengths, cut the connection, say nothing, or send garbage.

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { eventually } from "../processes.ts";
import { readRequests, type ScriptedAnswer, type ScriptedRequest } from "./scripted_request.ts";
import { UpstreamContent } from "./upstream_content.ts";

export type { ScriptedAnswer, ScriptedRequest } from "./scripted_request.ts";

/** Null: answer as without a script. */
export type Script =
  | ScriptedAnswer
  | ((request: ScriptedRequest) => ScriptedAnswer | null | Promise<ScriptedAnswer | null>);

export interface UpstreamOptions {
  /** PEM texts; plain HTTP where it is left out. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Ask for a Bearer token, from this upstream's own `/token`. */
  readonly tokens?: {
    /** Who may have one; nobody has to log in where it is left out. */
    readonly user?: string;
    readonly password?: string;
    readonly expiresInS?: number;
  };
  /** Ask for Basic. */
  readonly basic?: { readonly user: string; readonly password: string };
  /** Listen here; on 127.0.0.1 where it is left out. */
  readonly address?: string;
}

interface Rule {
  readonly method: string;
  readonly path: string | RegExp;
  readonly script: Script;
}

export class ScriptedUpstream implements AsyncDisposable {
  readonly content = new UpstreamContent();
  /** Every request, in the order in which they came. */
  readonly requests: ScriptedRequest[] = [];
  /** Connections that were accepted. */
  connections = 0;
  readonly #server: Server;
  readonly #options: UpstreamOptions;
  readonly #rules: Rule[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #tokens = new Map<string, string>();
  #port = 0;

  private constructor(options: UpstreamOptions) {
    this.#options = options;
    const accept = (socket: Socket): void => void this.#serve(socket);
    this.#server =
      options.tls === undefined
        ? createServer(accept)
        : createTlsServer({ cert: options.tls.cert, key: options.tls.key }, accept);
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(options: UpstreamOptions = {}): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    upstream.#server.once("error", reject);
    upstream.#server.listen(0, options.address ?? "127.0.0.1", () => resolve());
    await promise;
    const address = upstream.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    upstream.#port = address.port;
    return upstream;
  }

  get port(): number {
    return this.#port;
  }

  /** `127.0.0.1:40000`. */
  get host(): string {
    return `${this.#options.address ?? "127.0.0.1"}:${this.#port}`;
  }

  /** `http://127.0.0.1:40000`. */
  get url(): string {
    return `${this.#options.tls === undefined ? "http" : "https"}://${this.host}`;
  }

  /**
   * From now on a request with this method (`*` for any) and path (without the query) is answered by the script. Of
   * several the last one counts.
   */
  on(method: string, path: string | RegExp, script: Script): void {
    this.#rules.unshift({ method, path, script });
  }

  /** Takes the answers one after the other; the last one stays. */
  inTurn(method: string, path: string | RegExp, ...answers: readonly (Script | null)[]): void {
    let next = 0;
    this.on(method, path, async (request) => {
      const script = answers[Math.min(next, answers.length - 1)] ?? null;
      next += 1;
      return typeof script === "function" ? script(request) : script;
    });
  }

  /** Forgets all scripts. */
  reset(): void {
    this.#rules.length = 0;
  }

  /** Requests with this method (`*` for any) whose path has this part. */
  asked(method: string, part: string): ScriptedRequest[] {
    return this.requests.filter(
      (request) => (method === "*" || request.method === method) && request.path.includes(part),
    );
  }

  /** Waits until so many of them came. */
  async awaitAsked(method: string, part: string, count = 1): Promise<ScriptedRequest[]> {
    await eventually(
      `${count} × ${method} ${part}`,
      () => this.asked(method, part).length >= count,
    );
    return this.asked(method, part);
  }

  /** All tokens that were given out stop working. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  /** Breaks every connection, as a reboot would. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await promise;
  }

  async #serve(socket: Socket): Promise<void> {
    this.connections += 1;
    const connection = this.connections;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    try {
      for await (const request of readRequests(socket, connection)) {
        this.requests.push(request);
        const answer = framed(await this.#answer(request));
        const goesOn = await send(socket, request, answer);
        if (!goesOn) return;
      }
    } catch {
      socket.destroy();
    }
  }

  async #answer(request: ScriptedRequest): Promise<ScriptedAnswer> {
    for (const { method, path, script } of this.#rules) {
      const fits = typeof path === "string" ? path === request.path : path.test(request.path);
      if (!fits || (method !== "*" && method !== request.method)) continue;
      const answer = typeof script === "function" ? await script(request) : script;
      if (answer !== null) return answer;
      break;
    }
    if (request.path === "/token") return this.#token(request);
    return this.#refusal(request) ?? this.content.answer(request);
  }

  #token(request: ScriptedRequest): ScriptedAnswer {
    const { user, password, expiresInS = 300 } = this.#options.tokens ?? {};
    const given = request.headers.get("authorization");
    if (user !== undefined && given !== basic(user, password ?? "")) {
      return { status: 401, body: JSON.stringify({ details: "incorrect username or password" }) };
    }
    const token = crypto.randomUUID();
    this.#tokens.set(token, request.query.getAll("scope").join(" "));
    return {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, expires_in: expiresInS }),
    };
  }

  /** A token counts for the repository of its scope, as at Docker Hub. */
  #refusal(request: ScriptedRequest): ScriptedAnswer | null {
    const given = request.headers.get("authorization") ?? "";
    const { basic: login, tokens } = this.#options;
    if (login !== undefined) {
      if (given === basic(login.user, login.password)) return null;
      return unauthorized(`Basic realm="upstream"`);
    }
    if (tokens === undefined) return null;
    const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(request.path)?.[1];
    const scope =
      name !== undefined
        ? `repository:${name}:pull`
        : request.path.startsWith("/v2/_catalog")
          ? "registry:catalog:*"
          : "";
    if (this.#tokens.get(given.replace(/^Bearer /, "")) === scope) return null;
    const wanted = scope === "" ? "" : `,scope="${scope}"`;
    return unauthorized(`Bearer realm="${this.url}/token",service="upstream"${wanted}`);
  }
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

function unauthorized(challenge: string): ScriptedAnswer {
  return {
    status: 401,
    headers: { "WWW-Authenticate": challenge, "Content-Type": mediaTypes.json },
    body: JSON.stringify({
      errors: [{ code: "UNAUTHORIZED", message: "authentication required" }],
    }),
  };
}

/** Pieces whose length nobody knows go out in chunks. */
function framed(answer: ScriptedAnswer): ScriptedAnswer {
  const { body = "", contentLength, headers = {} } = answer;
  const isKnown = typeof body === "string" || body instanceof Uint8Array;
  const isSaid = Object.keys(headers).some((name) => name.toLowerCase() === "content-length");
  return isKnown || isSaid || contentLength !== undefined ? answer : { ...answer, chunked: true };
}

/** False when the connection is of no more use. */
async function send(
  socket: Socket,
  request: ScriptedRequest,
  answer: ScriptedAnswer,
): Promise<boolean> {
  await answer.after;
  if (answer.silent === true) {
    // Until the client leaves.
    await new Promise<void>((gone) => (socket.destroyed ? gone() : socket.once("close", gone)));
    return false;
  }
  if (answer.raw !== undefined) {
    await write(socket, bytesOf(answer.raw));
    socket.end();
    return false;
  }
  const noBody = request.method === "HEAD" || answer.status === 204 || answer.status === 304;
  await write(socket, new TextEncoder().encode(headOf(answer)));
  if (noBody) return true;
  await answer.bodyAfter;
  const whole = await sendBody(socket, answer);
  if (!whole) return false;
  if (answer.contentLength === undefined) return true;
  socket.end();
  return false;
}

function headOf(answer: ScriptedAnswer): string {
  const status = answer.status ?? 200;
  let text = `HTTP/1.1 ${status} Scripted\r\n`;
  const names = new Set<string>();
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    names.add(name.toLowerCase());
    for (const each of typeof value === "string" ? [value] : value) text += `${name}: ${each}\r\n`;
  }
  const known =
    typeof answer.body === "string" || answer.body instanceof Uint8Array
      ? bytesOf(answer.body).length
      : answer.body === undefined
        ? 0
        : null;
  const length = answer.contentLength === undefined ? known : answer.contentLength;
  if (answer.chunked === true) text += "Transfer-Encoding: chunked\r\n";
  else if (length !== null && !names.has("content-length") && status !== 204 && status !== 304) {
    text += `Content-Length: ${length}\r\n`;
  }
  return `${text}\r\n`;
}

/** False when the body was cut. */
async function sendBody(socket: Socket, answer: ScriptedAnswer): Promise<boolean> {
  let left = answer.cutAfterBytes ?? Infinity;
  for await (const piece of piecesOf(answer.body ?? "")) {
    const part = piece.subarray(0, Math.min(piece.length, left));
    left -= part.length;
    if (part.length > 0) await write(socket, answer.chunked === true ? chunk(part) : part);
    if (left === 0) break;
  }
  if (answer.cutAfterBytes !== undefined) {
    // After what was sent has left, so that the client gets it.
    await new Promise<void>((ended) => socket.end(ended));
    socket.destroy();
    return false;
  }
  if (answer.chunked === true) await write(socket, new TextEncoder().encode("0\r\n\r\n"));
  return true;
}

const pieceBytes = 64 * 1024;

async function* piecesOf(body: NonNullable<ScriptedAnswer["body"]>): AsyncGenerator<Uint8Array> {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    yield* body;
    return;
  }
  const bytes = bytesOf(body);
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === "string" ? new TextEncoder().encode(body) : body;
}

function chunk(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from("\r\n"),
  ]);
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed) throw new Error("the client left");
  if (socket.write(bytes)) return;
  await new Promise<void>((drained) => {
    socket.once("drain", drained);
    socket.once("close", drained);
  });
}
