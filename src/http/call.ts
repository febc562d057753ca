/**
 * One request being answered: everything that a handler may know of it.
 *
 * Promises: parameters are decoded and the repository name has passed the grammar; the query is parsed when it is
 * first asked for; the body is taken once, by the row's body policy.
 * Leaves to others: who the caller is (`auth`, `admission.ts`), the answer (`reply.ts`).
 */
import { everyone, type Caller } from "../auth/caller.ts";
import { MemoryBudget } from "../lib/memory_budget.ts";
import { RequestBudget } from "../lib/request_budget.ts";
import { apiError } from "../oci/errors.ts";

/** Bodies up to this size, which is that of most manifests, need no room among the others. */
const plainBytesMax = 16 * 1024;
/** Bytes of all larger bodies that are on their way into the memory of this process. */
const heldBytesMax = 64 * 1024 * 1024;
const held = new MemoryBudget(heldBytesMax);

/** A client certificate that an authority of `http.tls.cacert` has signed, and that is valid now. */
export interface PeerCertificate {
  /** The subject's attributes in the certificate's order, with their short names: `{ type: "CN", value: "alice" }`. */
  readonly subject: readonly { readonly type: string; readonly value: string }[];
  /** Subject alternative names in the certificate's order; of other kinds than these there are none. */
  readonly san: readonly SubjectAlternativeName[];
  /** The certificate itself, DER. */
  readonly raw: Uint8Array;
  /** SHA-256 of `raw`, lower-case hex: the same for each connection with this certificate. */
  readonly fingerprint: string;
  readonly expiresAtMs: number;
}

export interface SubjectAlternativeName {
  readonly kind: "dns" | "email" | "uri" | "ip";
  readonly value: string;
}

/** What the listener knows of the connection of a request, and can do with it. */
export interface Connection {
  /** The client's address, normalised; null when it is not known. */
  readonly address: string | null;
  /** "1.2" or "1.3"; empty for TLS whose version the runtime does not tell; null without TLS. */
  readonly tlsVersion: string | null;
  /** Null when the client showed none, or one that does not verify. */
  readonly certificate: PeerCertificate | null;
  /** Why the certificate that the client showed is not accepted: then every request is refused. */
  readonly certificateProblem: string | null;
  /** The body may take as long as it makes progress: its owner watches it. */
  holdOpen(): void;
  /** Ends a transfer that makes no progress. */
  cut(): void;
}

export interface CallInit {
  readonly id: string;
  readonly method: string;
  /** Raw path, as routed. */
  readonly path: string;
  /** Raw query without the question mark. */
  readonly queryText: string;
  readonly params: Readonly<Record<string, string>>;
  readonly request: Request;
  readonly connection: Connection;
}

export class Call {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly request: Request;
  readonly connection: Connection;
  /** Who calls, and what they may do. Set once, when the call is admitted. */
  caller: Caller = everyone;
  /** What may still be spent on answering. */
  readonly budget = new RequestBudget();
  /** Bytes of the body that were taken; null while nobody counted. */
  takenBytes: number | null = null;
  readonly #queryText: string;
  #query: URLSearchParams | null = null;

  constructor(init: CallInit) {
    this.id = init.id;
    this.method = init.method;
    this.path = init.path;
    this.params = init.params;
    this.request = init.request;
    this.connection = init.connection;
    this.#queryText = init.queryText;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#queryText);
    return this.#query;
  }

  /** The caller's name for logs and history; null for anonymous callers. */
  get by(): string | null {
    return this.caller.name;
  }

  header(name: string): string | null {
    return this.request.headers.get(name);
  }

  /** The repository of the path; empty for rows that have none. */
  get repository(): string {
    return this.params["repository"] ?? "";
  }

  /**
   * Announced length of the body in bytes; null when it is streamed without one, 0 when there is none.
   * The runtime has checked the header (RFC 9112 §6.3); a repeated equal one shows as "5, 5".
   */
  get lengthBytes(): number | null {
    const header = this.header("content-length");
    if (header !== null) return Number.parseInt(header, 10);
    return this.request.headers.has("transfer-encoding") ? null : 0;
  }

  /**
   * The whole body within a limit.
   * @throws the API error that `tooLarge` makes, as soon as the limit is known to be passed; SIZE_INVALID when the
   * client went away in the middle; UNAVAILABLE while slow clients hold all the memory that there is for bodies.
   */
  async readBody(bytesMax: number, tooLarge: () => Error): Promise<Uint8Array> {
    const { lengthBytes, request } = this;
    if (lengthBytes !== null && lengthBytes > bytesMax) throw tooLarge();
    const room = new Room();
    try {
      if (lengthBytes !== null) room.need(lengthBytes, lengthBytes);
      const bytes =
        lengthBytes === null
          ? await collect(request, bytesMax, tooLarge, room)
          : new Uint8Array(await request.arrayBuffer());
      this.takenBytes = bytes.length;
      return bytes;
    } catch (error) {
      if (request.signal.aborted) {
        throw apiError("SIZE_INVALID", { message: "The body ended early", cause: error });
      }
      throw error;
    } finally {
      room.leave();
    }
  }
}

/** What one body holds of the memory for all of them. */
class Room {
  #bytes = 0;

  /** A body of this size so far, that may grow to `mostBytes`. @throws UNAVAILABLE. */
  need(bytes: number, mostBytes: number): void {
    if (bytes <= plainBytesMax || this.#bytes > 0) return;
    if (!held.take(mostBytes)) throw apiError("UNAVAILABLE", { headers: { "retry-after": "1" } });
    this.#bytes = mostBytes;
  }

  leave(): void {
    if (this.#bytes > 0) held.give(this.#bytes);
    this.#bytes = 0;
  }
}

async function collect(
  request: Request,
  bytesMax: number,
  tooLarge: () => Error,
  room: Room,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of request.body ?? []) {
    total += chunk.length;
    if (total > bytesMax) throw tooLarge();
    room.need(total, bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, total);
}
