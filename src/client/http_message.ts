// HTTP/1.1 messages as they stand on the wire: header lines, the head of an answer, chunk framing.
//
// Pure functions over bytes, no sockets. Header lines keep their order, their case and their
// repetition, because a checker has to see two `Location` lines as two. What is not HTTP is refused
// with a MessageError that says what came (RFC 9112, sections 2 to 7).

/** One header line as written: name, value without surrounding white space. */
export type HeaderLine = readonly [name: string, value: string];

/** The head or framing of a message is not HTTP/1.1. */
export class MessageError extends Error {
  override readonly name = "MessageError";
}

/** Header lines of one message; lookups ignore case (RFC 9110 §5.1). */
export class HeaderLines {
  readonly lines: readonly HeaderLine[];

  constructor(lines: readonly HeaderLine[]) {
    this.lines = lines;
  }

  /** The values of every line with this name, in order. */
  all(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.lines.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** The value, lines joined with a comma as RFC 9110 §5.3 allows; null when there is no such line. */
  get(name: string): string | null {
    const values = this.all(name);
    return values.length === 0 ? null : values.join(", ");
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }
}

export interface ResponseHead {
  /** 0 or 1: the minor version of HTTP/1.x. */
  minorVersion: number;
  status: number;
  reason: string;
  headers: HeaderLines;
}

const latin1 = new TextDecoder("latin1");
const utf8 = new TextEncoder();
const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/;
const headerLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/;

/** Writes a request line and its header lines. Values are written as given, byte for byte (UTF-8). */
export function formatRequestHead(
  method: string,
  target: string,
  headers: readonly HeaderLine[],
): Uint8Array {
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  return utf8.encode(`${text}\r\n`);
}

/** Where the head ends: the index after the empty line, or -1 while it is incomplete. */
export function findHeadEnd(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return -1;
}

/** Reads the head of an answer, without the body. Throws a MessageError when it is not HTTP/1.x. */
export function parseResponseHead(bytes: Uint8Array): ResponseHead {
  const lines = latin1.decode(bytes).split(/\r?\n/);
  const status = statusLine.exec(lines[0] ?? "");
  if (status === null) throw new MessageError(`status line is ${quote(lines[0] ?? "")}`);
  const headers: HeaderLine[] = [];
  for (const line of lines.slice(1)) {
    if (line === "") continue;
    const match = headerLine.exec(line);
    if (match === null) throw new MessageError(`header line is ${quote(line)}`);
    headers.push([match[1] ?? "", match[2] ?? ""]);
  }
  return {
    minorVersion: Number(status[1]),
    status: Number(status[2]),
    reason: status[3] ?? "",
    headers: new HeaderLines(headers),
  };
}

/** How the body of an answer is delimited (RFC 9112 §6.3). */
export type BodyFraming =
  | { kind: "none" }
  | { kind: "length"; bytes: number }
  | { kind: "chunked" }
  | { kind: "close" };

/** Decides the framing from the request's method and the head. Throws on contradicting lengths. */
export function framingOf(method: string, head: ResponseHead): BodyFraming {
  const { status, headers } = head;
  if (method === "HEAD" || status < 200 || status === 204 || status === 304)
    return { kind: "none" };
  const coding = headers.get("Transfer-Encoding");
  if (coding !== null) {
    return coding.toLowerCase().endsWith("chunked") ? { kind: "chunked" } : { kind: "close" };
  }
  const lengths = new Set(headers.all("Content-Length"));
  if (lengths.size === 0) return { kind: "close" };
  const [length = ""] = lengths;
  if (lengths.size > 1 || !/^\d+$/.test(length)) {
    throw new MessageError(`Content-Length is ${quote([...lengths].join(", "))}`);
  }
  return { kind: "length", bytes: Number(length) };
}

/** One piece of a chunked body: its size line, data and closing line. */
export function formatChunk(data: Uint8Array): Uint8Array {
  const head = utf8.encode(`${data.length.toString(16)}\r\n`);
  const chunk = new Uint8Array(head.length + data.length + 2);
  chunk.set(head);
  chunk.set(data, head.length);
  chunk.set([13, 10], head.length + data.length);
  return chunk;
}

/** The last chunk, without trailers. */
export const lastChunk = utf8.encode("0\r\n\r\n");

/** Reads a chunk's size line, extensions ignored. Throws a MessageError when it is no hexadecimal size. */
export function parseChunkSize(line: Uint8Array): number {
  const text = latin1.decode(line).split(";", 1)[0]?.trim() ?? "";
  if (!/^[0-9a-fA-F]{1,13}$/.test(text)) throw new MessageError(`chunk size is ${quote(text)}`);
  return Number.parseInt(text, 16);
}

/** Shows the start of foreign text in a message: printable, quoted, short. */
export function quote(text: string): string {
  const shown = text.slice(0, 60).replaceAll(/[^\x20-\x7e]/g, "?");
  return `"${shown}"${text.length > 60 ? "..." : ""}`;
}
