// One exchange of a scripted upstream: the request as a client sent it, and the answer as a test wants it.

import type { Socket } from "node:net";

export interface ScriptedRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** Header lines as they came. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** The connection it came over, from 1. */
  readonly connection: number;
}

export interface ScriptedAnswer {
  /** 200 where it is left out. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** What the header says of the length; `null` for no such line, which ends the body with the connection. */
  readonly contentLength?: number | null;
  /** Send the body in chunks. */
  readonly chunked?: true;
  /** Break the connection after this many bytes of the body. */
  readonly cutAfterBytes?: number;
  /** Take the request and never answer. */
  readonly silent?: true;
  /** Send these bytes in place of an HTTP answer, and close. */
  readonly raw?: string | Uint8Array;
  /** Send the head, then wait for this before the body. */
  readonly bodyAfter?: Promise<unknown>;
  /** Wait for this before anything. */
  readonly after?: Promise<unknown>;
}

/** Every request of a connection, until the client closes it. */
export async function* readRequests(
  socket: Socket,
  connection: number,
): AsyncGenerator<ScriptedRequest> {
  let held = Buffer.alloc(0);
  const more = piecesOf(socket);
  const fill = async (): Promise<boolean> => {
    const { value, done } = await more.next();
    if (done === true) return false;
    held = Buffer.concat([held, value]);
    return true;
  };
  for (;;) {
    let end = held.indexOf("\r\n\r\n");
    while (end === -1) {
      if (!(await fill())) return;
      end = held.indexOf("\r\n\r\n");
    }
    const head = held.subarray(0, end).toString("latin1");
    held = held.subarray(end + 4);
    const [first = "", ...rest] = head.split("\r\n");
    const lines = rest.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    const headers = new Headers(lines);
    const length = Number(headers.get("content-length") ?? 0);
    while (held.length < length) if (!(await fill())) return;
    const body = Uint8Array.from(held.subarray(0, length));
    held = held.subarray(length);
    const [method = "", target = ""] = first.split(" ");
    const [path = "", query = ""] = target.split("?");
    yield {
      method,
      target,
      path,
      query: new URLSearchParams(query),
      headers,
      lines,
      body,
      connection,
    };
  }
}

/** What arrives; ends when the other side does. Unlike the socket's own iterator it leaves the socket open. */
async function* piecesOf(socket: Socket): AsyncGenerator<Buffer> {
  const queue: Buffer[] = [];
  let ended = false;
  let wake: () => void = () => {};
  socket.on("data", (piece: Buffer) => {
    queue.push(piece);
    wake();
  });
  const end = (): void => {
    ended = true;
    wake();
  };
  socket.on("end", end);
  socket.on("close", end);
  for (;;) {
    const piece = queue.shift();
    if (piece !== undefined) yield piece;
    else if (ended) return;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}
