/**
 * Tells how much of a large file's answer was really sent, once the runtime is done with it.
 *
 * The runtime sends files below our code and says nothing when it is done, nor when the disk failed: it closes the
 * connection then. So the connection's socket is kept open beside it (`dup`) and asked how many bytes went into it;
 * several times a second the answers on their way are looked at. Where the socket cannot be found (not Linux, or a
 * front of this process) it is not known what was sent.
 */
import { dlopen, FFIType } from "bun:ffi";
import { closeSync, readdirSync } from "node:fs";
import { Lru } from "../lib/lru.ts";
import type { BodyEnd } from "./endpoint.ts";

/** How often answers on their way are looked at; a connection that broke off is closed that much later. */
const lookMs = 100;
/** Connections whose descriptor is remembered. */
const knownMax = 10_000;
/** Read again after a cut, to learn why. */
const readAgainBytes = 256 * 1024;

const tcp = 6;
/** <linux/tcp.h> */
const tcpInfo = 11;
const bytesAckedOffset = 120;
const tcpInfoBytes = 192;
/** <linux/sockios.h>: bytes that are not acknowledged yet. */
const siocOutQueue = 0x5411;
const familyInet = 2;

const { i32, u64, ptr: pointer } = FFIType;
const functions = {
  getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
  getpeername: { args: [i32, pointer, pointer], returns: i32 },
  ioctl: { args: [i32, u64, pointer], returns: i32 },
  dup: { args: [i32], returns: i32 },
} as const;
type Library = ReturnType<typeof dlopen<typeof functions>>["symbols"];

export interface Sending {
  readonly file: Blob;
  /** Null once the runtime is done with the request. */
  readonly peer: () => { readonly address: string; readonly port: number } | null;
  readonly signal: AbortSignal;
  readonly onEnd: (end: BodyEnd) => void;
}

interface Watched extends Sending {
  /** Of our own; null when the connection was not found. */
  readonly descriptor: number | null;
  readonly before: number;
}

export class SentBodies {
  readonly #library = open();
  readonly #known = new Lru<string, number>({ entriesMax: knownMax });
  readonly #watched = new Set<Watched>();
  #timer: ReturnType<typeof setInterval> | null = null;

  /** To be called before the answer is given to the runtime. */
  watch(sending: Sending): void {
    const descriptor = this.#duplicate(sending.peer());
    const before = descriptor === null ? 0 : this.#queued(descriptor);
    const watched: Watched = { ...sending, descriptor, before };
    this.#watched.add(watched);
    sending.signal.addEventListener("abort", () => this.#end(watched, true), { once: true });
    this.#timer ??= setInterval(() => this.#look(), lookMs);
  }

  /** The server has stopped: what is still on its way was cut. */
  close(): void {
    for (const watched of this.#watched) this.#end(watched, watched.signal.aborted);
  }

  #look(): void {
    for (const watched of this.#watched) {
      if (watched.peer() === null) this.#end(watched, watched.signal.aborted);
    }
  }

  #end(watched: Watched, aborted: boolean): void {
    if (!this.#watched.delete(watched)) return;
    if (this.#watched.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    const { descriptor, file, onEnd } = watched;
    if (descriptor === null) {
      onEnd({ kind: aborted ? "aborted" : "unknown", sentBytes: null });
      return;
    }
    const queued = this.#queued(descriptor) - watched.before;
    closeSync(descriptor);
    // The head went the same way: what is short of the file by less than that is whole.
    const sentBytes = Math.min(queued, file.size);
    if (queued >= file.size) onEnd({ kind: "whole", sentBytes });
    else if (aborted) onEnd({ kind: "aborted", sentBytes });
    else void whyCut(file, sentBytes).then((problem) => onEnd({ kind: "cut", sentBytes, problem }));
  }

  /** A descriptor of our own for the connection from there. */
  #duplicate(peer: { readonly address: string; readonly port: number } | null): number | null {
    if (peer === null || this.#library === null) return null;
    const name = `${peer.address} ${peer.port}`;
    const known = this.#known.get(name);
    const found = known !== null && this.#peerOf(known) === name ? known : this.#search(name);
    if (found === null) return null;
    this.#known.set(name, found);
    const copy = this.#library.dup(found);
    return copy < 0 ? null : copy;
  }

  #search(name: string): number | null {
    for (const entry of readdirSync("/proc/self/fd")) {
      const descriptor = Number(entry);
      if (this.#peerOf(descriptor) === name) return descriptor;
    }
    return null;
  }

  /** Address and port of the other end of a TCP connection, as the runtime words them; null for anything else. */
  #peerOf(descriptor: number): string | null {
    const address = new Uint8Array(28);
    const length = new Int32Array([address.length]);
    if (this.#library?.getpeername(descriptor, address, length) !== 0) return null;
    const view = new DataView(address.buffer);
    const port = view.getUint16(2);
    if (view.getUint16(0, true) === familyInet) return `${address.slice(4, 8).join(".")} ${port}`;
    return `${ipv6Text(view)} ${port}`;
  }

  /** Bytes that were ever given to the socket: those the client has acknowledged, and those that wait for it. */
  #queued(descriptor: number): number {
    const info = new Uint8Array(tcpInfoBytes);
    const length = new Int32Array([info.length]);
    const waiting = new Int32Array(1);
    if (this.#library?.getsockopt(descriptor, tcp, tcpInfo, info, length) !== 0) return 0;
    this.#library.ioctl(descriptor, siocOutQueue, waiting);
    const acked = new DataView(info.buffer).getBigUint64(bytesAckedOffset, true);
    return Number(acked) + (waiting[0] ?? 0);
  }
}

/** As the runtime words it: compressed, lower case, without brackets. */
function ipv6Text(view: DataView): string {
  const groups = Array.from({ length: 8 }, (_, at) => view.getUint16(8 + at * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

/** What reading the file from there on meets. */
async function whyCut(file: Blob, fromBytes: number): Promise<string> {
  try {
    const end = Math.min(fromBytes + readAgainBytes, file.size);
    const { byteLength } = await file.slice(fromBytes, end).arrayBuffer();
    return byteLength < end - fromBytes ? "the file is shorter" : "the connection was closed";
  } catch (error) {
    const name = "name" in file ? `, '${String(file.name)}'` : "";
    return `${error instanceof Error ? error.message : String(error)}${name}`;
  }
}

/** Null on systems other than Linux. */
function open(): Library | null {
  if (process.platform !== "linux") return null;
  const musl = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;
  for (const name of ["libc.so.6", musl, "libc.so"]) {
    try {
      return dlopen(name, functions).symbols;
    } catch {
      // The next name.
    }
  }
  return null;
}
