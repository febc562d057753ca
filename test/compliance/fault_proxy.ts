// A proxy in front of a correct registry that breaks one rule of it.
//
// Requests and answers pass byte for byte, header line for header line, unless the mutant at work
// changes them. It reads whole bodies, so a mutant sees all of a request at once. A request that was
// cut off never reaches the registry. Whether the suite notices is what mutants.test.ts asks.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ClientError } from "../../src/client/client_error.ts";
import type { HeaderLine } from "../../src/client/http_message.ts";
import { RegistryClient } from "../../src/client/registry_client.ts";
import { chunkedBody } from "../../src/client/transport.ts";

export interface Request {
  method: string;
  /** Raw path, without the query. */
  path: string;
  /** Raw query, without the question mark; empty when there is none. */
  query: string;
  headers: HeaderLine[];
  body: Uint8Array;
}

export interface Answer {
  status: number;
  headers: HeaderLine[];
  body: Uint8Array;
  /** Bytes to send after the answer, which HTTP does not allow; then the connection is closed. */
  excess?: Uint8Array;
}

/** Sends a request to the registry itself. */
export type Forward = (request: Request) => Promise<Answer>;

/** Answers a request; the default is `forward(request)`. Made anew for every proxy, so it may keep state. */
export type Fault = (request: Request, forward: Forward) => Promise<Answer>;

export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  /** Another fault from now on; what is under way is cut. */
  use(fault: Fault): void;
}

/** Listens on a free port of 127.0.0.1 and passes everything through `fault` to `registryUrl`. */
export async function startFaultProxy(registryUrl: string, fault: Fault): Promise<FaultProxy> {
  const upstream = new RegistryClient({ url: registryUrl, limits: { idleMs: 10_000 } });
  const forward = forwarder(upstream);
  let inForce = fault;
  const server = createServer((incoming, outgoing) => {
    const chosen = inForce;
    void answerOne(incoming, outgoing, (request) => chosen(request, forward));
  });
  await listening(server);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    use: (next) => {
      server.closeAllConnections();
      inForce = next;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      upstream.close();
    },
  };
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
}

function forwarder(upstream: RegistryClient): Forward {
  return async ({ method, path, query, headers, body }) => {
    const chunked = valueOf(headers, "Transfer-Encoding") !== null;
    const sends = chunked || body.length > 0;
    const exchange = await upstream.exchange({
      method,
      url: query === "" ? path : `${path}?${query}`,
      headers: headers.filter(([name]) => !/^(transfer-encoding|connection)$/i.test(name)),
      ...(sends ? { body: chunked ? chunkedBody(body) : body } : {}),
      login: "none",
      redirectsMax: 0,
      bodyBytesMax: 2 ** 30,
    });
    return { status: exchange.status, headers: [...exchange.headers.lines], body: exchange.body };
  };
}

async function answerOne(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answerOf: (request: Request) => Promise<Answer>,
): Promise<void> {
  try {
    const body = await bodyOf(incoming);
    const [path = "", ...query] = (incoming.url ?? "").split("?");
    const headers = pairs(incoming.rawHeaders);
    const method = incoming.method ?? "";
    const answer = await answerOf({ method, path, query: query.join("?"), headers, body });
    send(outgoing, method, answer);
  } catch (error) {
    // A client that went away gets no answer; anything else is a fault of the test.
    if (incoming.destroyed || error instanceof ClientError) outgoing.destroy();
    else throw error;
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of incoming) pieces.push(piece as Uint8Array);
  if (!incoming.complete) throw new ClientError("closed", "client");
  return Buffer.concat(pieces);
}

function send(outgoing: ServerResponse, method: string, answer: Answer): void {
  const headers = answer.headers.filter(
    ([name]) => !/^(connection|keep-alive|transfer-encoding|date)$/i.test(name),
  );
  if (answer.excess !== undefined) {
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const head = Buffer.from(`HTTP/1.1 ${answer.status} x\r\n${lines}\r\n`, "latin1");
    outgoing.socket?.end(Buffer.concat([head, answer.excess]));
    return;
  }
  outgoing.sendDate = true;
  outgoing.writeHead(answer.status, headers.flat());
  outgoing.end(method === "HEAD" || answer.body.length === 0 ? undefined : answer.body);
}

function pairs(raw: readonly string[]): HeaderLine[] {
  const lines: HeaderLine[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) lines.push([raw[at]!, raw[at + 1]!]);
  return lines;
}

export function valueOf(headers: readonly HeaderLine[], name: string): string | null {
  const wanted = name.toLowerCase();
  return headers.find(([key]) => key.toLowerCase() === wanted)?.[1] ?? null;
}

/** The headers with this one set, removed (null), or added when it was not there. */
export function withHeader(
  headers: readonly HeaderLine[],
  name: string,
  value: string | null,
): HeaderLine[] {
  const wanted = name.toLowerCase();
  const rest = headers.filter(([key]) => key.toLowerCase() !== wanted);
  return value === null ? rest : [...rest, [name, value]];
}

/** The answer with another body and the length that goes with it. */
export function withBody(answer: Answer, body: Uint8Array | string): Answer {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const headers = withHeader(answer.headers, "Content-Length", String(bytes.length));
  return { ...answer, headers, body: bytes };
}
