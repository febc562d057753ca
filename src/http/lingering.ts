/**
 * Keeps a connection open that was answered before its request had come, where the request says that it is the last one
 * (`Connection: close`, as skopeo, podman and buildah send it).
 *
 * The runtime closes such a connection as soon as the answer is written. Closing it while the client goes on sending
 * resets it, and clients that send before they read (Go's) tell of a broken pipe in place of the answer. So a duplicate
 * of the socket is kept (`dup`), and what still comes is dropped: the client reads its answer and closes. It ends by the
 * limits of `drain_limit.ts`, which has the connections that stay.
 *
 * Only on Linux; elsewhere the runtime does as it does.
 */
import { drainBytesMax, drainMs, peerKey } from "./drain_limit.ts";
import { closeCopy, copySocket, dropReceived, findSocket } from "./listening_socket.ts";

/** Connections that are kept at once; beyond them the runtime closes as it does. */
const lingeringMax = 256;
const lookMs = 50;
/** What is shorter has come by the time it is answered. */
const bodyBytesMin = 16 * 1024;

interface Kept {
  readonly sinceMs: number;
  droppedBytes: number;
}

export class Lingering {
  readonly #kept = new Map<number, Kept>();
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Call it before the answer is given to the runtime. False where nothing is kept. */
  keep(address: string, port: number): boolean {
    if (this.#kept.size >= lingeringMax) return false;
    const socket = findSocket(peerKey(address, port));
    const copy = socket === null ? null : copySocket(socket);
    if (copy === null) return false;
    this.#kept.set(copy, { sinceMs: performance.now(), droppedBytes: 0 });
    this.#timer ??= setInterval(() => this.#look(), lookMs);
    this.#timer.unref();
    return true;
  }

  close(): void {
    for (const descriptor of this.#kept.keys()) this.#end(descriptor);
  }

  #look(): void {
    const nowMs = performance.now();
    for (const [descriptor, kept] of this.#kept) {
      // The runtime reads, too, until it closes: what it has read is not seen here.
      const { bytes, isOver } = dropReceived(descriptor, drainBytesMax);
      kept.droppedBytes += bytes;
      const isTooMuch = kept.droppedBytes >= drainBytesMax || nowMs - kept.sinceMs > drainMs;
      if (isOver || isTooMuch) this.#end(descriptor);
    }
  }

  #end(descriptor: number): void {
    this.#kept.delete(descriptor);
    closeCopy(descriptor);
    if (this.#kept.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** Whether the runtime closes the connection behind the answer, though the body of the request may still come. */
export function closesBehind({ headers }: Request): boolean {
  if (headers.get("connection")?.toLowerCase().includes("close") !== true) return false;
  const length = headers.get("content-length");
  if (length === null) return headers.has("transfer-encoding");
  return Number.parseInt(length, 10) >= bodyBytesMin;
}
