// A proxy of connections that cuts one at a message: before it is passed on, or once it was answered, which nobody hears.

import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

export type Moment = "before it arrives" | "after it was obeyed";

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next: { readonly text: string; readonly when: Moment } | null = null;
  cuts = 0;

  private constructor(target: number) {
    this.#server = createServer((client) => this.#carry(client, connect(target, "127.0.0.1")));
  }

  static async start(target: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target);
    const { promise, resolve } = Promise.withResolvers<void>();
    proxy.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts the connection that says this next. */
  cutAtNext(text: string, when: Moment): void {
    this.#next = { text, when };
  }

  #carry(client: Socket, server: Socket): void {
    let isCutAtAnswer = false;
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    const cut = (): void => {
      this.cuts += 1;
      end();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    client.on("data", (data) => {
      const next = this.#next;
      if (next !== null && data.includes(next.text)) {
        this.#next = null;
        if (next.when === "before it arrives") return cut();
        isCutAtAnswer = true;
      }
      server.write(data);
    });
    server.on("data", (data) => {
      if (isCutAtAnswer) cut();
      else client.write(data);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }
}
