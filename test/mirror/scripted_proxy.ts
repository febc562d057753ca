// An HTTP proxy that knows a few names, lets through who has its login, and remembers whom it was asked for.

import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

export interface ProxyOptions {
  /** Where a `host:port` really is; others are called as they are. */
  readonly names?: Readonly<Record<string, number>>;
  readonly login?: { readonly user: string; readonly password: string };
  /** For a proxy that is spoken to over TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export class ScriptedProxy implements AsyncDisposable {
  /** Request lines, in order. */
  readonly asked: string[] = [];
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  private constructor(options: ProxyOptions) {
    this.#options = options;
    const accept = (socket: Socket): void => this.#accept(socket);
    this.#server =
      options.tls === undefined ? createServer(accept) : createTlsServer(options.tls, accept);
  }

  static async start(options: ProxyOptions = {}): Promise<ScriptedProxy> {
    const proxy = new ScriptedProxy(options);
    await new Promise<void>((listening) => proxy.#server.listen(0, "127.0.0.1", listening));
    const address = proxy.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    proxy.#port = address.port;
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await promise;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #accept(socket: Socket): void {
    this.#keep(socket);
    let held = Buffer.alloc(0);
    const take = (piece: Buffer): void => {
      held = Buffer.concat([held, piece]);
      const end = held.indexOf("\r\n\r\n");
      if (end === -1) return;
      socket.off("data", take);
      this.#answer(socket, held.subarray(0, end).toString("latin1"), held.subarray(end + 4));
    };
    socket.on("data", take);
  }

  #answer(socket: Socket, head: string, rest: Buffer): void {
    const [line = "", ...headers] = head.split("\r\n");
    this.asked.push(line);
    const { login, names = {} } = this.#options;
    const given = headers.find((each) => /^proxy-authorization:/i.test(each))?.split(": ")[1];
    if (login !== undefined && given !== `Basic ${btoa(`${login.user}:${login.password}`)}`) {
      socket.end("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const [method = "", target = ""] = line.split(" ");
    const isTunnel = method === "CONNECT";
    const url = new URL(isTunnel ? `http://${target}` : target);
    const port = names[`${url.hostname}:${url.port || 80}`] ?? Number(url.port || 80);
    const inner = connect(port, "127.0.0.1");
    this.#keep(inner);
    if (isTunnel) socket.write("HTTP/1.1 200 Established\r\n\r\n");
    else {
      const kept = headers.filter((each) => !/^(proxy-authorization|connection):/i.test(each));
      const path = url.pathname + url.search;
      // One request for each connection: enough for a test.
      inner.write(
        [`${method} ${path} HTTP/1.1`, ...kept, "Connection: close", "", ""].join("\r\n"),
      );
    }
    inner.write(rest);
    socket.pipe(inner).pipe(socket);
  }
}
