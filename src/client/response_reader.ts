// Reads an answer from a connection: its head, then its body piece by piece.
//
// The head is bounded; what is not HTTP is named (a TLS record, other text, silence). The body is
// delimited as RFC 9112 §6.3 says, and a body that ends early is an error, never a short body.
import { KiB } from "../lib/bytes.ts";
import { ClientError } from "./client_error.ts";
import type { Connection } from "./connection.ts";
import {
  type BodyFraming,
  findHeadEnd,
  framingOf,
  MessageError,
  parseChunkSize,
  parseResponseHead,
  quote,
  type ResponseHead,
} from "./http_message.ts";

const headBytesMax = 256 * KiB;
const chunkLineBytesMax = 4 * KiB;
const newline = 10;

/** The head of the final answer; interim ones (1xx) are passed over. Throws a ClientError. */
export async function readHead(connection: Connection): Promise<ResponseHead> {
  for (;;) {
    const bytes = await readHeadBytes(connection);
    const head = asHttp(connection, () => parseResponseHead(bytes));
    if (head.status >= 200 || head.status === 101) return head;
  }
}

async function readHeadBytes(connection: Connection): Promise<Uint8Array> {
  let held: Uint8Array = new Uint8Array(0);
  for (;;) {
    const chunk = await connection.read();
    if (chunk === null) throw endOfHead(connection, held);
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    refuseForeign(connection, held);
    const end = findHeadEnd(held);
    if (end !== -1) {
      connection.unread(held.subarray(end));
      return held.subarray(0, end);
    }
    if (held.length > headBytesMax) {
      throw new ClientError("notHttp", connection.label, { detail: "endless header" });
    }
  }
}

/** Names at the first bytes what is no HTTP, so that nobody waits for an end that never comes. */
function refuseForeign(connection: Connection, held: Uint8Array): void {
  if ((held[0] === 0x15 || held[0] === 0x16) && (held[1] === 0x03 || held.length === 1)) {
    throw new ClientError("tlsExpected", connection.label);
  }
  const start = Buffer.from(held.subarray(0, 5)).toString("latin1");
  if (!"HTTP/".startsWith(start)) {
    const text = Buffer.from(held.subarray(0, 80)).toString("latin1");
    throw new ClientError("notHttp", connection.label, { detail: quote(text) });
  }
}

function endOfHead(connection: Connection, held: Uint8Array): ClientError {
  if (held.length === 0) {
    return new ClientError("closed", connection.label, { detail: "before any answer" });
  }
  const text = Buffer.from(held.subarray(0, 80)).toString("latin1");
  return new ClientError("notHttp", connection.label, { detail: quote(text) });
}

/**
 * The body of an answer. When it was read to its end, `done(true)` is called if the connection can
 * carry another request, else `done(false)`; leaving the loop early is `done(false)` too. Without a
 * method everything up to the server's close is the body.
 */
export async function* readBody(
  connection: Connection,
  method: string | null,
  head: ResponseHead,
  done: (reusable: boolean) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let reusable = false;
  try {
    const framing: BodyFraming =
      method === null ? { kind: "close" } : asHttp(connection, () => framingOf(method, head));
    if (framing.kind === "length") yield* readLength(connection, framing.bytes);
    else if (framing.kind === "chunked") yield* readChunks(connection);
    else if (framing.kind === "close") yield* readToEnd(connection);
    const option = head.headers.get("Connection")?.toLowerCase() ?? "";
    reusable =
      framing.kind !== "close" &&
      (head.minorVersion === 1 ? !option.includes("close") : option.includes("keep-alive"));
  } finally {
    done(reusable);
  }
}

async function* readLength(connection: Connection, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  while (left > 0) {
    const chunk = await connection.read();
    if (chunk === null) {
      const detail = `body of ${bytes} bytes ended after ${bytes - left}`;
      throw new ClientError("closed", connection.label, { detail });
    }
    const part = chunk.subarray(0, left);
    connection.unread(chunk.subarray(part.length));
    left -= part.length;
    yield part;
  }
}

async function* readToEnd(connection: Connection): AsyncGenerator<Uint8Array> {
  for (let chunk = await connection.read(); chunk !== null; chunk = await connection.read()) {
    yield chunk;
  }
}

async function* readChunks(connection: Connection): AsyncGenerator<Uint8Array> {
  for (;;) {
    const line = await readLine(connection);
    const size = asHttp(connection, () => parseChunkSize(line));
    if (size === 0) break;
    yield* readLength(connection, size);
    await readLine(connection);
  }
  // Trailer lines, to the empty one.
  while ((await readLine(connection)).length > 0);
}

/** A line without its end. */
async function readLine(connection: Connection): Promise<Uint8Array> {
  let held: Uint8Array = new Uint8Array(0);
  for (;;) {
    const chunk = await connection.read();
    if (chunk === null) {
      throw new ClientError("closed", connection.label, { detail: "inside a chunked body" });
    }
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const end = held.indexOf(newline);
    if (end !== -1) {
      connection.unread(held.subarray(end + 1));
      return held.subarray(0, end > 0 && held[end - 1] === 13 ? end - 1 : end);
    }
    if (held.length > chunkLineBytesMax) {
      throw new ClientError("notHttp", connection.label, { detail: "endless chunk line" });
    }
  }
}

/** Runs a parser; what it refuses becomes the ClientError of this connection. */
function asHttp<T>(connection: Connection, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    throw new ClientError("notHttp", connection.label, { detail: error.message, cause: error });
  }
}
