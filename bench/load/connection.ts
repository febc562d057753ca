// One keep-alive connection of the load generator: sends a request, gives the reply, then may send the next.
// A big body is written from the caller's own buffers, as fast as the socket takes it (backpressure). A connection that
// is lost in the middle of a request rejects that request.

import type { Socket } from "bun";
import { type Reply, ReplyReader } from "./reply_reader.ts";

/** Gives the next part of a request to send, null at the end. A part is not changed until the next call. */
export type NextPart = () => Uint8Array | null;

export class Connection {
  readonly #socket: Socket;
  readonly #reader = new ReplyReader();
  #waiting: PromiseWithResolvers<Reply> | null = null;
  #next: NextPart | null = null;
  #part: Uint8Array | null = null;
  #partSent = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects to a port on loopback; resolves when requests can be sent. */
  static async open(port: number, tls = false): Promise<Connection> {
    let connection: Connection | null = null;
    const secured = Promise.withResolvers<void>();
    if (!tls) secured.resolve();
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      ...(tls ? { tls: { rejectUnauthorized: false } } : {}),
      socket: {
        handshake: () => secured.resolve(),
        data: (_, chunk) => connection?.received(chunk),
        drain: () => connection?.write(),
        close: () => connection?.failed(new Error("The server closed the connection")),
        error: (_, error) => connection?.failed(error),
      },
    });
    connection = new Connection(socket);
    await secured.promise;
    return connection;
  }

  /** Sends one HEAD request: its reply ends with its head. */
  sendHead(bytes: Uint8Array): Promise<Reply> {
    this.#reader.expectNoBody();
    return this.send(bytes);
  }

  /** Sends one request that is whole in `bytes`. */
  send(bytes: Uint8Array): Promise<Reply> {
    const waiting = Promise.withResolvers<Reply>();
    this.#waiting = waiting;
    const sent = this.#socket.write(bytes);
    if (sent < bytes.length) {
      this.#part = bytes;
      this.#partSent = Math.max(sent, 0);
      this.#next = () => null;
    }
    return waiting.promise;
  }

  /** Sends one request part by part. */
  sendParts(next: NextPart): Promise<Reply> {
    const waiting = Promise.withResolvers<Reply>();
    this.#waiting = waiting;
    this.#next = next;
    this.#part = null;
    this.write();
    return waiting.promise;
  }

  close(): void {
    this.#socket.end();
  }

  private write(): void {
    while (this.#next !== null) {
      this.#part ??= this.#next();
      if (this.#part === null) {
        this.#next = null;
        return;
      }
      const length = this.#part.length - this.#partSent;
      const sent = this.#socket.write(this.#part, this.#partSent, length);
      this.#partSent += Math.max(sent, 0);
      if (sent < length) return;
      this.#part = null;
      this.#partSent = 0;
    }
  }

  private received(chunk: Buffer): void {
    try {
      const reply = this.#reader.feed(chunk);
      if (reply === null) return;
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting?.resolve(reply);
    } catch (error) {
      this.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private failed(error: Error): void {
    this.#next = null;
    this.#waiting?.reject(error);
    this.#waiting = null;
  }
}
