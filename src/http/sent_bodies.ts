/**
 * Finds out what became of answers after they were given to the runtime: whether a file could be opened, and how many
 * bytes of a large answer were really sent.
 *
 * The runtime sends files below our code and reports neither their end nor a failure of the disk: it then closes the
 * connection. So a duplicate of the connection's socket is kept open (`dup`) and asked how many bytes went into it,
 * several times a second. Where the socket cannot be found (not Linux, or behind a front of this process) the number is
 * not known.
 *
 * A small file fits the socket's buffer, and a duplicate for each would cost a quarter of its answer. The runtime opens
 * it before it takes the next request (Bun 1.4.5), so what was not replaced by the next turn of the event loop was sent.
 */
import { Lru } from "../lib/lru.ts";
import { peerKey } from "./drain_limit.ts";
import { bodyBytes, type BodyEnd, type Reply } from "./endpoint.ts";
import { closeCopy, copySocket, findSocket, givenBytes, peerOf } from "./listening_socket.ts";

/** How often answers on their way are looked at; a connection that broke off is closed that much later. */
const lookMs = 100;
/** Connections whose descriptor is remembered. */
const knownMax = 10_000;
/** Read again after a cut, to learn why. */
const readAgainBytes = 256 * 1024;

export interface Sending {
  readonly body: Blob | Uint8Array;
  /** Null once the runtime is done with the request. */
  readonly peer: () => { readonly address: string; readonly port: number } | null;
  readonly signal: AbortSignal;
  readonly onEnd: (end: BodyEnd) => void;
}

/** A small file on its way. */
export type Opening = Pick<Sending, "body" | "onEnd">;

interface Watched extends Sending {
  /** Of our own; null when the connection was not found. */
  readonly descriptor: number | null;
  /** What the connection had been given before the answer; null where that is not told. */
  readonly before: number | null;
}

export class SentBodies {
  readonly #known = new Lru<string, number>({ entriesMax: knownMax });
  readonly #watched = new Set<Watched>();
  /** Of this turn of the event loop. */
  #opening: Opening[] = [];
  #timer: ReturnType<typeof setInterval> | null = null;

  /** To be called before the answer is given to the runtime, for a file that is sent at once. */
  opened(opening: Opening): void {
    this.#opening.push(opening);
    if (this.#opening.length === 1) setImmediate(() => this.#endOpenings());
  }

  /** To be called before the answer is given to the runtime. */
  watch(sending: Sending): void {
    const descriptor = this.#duplicate(sending.peer());
    const before = descriptor === null ? null : givenBytes(descriptor);
    const watched: Watched = { ...sending, descriptor, before };
    this.#watched.add(watched);
    sending.signal.addEventListener("abort", () => this.#end(watched, true), { once: true });
    this.#timer ??= setInterval(() => this.#look(), lookMs);
  }

  /**
   * A file could not be opened when its answer was due, and another answer goes out instead. The runtime tells the
   * file and not the request: of small files it is the last one, of large ones the first that has got nothing yet.
   */
  replaced(error: unknown, instead: Reply): void {
    const path = error instanceof Error && "path" in error ? error.path : null;
    const isAsked = ({ body }: Opening): boolean => "name" in body && body.name === path;
    const small = this.#opening.findLastIndex(isAsked);
    const asking = [...this.#watched].filter(isAsked);
    const large = asking.find(hasNothing) ?? asking.at(-1);
    const { body } = instead;
    const isText = typeof body === "string" || body instanceof Uint8Array;
    const end = { kind: "replaced", sentBytes: isText ? body.length : 0, error } as const;
    if (small !== -1) this.#opening.splice(small, 1)[0]?.onEnd(end);
    else if (large !== undefined) {
      this.#forget(large);
      large.onEnd(end);
    }
  }

  /** The server has stopped: what is still on its way was cut. */
  close(): void {
    this.#endOpenings();
    for (const watched of this.#watched) this.#end(watched, watched.signal.aborted);
  }

  #endOpenings(): void {
    const opened = this.#opening;
    this.#opening = [];
    for (const { onEnd } of opened) onEnd({ kind: "unknown", sentBytes: null });
  }

  #look(): void {
    for (const watched of this.#watched) {
      if (watched.peer() === null) this.#end(watched, watched.signal.aborted);
    }
  }

  #end(watched: Watched, aborted: boolean): void {
    if (!this.#watched.has(watched)) return;
    const { descriptor, before, body, onEnd } = watched;
    const sizeBytes = bodyBytes(body);
    const after = descriptor === null ? null : givenBytes(descriptor);
    this.#forget(watched);
    if (before === null || after === null) {
      onEnd({ kind: aborted ? "aborted" : "unknown", sentBytes: null });
      return;
    }
    // The head went the same way: what is short of the body by less than that is taken for whole.
    const sentBytes = Math.min(after - before, sizeBytes);
    if (after - before >= sizeBytes) onEnd({ kind: "whole", sentBytes });
    else if (aborted) onEnd({ kind: "aborted", sentBytes });
    else void whyCut(body, sentBytes).then((problem) => onEnd({ kind: "cut", sentBytes, problem }));
  }

  #forget(watched: Watched): void {
    this.#watched.delete(watched);
    if (watched.descriptor !== null) closeCopy(watched.descriptor);
    if (this.#watched.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** A descriptor of our own for the connection from there. */
  #duplicate(peer: { readonly address: string; readonly port: number } | null): number | null {
    if (peer === null) return null;
    const name = peerKey(peer.address, peer.port);
    const known = this.#known.get(name);
    const found = known !== null && peerOf(known) === name ? known : findSocket(name);
    if (found === null) return null;
    this.#known.set(name, found);
    return copySocket(found);
  }
}

function hasNothing({ descriptor, before }: Watched): boolean {
  return descriptor !== null && before !== null && givenBytes(descriptor) === before;
}

/** What reading the file from there on meets. */
async function whyCut(file: Blob | Uint8Array, fromBytes: number): Promise<string> {
  if (file instanceof Uint8Array) return "the connection was closed";
  try {
    const end = Math.min(fromBytes + readAgainBytes, file.size);
    const { byteLength } = await file.slice(fromBytes, end).arrayBuffer();
    return byteLength < end - fromBytes ? "the file is shorter" : "the connection was closed";
  } catch (error) {
    const name = "name" in file ? `, '${String(file.name)}'` : "";
    return `${error instanceof Error ? error.message : String(error)}${name}`;
  }
}
