// A balancer as replicas stand behind: each request goes to the next replica in turn, without a look at what it asks.
//
// Bodies are passed on as they come, and the name that the client called stays in `Host`. A replica that cannot be
// reached is passed over, and 503 is answered where none can be.

import {
  createServer,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";

export interface Passed {
  readonly method: string;
  readonly path: string;
  /** The replica that was asked, by its place. */
  readonly replica: number;
}

export interface RoundRobin extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40000`. */
  readonly url: string;
  readonly port: number;
  /** What was passed on, in order. */
  readonly passed: readonly Passed[];
  /** Which replica the next request goes to; the turns go on from it. */
  next(replica: number): void;
}

/** Listens on a free port of 127.0.0.1. */
export async function startRoundRobin(replicas: readonly string[]): Promise<RoundRobin> {
  const passed: Passed[] = [];
  let turn = 0;
  const server = createServer((incoming, outgoing) => {
    const first = turn;
    turn += 1;
    void pass(incoming, outgoing, first);
  });

  async function pass(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    first: number,
  ): Promise<void> {
    const { method = "GET", url: path = "/" } = incoming;
    for (let tried = 0; tried < replicas.length; tried += 1) {
      const replica = (first + tried) % replicas.length;
      const sending = await connected(incoming, replicas[replica] ?? "");
      if (sending === null) continue;
      passed.push({ method, path, replica });
      carry(incoming, sending, outgoing);
      return;
    }
    outgoing.writeHead(503).end();
  }

  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The balancer has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    passed,
    next: (replica) => {
      turn = replica;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

/** A request on a connection of its own; null where there is nobody. */
function connected(incoming: IncomingMessage, replica: string): Promise<ClientRequest | null> {
  const { hostname, port } = new URL(replica);
  const { method, url: path, rawHeaders } = incoming;
  const headers: Record<string, string | string[]> = {};
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (/^(connection|keep-alive)$/i.test(name)) continue;
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  const sending = httpRequest({ hostname, port, method, path, headers, agent: false });
  const { promise, resolve } = Promise.withResolvers<ClientRequest | null>();
  sending.on("error", () => resolve(null));
  sending.on("socket", (socket) => {
    if (!socket.connecting) resolve(sending);
    else socket.once("connect", () => resolve(sending));
  });
  return promise;
}

function carry(incoming: IncomingMessage, sending: ClientRequest, outgoing: ServerResponse): void {
  const cut = (): void => {
    // A response that is destroyed before its head may be sent as an empty 200.
    incoming.socket.destroy();
    sending.destroy();
  };
  sending.on("error", cut);
  incoming.on("error", cut);
  outgoing.on("error", cut);
  outgoing.on("close", () => {
    if (!outgoing.writableFinished) sending.destroy();
  });
  sending.on("response", (answer) => {
    answer.on("error", cut);
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(outgoing);
  });
  incoming.pipe(sending);
}
