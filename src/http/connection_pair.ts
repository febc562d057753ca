/**
 * One client's connection, and the connection inside this process that carries its requests to the HTTP listener.
 *
 *   client ══TLS══ outer │ inner ──loopback── the HTTP listener
 *
 * Bytes pass unchanged and in order. A slow side holds the other one back, so that a pair buffers at most what the
 * runtime reads at once, per direction. When one side ends, the other is ended after the bytes before. A pair whose
 * client makes no progress for too long is closed (`checkProgress`).
 */
import type { Socket } from "bun";
import type { PeerCertificate } from "./call.ts";
import type { Peer } from "./listen.ts";
import { WriteQueue } from "./write_queue.ts";

/** How long a client may keep a pair waiting; 0 for no limit. */
export interface PairLimits {
  /** From the connection until its first byte can be answered. */
  readonly handshakeMs: number;
  /** Between requests. */
  readonly readIdleMs: number;
  /** With an answer of which it takes nothing. */
  readonly writeIdleMs: number;
  /** From the end of the last answer until it closes its side. */
  readonly lingerMs: number;
  /** Between requests, once its certificate or the authorities were replaced. */
  readonly retiredMs: number;
}

/** What the handshake told of the client. */
export type Client = Omit<Peer, "retired" | "waiting">;

export type PairSocket = Socket<ConnectionPair | undefined>;

type Phase = "handshake" | "open" | "ending" | "closed";

const nobody: Client = {
  address: "",
  tlsVersion: "",
  certificate: null,
  certificateProblem: "The handshake is not done",
};

export class ConnectionPair implements Peer {
  waiting = 0;
  readonly outer: PairSocket;
  limits: PairLimits;
  readonly #generation: { readonly retired: boolean };
  #client: Client = nobody;
  #inner: PairSocket | null = null;
  #phase: Phase = "handshake";
  readonly #toInner = new WriteQueue();
  readonly #toOuter = new WriteQueue();
  /** When the phase began or bytes last moved, and how many had moved then. */
  #movedMs: number;
  #moved = 0;

  /** `generation` tells whether the TLS material of the client's handshake is still in use. */
  constructor(
    outer: PairSocket,
    options: {
      readonly limits: PairLimits;
      readonly generation: { readonly retired: boolean };
      readonly nowMs: number;
    },
  ) {
    this.outer = outer;
    this.limits = options.limits;
    this.#generation = options.generation;
    this.#movedMs = options.nowMs;
  }

  get address(): string {
    return this.#client.address;
  }

  get tlsVersion(): string {
    return this.#client.tlsVersion;
  }

  get certificate(): PeerCertificate | null {
    return this.#client.certificate;
  }

  get certificateProblem(): string | null {
    return this.#client.certificateProblem;
  }

  get retired(): boolean {
    return this.#generation.retired;
  }

  get isSecured(): boolean {
    return this.#phase !== "handshake";
  }

  /** The handshake is done and the way inside is open. False when the client is gone meanwhile. */
  open(client: Client, inner: PairSocket): boolean {
    if (this.#phase === "closed") return false;
    this.#phase = "open";
    this.#client = client;
    this.#inner = inner;
    if (this.#toInner.flush(inner)) this.outer.resume();
    return true;
  }

  fromOuter(chunk: Uint8Array): void {
    // After the last answer the rest of a request is taken and dropped: closing on it would reset the connection,
    // and the client might lose the answer.
    if (this.#phase === "ending" || this.#phase === "closed") return;
    if (!this.#toInner.write(this.#inner, chunk)) this.outer.pause();
  }

  fromInner(chunk: Uint8Array): void {
    if (this.#phase === "closed") return;
    if (!this.#toOuter.write(this.outer, chunk)) this.#inner?.pause();
  }

  innerDrained(): void {
    if (this.#inner === null || !this.#toInner.flush(this.#inner)) return;
    if (this.#phase === "closed") this.#inner.end();
    else this.outer.resume();
  }

  outerDrained(): void {
    if (this.#phase === "closed" || !this.#toOuter.flush(this.outer)) return;
    if (this.#phase === "ending") this.outer.end();
    else this.#inner?.resume();
  }

  /** The HTTP listener has closed: the client gets what it has not taken yet, then the end. */
  innerClosed(nowMs: number): void {
    this.#inner = null;
    if (this.#phase === "closed") return;
    this.#phase = "ending";
    this.#movedMs = nowMs;
    this.outer.resume();
    if (this.#toOuter.flush(this.outer)) this.outer.end();
  }

  /** The client is gone. What it has sent before still goes in: an upload keeps those bytes. */
  outerClosed(): void {
    this.#phase = "closed";
    if (this.#inner === null) return;
    this.#inner.resume();
    if (this.#toInner.flush(this.#inner)) this.#inner.end();
  }

  /** Ends a connection that never had a request. */
  dismiss(): void {
    if (this.#toInner.takenBytes === 0 && this.#toInner.isEmpty) this.#inner?.end();
  }

  cut(): void {
    this.outer.terminate();
    this.#inner?.terminate();
  }

  /** Ends the pair when its client has not moved for too long. To be called every second or so. */
  checkProgress(nowMs: number): void {
    // The kernel tells of room only once a third of its buffer is free, megabytes: asking finds smaller steps.
    if (!this.#toOuter.isEmpty) this.outerDrained();
    const moved = this.#toOuter.isEmpty
      ? this.#toInner.takenBytes + this.#toOuter.takenBytes
      : this.#toOuter.takenBytes;
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#movedMs = nowMs;
    }
    const limitMs = this.#limitMs();
    if (limitMs > 0 && nowMs - this.#movedMs >= limitMs) this.cut();
  }

  /** How long the client may stay as it is; 0 for as long as it likes. */
  #limitMs(): number {
    const { handshakeMs, readIdleMs, writeIdleMs, lingerMs, retiredMs } = this.limits;
    if (this.#phase === "handshake") return handshakeMs;
    if (!this.#toOuter.isEmpty) return writeIdleMs;
    if (this.#phase === "ending") return lingerMs;
    // The handler is at work, or waits for the rest of a body, which it watches itself.
    if (this.waiting > 0 || !this.#toInner.isEmpty) return 0;
    if (!this.retired) return readIdleMs;
    return readIdleMs === 0 ? retiredMs : Math.min(readIdleMs, retiredMs);
  }
}
