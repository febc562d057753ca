// Load, over TLS or plain, that counts every failure: clients that connect for each request, and clients that keep theirs.
//
// Nothing is repeated and nothing is forgiven: a connection that ends without being asked to, a handshake that fails,
// an answer that is cut, each is one line in `failures`. A client does what HTTP says: after `Connection: close` it
// opens another connection.

import { connect as connectPlain } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";

export interface TlsLoad {
  readonly failures: readonly string[];
  /** Whole answers so far. */
  answers(): number;
  /** From now on each client rests for so long after an answer; 0 for not at all, as in the beginning. */
  rest(ms: number): void;
  /** Ends when the requests under way have. */
  stop(): Promise<void>;
}

export interface TlsLoadOptions {
  readonly port: number;
  /** Null for plain HTTP. */
  readonly tls: ConnectionOptions | null;
  readonly path: string;
  /** Clients that open a connection for each request, and clients that keep theirs. */
  readonly connecting: number;
  readonly keeping: number;
}

export function startTlsLoad(options: TlsLoadOptions): TlsLoad {
  const failures: string[] = [];
  let answers = 0;
  const state = { running: true, restMs: 0 };

  /** One connection with one or more requests. */
  function talk(keep: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let phase = "handshake";
    let text = "";
    const to = { host: "127.0.0.1", port: options.port };
    const socket = options.tls === null ? connectPlain(to) : connect({ ...options.tls, ...to });
    const ask = () => {
      phase = "answer";
      text = "";
      socket.write(
        `GET ${options.path} HTTP/1.1\r\nHost: x\r\n${keep ? "" : "Connection: close\r\n"}\r\n`,
      );
    };
    const askLater = () => {
      if (state.restMs === 0) return ask();
      setTimeout(() => {
        if (!state.running) socket.end();
        else if (!socket.destroyed && socket.writable) ask();
      }, state.restMs);
    };
    socket.on(options.tls === null ? "connect" : "secureConnect", ask);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end === -1 || text.length < end + 4 + lengthOf(text)) return;
      if (!text.startsWith("HTTP/1.1 200 ")) failures.push(text.split("\r\n", 1)[0] ?? "");
      answers += 1;
      // A server may end a connection that waits for nothing.
      phase = "done";
      if (state.running && keep && !/\r\nconnection: close\r\n/i.test(text)) return askLater();
      socket.end();
    });
    socket.on("error", (error) => {
      if (phase !== "done") failures.push(`${phase}: ${error.message}`);
      phase = "done";
    });
    socket.on("close", () => {
      if (phase !== "done") failures.push(`${phase}: the server closed`);
      resolve();
    });
    return promise;
  }

  async function loop(keep: boolean): Promise<void> {
    while (state.running) {
      await talk(keep);
      if (state.restMs > 0) await Bun.sleep(state.restMs);
    }
  }

  const loops = [
    ...Array.from({ length: options.connecting }, () => loop(false)),
    ...Array.from({ length: options.keeping }, () => loop(true)),
  ];
  return {
    failures,
    answers: () => answers,
    rest: (ms) => {
      state.restMs = ms;
    },
    stop: async () => {
      state.running = false;
      await Promise.all(loops);
    },
  };
}

function lengthOf(head: string): number {
  return Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? 0);
}
