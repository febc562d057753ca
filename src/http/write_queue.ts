/**
 * Holds the bytes that a socket could not take yet, for copying from one socket to another.
 *
 * Bytes leave in order and are copied only when the socket is full. The queue holds no more than the other side had
 * read before it was paused (`connection_pair.ts` pauses it).
 */
import type { Socket } from "bun";

export class WriteQueue {
  #parts: Uint8Array[] = [];
  /** Bytes that the socket has taken so far. */
  takenBytes = 0;

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  /** Writes, or keeps a copy of what does not fit. `socket` is null while there is none. True when nothing waits. */
  write(socket: Socket<unknown> | null, chunk: Uint8Array): boolean {
    const sent = socket === null || !this.isEmpty ? 0 : this.#send(socket, chunk);
    if (sent === chunk.length) return this.isEmpty;
    // The runtime reuses its buffer after the callback.
    this.#parts.push(Uint8Array.from(chunk.subarray(sent)));
    return false;
  }

  /** Writes what waits. True when nothing waits any more. */
  flush(socket: Socket<unknown>): boolean {
    for (;;) {
      const part = this.#parts[0];
      if (part === undefined) return true;
      const sent = this.#send(socket, part);
      if (sent < part.length) {
        this.#parts[0] = part.subarray(sent);
        return false;
      }
      this.#parts.shift();
    }
  }

  #send(socket: Socket<unknown>, chunk: Uint8Array): number {
    // -1: the socket is closed; its user learns that in a callback.
    const sent = Math.max(socket.write(chunk), 0);
    this.takenBytes += sent;
    return sent;
  }
}
