/**
 * Limits the memory that bodies may hold in one process: request bodies until they are answered and, counted apart,
 * answer bodies until they are sent.
 *
 * Bytes count when they arrive, not when they are announced. One caller (a user, else an address) has a share, so that
 * one client cannot take all of it. When the memory is full, the body that arrives most slowly is dropped, if it is
 * slow at all: so clients who begin and then stall cannot keep others out. Bodies of the size of most manifests need no
 * room, and a body that is alone always has room.
 */
import { assert } from "../lib/assert.ts";
import { MiB } from "../lib/bytes.ts";
import type { Clock } from "../lib/clock.ts";
import { apiError, type ApiError } from "../oci/errors.ts";

/** Bodies up to this size, which is that of most manifests, need no room among the others. */
export const plainBytesMax = 16 * 1024;
/** Bytes of all larger bodies that have come into the memory of this process. */
export const heldBytesMax = 64 * MiB;
/** Of these, what one caller may hold. */
export const callerBytesMax = 16 * MiB;
/** Bytes of answers that were made in memory and are not sent yet, of all who read them slowly. */
const answersBytesMax = 128 * MiB;
/** Of these, what one caller may hold: the longest lists, ten at once. */
const callerAnswersBytesMax = 32 * MiB;

/** How many bytes may be held, and the advice to a client who finds no room. */
export interface BodyLimit {
  readonly bytesMax: number;
  readonly callerBytesMax: number;
  readonly advice: string;
}

export const requestBodies: BodyLimit = {
  bytesMax: heldBytesMax,
  callerBytesMax,
  advice: `Bodies of one caller hold up to ${callerBytesMax / MiB} MiB here at once; send fewer at a time`,
};

export const answerBodies: BodyLimit = {
  bytesMax: answersBytesMax,
  callerBytesMax: callerAnswersBytesMax,
  advice: `Answers to one caller hold up to ${callerAnswersBytesMax / MiB} MiB here until they are read; read them, and ask for fewer at a time`,
};

/** A body that is not slow: a modem's speed, once it had time to begin. */
const slowBytesPerSecond = 4 * 1024;
const beginMs = 5_000;

/** What one body holds. */
export interface Room {
  /** The body has so many bytes by now. @throws TOO_MANY_REQUESTS, UNAVAILABLE. */
  grow(bytes: number): void;
  /** Gives everything back. */
  leave(): void;
}

interface Held {
  readonly caller: string;
  readonly sinceMs: number;
  /** Called once when another body takes its room. */
  readonly onLost: (error: ApiError) => void;
  bytes: number;
  /** It has arrived completely, so it cannot be slow. */
  whole: boolean;
}

export class BodyMemory {
  readonly clock: Clock;
  readonly #limit: BodyLimit;
  readonly #held = new Set<Held>();
  readonly #byCaller = new Map<string, number>();
  #bytes = 0;

  constructor(clock: Clock, limit: BodyLimit = requestBodies) {
    this.#limit = limit;
    this.clock = clock;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A place for a body; `onLost` is called when it has to end for another one. */
  enter(caller: string, onLost: (error: ApiError) => void): Room & { arrived(): void } {
    const held: Held = {
      caller,
      sinceMs: this.clock.monotonicMs(),
      onLost,
      bytes: 0,
      whole: false,
    };
    return {
      grow: (bytes) => this.#grow(held, bytes),
      arrived: () => {
        held.whole = true;
      },
      leave: () => this.#leave(held),
    };
  }

  /** A place that has room for so many bytes; null where there is none. */
  tryEnter(caller: string, bytes: number): Room | null {
    const ofCaller = this.#byCaller.get(caller) ?? 0;
    const { bytesMax, callerBytesMax: ofCallerMax } = this.#limit;
    if (ofCaller + bytes > ofCallerMax || this.#bytes + bytes > bytesMax) return null;
    return this.hold(caller, bytes);
  }

  /** A place for bytes that are here, or come without a client. @throws TOO_MANY_REQUESTS, UNAVAILABLE. */
  hold(caller: string, bytes: number): Room {
    const room = this.enter(caller, () => undefined);
    room.grow(bytes);
    room.arrived();
    return room;
  }

  #grow(held: Held, bytes: number): void {
    if (bytes <= plainBytesMax) return;
    const more = bytes - held.bytes;
    const ofCaller = this.#byCaller.get(held.caller) ?? 0;
    // One alone has room, however large it is.
    const limit = this.#limit;
    if (ofCaller > held.bytes && ofCaller + more > limit.callerBytesMax) throw tooMany(limit);
    while (this.#bytes > held.bytes && this.#bytes + more > limit.bytesMax) {
      const slowest = this.#slowest(held);
      if (slowest === null) throw noRoom();
      this.#leave(slowest);
      slowest.onLost(tooSlow());
    }
    held.bytes = bytes;
    this.#held.add(held);
    this.#bytes += more;
    this.#byCaller.set(held.caller, ofCaller + more);
  }

  #leave(held: Held): void {
    if (!this.#held.delete(held)) return;
    const ofCaller = (this.#byCaller.get(held.caller) ?? 0) - held.bytes;
    if (ofCaller === 0) this.#byCaller.delete(held.caller);
    else this.#byCaller.set(held.caller, ofCaller);
    this.#bytes -= held.bytes;
    assert(this.#bytes >= 0 && ofCaller >= 0, "Only what was taken is given back");
  }

  /** The body that has come in slowest of those that are slow; null when there is none. */
  #slowest(except: Held): Held | null {
    const nowMs = this.clock.monotonicMs();
    let slowest: Held | null = null;
    let leastSpeed = slowBytesPerSecond / 1000;
    for (const held of this.#held) {
      const ageMs = nowMs - held.sinceMs;
      if (held === except || held.whole || ageMs < beginMs) continue;
      const speed = held.bytes / ageMs;
      if (speed >= leastSpeed) continue;
      leastSpeed = speed;
      slowest = held;
    }
    return slowest;
  }
}

const soon = { headers: { "retry-after": "1" } };

function tooMany({ advice: message }: BodyLimit): ApiError {
  return apiError("TOO_MANY_REQUESTS", { message, ...soon });
}

function noRoom(): ApiError {
  return apiError("UNAVAILABLE", soon);
}

function tooSlow(): ApiError {
  return apiError("UNAVAILABLE", {
    message: "The body came in too slowly while others waited for its memory; send it again",
    ...soon,
  });
}
