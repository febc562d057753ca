/**
 * Limits how long the runtime reads request bodies that no handler reads.
 *
 * A request may be answered before its body has come: a 401, a 413, a GET with a body. The runtime then reads and drops
 * the rest, without limit, so that the client gets its answer and can use the connection again. Closing at once instead
 * would lose the answer for clients that send before they read (Go's and Python's get EPIPE). So the rest is dropped up
 * to a limit of bytes and time, then the connection is shut down below the runtime. `listen.ts` decides for which
 * requests.
 *
 * Only Linux tells how many bytes came; on other platforms bodies are drained to their end.
 */
import { MiB } from "../lib/bytes.ts";
import { peerSockets, receivedBytes, shutSocket } from "./listening_socket.ts";

/** Bytes that are dropped after an answer; a body that announces no more is left alone. */
export const drainBytesMax = 16 * MiB;
/** How long a client may go on sending after it was answered. */
export const drainMs = 10_000;
const lookMs = 250;

interface Drain {
  readonly sinceMs: number;
  /** Bytes of the connection at the first look, and at the last one. */
  first: number | null;
  last: number;
}

export class DrainLimit {
  readonly #drains = new Map<string, Drain>();
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Connections that are watched. */
  get size(): number {
    return this.#drains.size;
  }

  /** A request of this connection was answered, and its body goes on. */
  watch(address: string, port: number): void {
    this.#drains.set(peerKey(address, port), {
      sinceMs: performance.now(),
      first: null,
      last: 0,
    });
    this.#timer ??= setInterval(() => this.look(), lookMs);
    this.#timer.unref();
  }

  /** The next request of the connection has come: the body before it has ended. */
  forget(address: string, port: number): void {
    this.#drains.delete(peerKey(address, port));
  }

  /** One look; the timer calls it. */
  look(): void {
    const sockets = peerSockets();
    for (const [key, drain] of this.#drains) {
      const descriptor = sockets.get(key);
      const bytes = descriptor === undefined ? null : receivedBytes(descriptor);
      if (descriptor === undefined || bytes === null) {
        this.#drains.delete(key);
      } else if (isTooMuch(drain, bytes)) {
        this.#drains.delete(key);
        shutSocket(descriptor);
      } else {
        drain.first ??= bytes;
        drain.last = bytes;
      }
    }
    if (this.#drains.size === 0) this.close();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

function isTooMuch({ sinceMs, first, last }: Drain, bytes: number): boolean {
  if (first === null) return false;
  if (bytes - first > drainBytesMax) return true;
  return bytes > last && performance.now() - sinceMs > drainMs;
}

/** The same name for one end of a connection, however its address is written. */
export function peerKey(address: string, port: number): string {
  const plain = address.toLowerCase().split("%")[0] ?? "";
  const mapped = plain.startsWith("::ffff:") && plain.includes(".") ? plain.slice(7) : plain;
  return `${mapped.includes(":") ? expanded(mapped) : mapped} ${port}`;
}

/** An IPv6 address as eight groups, none of them left out. */
function expanded(address: string): string {
  const [head = "", tail = ""] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const missing = address.includes("::") ? Math.max(0, 8 - before.length - after.length) : 0;
  const groups = [...before, ...Array.from({ length: missing }, () => "0"), ...after];
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":");
}
