/**
 * One request that is being answered, as its handler sees it.
 *
 * Parameters are decoded, and the repository name has passed the grammar. The query is parsed on first use. The body is
 * read once, by the body policy of the endpoint. The caller comes from `admission.ts`.
 */
import { everyone, type Caller } from "../auth/caller.ts";
import { networkOf } from "../auth/throttle.ts";
import { RequestBudget } from "../lib/request_budget.ts";
import { apiError, ApiError } from "../oci/errors.ts";
import type { LocatedName } from "../oci/located_name.ts";
import { plainBytesMax, type BodyMemory, type Room } from "./body_memory.ts";
import { watchIdle } from "./idle_watch.ts";

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
  /** The body may take as long as it makes progress: its handler watches it. */
  holdOpen(): void;
  /** Ends a transfer that makes no progress. */
  cut(): void;
}

/** How a body is taken. */
export interface BodyLimits {
  readonly bytesMax: number;
  /** How long it may bring nothing. */
  readonly idleMs: number;
  readonly tooLarge: () => Error;
}

export interface CallInit {
  readonly id: string;
  readonly method: string;
  /** Raw path, as routed. */
  readonly path: string;
  /** Raw query without the question mark. */
  readonly queryText: string;
  readonly params: Readonly<Record<string, string>>;
  /** What the name in the path means; null where it means itself. */
  readonly located?: LocatedName | null;
  readonly request: Request;
  readonly connection: Connection;
  /** The memory for bodies. */
  readonly bodies: BodyMemory;
}

export class Call {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly located: LocatedName | null;
  readonly request: Request;
  readonly connection: Connection;
  readonly bodies: BodyMemory;
  /** Who calls, and what they may do. Set once, when the call is admitted. */
  caller: Caller = everyone;
  /** What may still be spent on answering. */
  readonly budget = new RequestBudget();
  /** Bytes of the body that were read; null while they were not counted. */
  takenBytes: number | null = null;
  readonly #queryText: string;
  #query: URLSearchParams | null = null;
  #room: Room | null = null;

  constructor(init: CallInit) {
    this.id = init.id;
    this.method = init.method;
    this.path = init.path;
    this.params = init.params;
    this.located = init.located ?? null;
    this.request = init.request;
    this.connection = init.connection;
    this.bodies = init.bodies;
    this.#queryText = init.queryText;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#queryText);
    return this.#query;
  }

  /** Whether the query may have a parameter, without parsing it. */
  hasQuery(name: string): boolean {
    return this.#queryText !== "" && this.#queryText.includes(name);
  }

  /** The caller's name for logs and history; null for anonymous callers. */
  get by(): string | null {
    return this.caller.name;
  }

  /** Whom limits count what is asked for: the user, else the network that the request comes from. */
  get counted(): string {
    return this.by === null ? networkOf(this.connection.address) : `user ${this.by}`;
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

  /** Whether all of an announced body was taken. */
  get hasWholeBody(): boolean {
    const { lengthBytes } = this;
    return lengthBytes === 0 || (lengthBytes !== null && lengthBytes === this.takenBytes);
  }

  /**
   * The whole body within a limit; what it holds of the memory for bodies stays held until `end`.
   * @throws the API error that `tooLarge` makes, as soon as the limit is known to be passed; SIZE_INVALID when the
   * client went away in the middle or sent nothing for `idleMs`; TOO_MANY_REQUESTS and UNAVAILABLE where there is no
   * room for it.
   */
  async readBody({ bytesMax, idleMs, tooLarge }: BodyLimits): Promise<Uint8Array> {
    const { lengthBytes, request } = this;
    if (lengthBytes !== null && lengthBytes > bytesMax) throw tooLarge();
    try {
      const isPlain = lengthBytes !== null && lengthBytes <= plainBytesMax;
      const bytes = isPlain
        ? new Uint8Array(await request.arrayBuffer())
        : await this.#collect({ bytesMax, idleMs, tooLarge });
      this.takenBytes = bytes.length;
      if (lengthBytes !== null && bytes.length < lengthBytes) throw endedEarly(null);
      return bytes;
    } catch (error) {
      if (error instanceof ApiError || !request.signal.aborted) throw error;
      throw endedEarly(error);
    }
  }

  /**
   * Cuts the connection of a sender whose body brings nothing for `idleMs`, until what is returned is called. Progress
   * is what is limited here: the runtime's own timer would cut bodies that are slow and do not pause.
   */
  watchBody(
    idleMs: number,
    arrivedBytes: () => number | Promise<number>,
    onCut: () => void = () => undefined,
  ): () => void {
    const { connection } = this;
    connection.holdOpen();
    const onIdle = (): void => {
      connection.cut();
      onCut();
    };
    return watchIdle(this.bodies.clock, { idleMs, arrivedBytes, onIdle });
  }

  /** The request is answered: its body is held no longer. */
  end(): void {
    this.#room?.leave();
    this.#room = null;
  }

  async #collect({ bytesMax, idleMs, tooLarge }: BodyLimits): Promise<Uint8Array> {
    const { request } = this;
    const lost = Promise.withResolvers<never>();
    const room = this.bodies.enter(this.counted, lost.reject);
    this.#room = room;
    let total = 0;
    const endWatch = this.watchBody(
      idleMs,
      () => total,
      () => lost.reject(endedEarly(null)),
    );
    // Perhaps no handler waits for it when it comes.
    lost.promise.catch(() => {});
    const reader = request.body?.getReader();
    const chunks: Uint8Array[] = [];
    try {
      for (;;) {
        const next =
          reader === undefined ? noMore : await Promise.race([reader.read(), lost.promise]);
        if (next.value === undefined) break;
        total += next.value.length;
        if (total > bytesMax) throw tooLarge();
        room.grow(total);
        chunks.push(next.value);
      }
    } catch (error) {
      room.leave();
      void reader?.cancel().catch(() => {});
      throw error;
    } finally {
      endWatch();
    }
    room.arrived();
    return Buffer.concat(chunks, total);
  }
}

const noMore = { value: undefined } as const;

function endedEarly(cause: unknown): ApiError {
  return apiError("SIZE_INVALID", { message: "The body ended early", cause });
}
