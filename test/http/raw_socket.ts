// A bare TCP or TLS connection to a server: bytes as written, bytes as they come, and who closed.
//
// Nothing is added to what a test sends, so that it can send what no client would. Every wait has a limit and says what
// it waited for.

import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { eventually } from "../processes.ts";

export interface RawSocket extends AsyncDisposable {
  send(data: string | Uint8Array): void;
  /** Everything received so far, each byte as one character. */
  received(): string;
  receivedBytes(): number;
  /** Waits until what was received fits, and returns it. */
  until(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Waits until the server has closed, and returns all that it sent. */
  closed(timeoutMs?: number): Promise<string>;
  isClosed(): boolean;
  /** Stops or goes on taking bytes from the kernel. */
  pause(): void;
  resume(): void;
  /** Drops the connection. */
  destroy(): void;
}

/** Connects to a port of loopback; with `tls`, resolves when the handshake is done. */
export async function openRaw(port: number, tls?: ConnectionOptions): Promise<RawSocket> {
  const socket = await connected(port, tls);
  const pieces: Buffer[] = [];
  let receivedBytes = 0;
  let gone = false;
  socket.on("data", (piece) => {
    receivedBytes += piece.length;
    pieces.push(Buffer.from(piece));
  });
  socket.on("end", () => (gone = true));
  socket.on("close", () => (gone = true));
  socket.on("error", () => (gone = true));
  // Asked again and again while much is on its way: only what came since is decoded.
  const texts: string[] = [];
  const received = (): string => {
    for (const piece of pieces.splice(0)) texts.push(piece.toString("latin1"));
    if (texts.length > 1) texts.splice(0, texts.length, texts.join(""));
    return texts[0] ?? "";
  };
  return {
    send: (data) => {
      if (!socket.destroyed) socket.write(data);
    },
    received,
    receivedBytes: () => receivedBytes,
    until: (pattern, timeoutMs) =>
      eventually(
        `${pattern} is received, and not ${JSON.stringify(received().slice(0, 500))}`,
        () => (pattern.test(received()) ? received() : null),
        timeoutMs,
      ),
    closed: async (timeoutMs) => {
      await eventually("the server closes the connection", () => gone, timeoutMs);
      return received();
    },
    isClosed: () => gone,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    destroy: () => socket.destroy(),
    [Symbol.asyncDispose]: () => {
      socket.destroy();
      return Promise.resolve();
    },
  };
}

async function connected(port: number, tls?: ConnectionOptions): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const done = () => resolve(socket);
  const to = { host: "127.0.0.1", port, noDelay: true };
  const socket = tls === undefined ? connect(to, done) : connectTls({ ...tls, ...to }, done);
  socket.once("error", reject);
  return promise;
}

/** A request of these lines, ended as it must be. */
export function request(...lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** The statuses of the answers in what was received; interim ones too. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/(?:^|\r\n\r\n|[^\r\n])?HTTP\/1\.1 (\d{3}) /g)].map(([, code]) =>
    Number(code),
  );
}
