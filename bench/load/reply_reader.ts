// Reads HTTP/1.1 answers from the chunks that a socket delivers, and throws the bodies away: the cheapest client that
// still notices a wrong status, a short body or a byte too many.
// It reads one answer at a time (the load generator does not pipeline), with Content-Length or chunked. An answer that
// breaks the framing throws.

/** An answer whose body was counted, chunk lines included. `text` is the beginning of the body of a refusal, for the error message. */
export interface Reply {
  readonly status: number;
  readonly head: string;
  readonly bodyBytes: number;
  readonly text: string;
}

const headEnd = Buffer.from("\r\n\r\n");
const headBytesMax = 64 * 1024;
const refusalTextBytes = 300;

/** Feed it chunks; it gives the reply with the chunk that completes it. It is then ready for the next reply. */
export class ReplyReader {
  #partialHead: Buffer | null = null;
  #head: string | null = null;
  #status = 0;
  #bodyBytes = 0;
  #text = "";
  /** Body bytes still to come, when the length is known. */
  #left = 0;
  #chunked: ChunkedBody | null = null;
  #isBodiless = false;

  /** The next reply is one to HEAD: it has no body, whatever length it announces. */
  expectNoBody(): void {
    this.#isBodiless = true;
  }

  /** @returns the reply that this chunk completes, or null when more must come. */
  feed(chunk: Buffer): Reply | null {
    const body = this.#head === null ? this.#readHead(chunk) : chunk;
    if (body === null) return null;
    this.#bodyBytes += body.length;
    if (this.#status >= 400 && this.#text.length < refusalTextBytes) {
      this.#text += body.toString("utf8", 0, refusalTextBytes);
    }
    if (this.#chunked !== null) return this.#chunked.feed(body) ? this.#finish() : null;
    this.#left -= body.length;
    if (this.#left < 0) throw new Error("The server sent more bytes than it announced");
    return this.#left === 0 ? this.#finish() : null;
  }

  /** @returns the part of the body that came along with the end of the head, or null when the head is not complete. */
  #readHead(chunk: Buffer): Buffer | null {
    const bytes = this.#partialHead === null ? chunk : Buffer.concat([this.#partialHead, chunk]);
    const end = bytes.indexOf(headEnd);
    if (end < 0) {
      if (bytes.length > headBytesMax) throw new Error("The head of the answer does not end");
      this.#partialHead = Buffer.from(bytes);
      return null;
    }
    this.#partialHead = null;
    const head = bytes.toString("latin1", 0, end);
    this.#head = head;
    this.#status = Number(head.slice(9, 12));
    const length = headerOf(head, "content-length");
    if (this.#isBodiless) this.#left = 0;
    else if (length !== null) this.#left = Number(length);
    else if (headerOf(head, "transfer-encoding") === "chunked") this.#chunked = new ChunkedBody();
    else if (this.#status !== 204) throw new Error(`The answer has no length: ${head}`);
    return bytes.subarray(end + headEnd.length);
  }

  #finish(): Reply {
    const reply = {
      status: this.#status,
      head: this.#head ?? "",
      bodyBytes: this.#bodyBytes,
      text: this.#text,
    };
    this.#head = null;
    this.#bodyBytes = 0;
    this.#left = 0;
    this.#text = "";
    this.#chunked = null;
    this.#isBodiless = false;
    return reply;
  }
}

/** The value of a header in the text of a head, or null. `name` is in lower case. */
export function headerOf(head: string, name: string): string | null {
  const at = head.toLowerCase().indexOf(`\r\n${name}:`);
  if (at < 0) return null;
  const from = at + name.length + 3;
  const end = head.indexOf("\r\n", from);
  return head.slice(from, end < 0 ? undefined : end).trim();
}

/** Follows a chunked body to its end (RFC 9112 §7.1), without trailers. */
class ChunkedBody {
  #line = "";
  /** Bytes of data, with the line end behind them, that are still to be passed over. */
  #skip = 0;
  #isLast = false;

  /** @returns whether the body is complete. */
  feed(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.length - at);
        this.#skip -= step;
        at += step;
        if (this.#skip === 0 && this.#isLast) return ended(bytes, at);
        continue;
      }
      const end = bytes.indexOf("\n", at);
      this.#line += bytes.toString("latin1", at, end < 0 ? bytes.length : end);
      if (end < 0) return false;
      at = end + 1;
      const size = Number.parseInt(this.#line, 16);
      if (!Number.isInteger(size)) throw new Error(`Not a chunk size: ${this.#line}`);
      this.#line = "";
      this.#isLast = size === 0;
      this.#skip = size + 2;
    }
    return false;
  }
}

function ended(bytes: Buffer, at: number): true {
  if (at !== bytes.length) throw new Error("The server sent bytes after the last chunk");
  return true;
}
