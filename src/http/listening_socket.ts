/**
 * Works below the runtime, on Linux: counts descriptors, ends a connection, and takes a listening socket out of service
 * without losing a connection, for good or for a while.
 *
 * The runtime can neither change the certificate of a listener nor close its socket alone. Stopping it resets the
 * connections that the kernel has accepted or is about to accept for it, and those in the middle of their TLS
 * handshake: under load several at every change of a certificate (measured; decision 0014). So the socket is retired
 * below the runtime, once another listener shares its port:
 *
 *   1. `refuseNew`: a socket filter drops requests for new connections (SYN), which the client's kernel repeats
 *      a second later, and by then reaches the other listener. Connections that began before still come in.
 *   2. `closeBelow`: the descriptor is pointed at /dev/null, which closes the socket; the runtime's listener lives on
 *      with the connections that it has.
 *
 * `listen.ts` and `listen_mutual_tls.ts` decide when, and what happens to the old connections.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { closeSync, openSync, readdirSync, statSync } from "node:fs";

// <asm-generic/socket.h>
const solSocket = 1;
const soAttachFilter = 26;
const soDetachFilter = 27;
const soAcceptConnections = 30;
const soReuseAddress = 2;
const soReusePort = 15;
const soProtocol = 38;
const tcp = 6;
// <bits/socket.h>
const msgDontWait = 0x40;
const msgNoSignal = 0x4000;
/** Of TCP: what was received is dropped, and not copied. */
const msgTruncate = 0x20;
const droppedBytesMax = 1024 * 1024;
// <linux/tcp.h>: the option, and where struct tcp_info has tcpi_bytes_received.
const tcpInfo = 11;
const bytesAckedAt = 120;
const bytesReceivedAt = 128;
/** <linux/sockios.h>: bytes that the other end has not acknowledged yet. */
const siocOutQueue = 0x5411;
// <sys/socket.h>
const afInet = 2;
const afInet6 = 10;
const shutBoth = 2;
const sockStream = 1;
const sockCloseOnExec = 0o2000000;
// <sys/resource.h>
const openFiles = 7;

/**
 * The filter, classic BPF over the TCP header (<linux/filter.h>): struct sock_filter { u16 code; u8 jt, jf; u32 k }.
 *
 *   ldb [13]           the flags
 *   jset #2, 0, 1      SYN?
 *   ret #0             drop
 *   ret #0xffffffff    take
 */
const dropSyn = program([
  [0x30, 0, 0, 13],
  [0x45, 0, 1, 2],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, 0xffff_ffff],
]);

/** Drops whatever comes for a listening socket; a connection cannot begin meanwhile, so none inherits it. `ret #0` */
const dropAll = program([[0x06, 0, 0, 0]]);

const { i32, ptr: pointer } = FFIType;
const functions = {
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, i32], returns: i32 },
  inet_pton: { args: [i32, pointer, pointer], returns: i32 },
  getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
  setsockopt: { args: [i32, i32, i32, pointer, i32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  getpeername: { args: [i32, pointer, pointer], returns: i32 },
  shutdown: { args: [i32, i32], returns: i32 },
  ioctl: { args: [i32, FFIType.u64, pointer], returns: i32 },
  dup: { args: [i32], returns: i32 },
  dup2: { args: [i32, i32], returns: i32 },
  send: { args: [i32, pointer, FFIType.u64, i32], returns: FFIType.i64 },
  recv: { args: [i32, pointer, FFIType.u64, i32], returns: FFIType.i64 },
  getrlimit: { args: [i32, pointer], returns: i32 },
  setrlimit: { args: [i32, pointer], returns: i32 },
} as const;

type Library = ReturnType<typeof dlopen<typeof functions>>["symbols"];

/** Covers the round trip of clients whose handshake has begun; less than the second after which a SYN is repeated. */
const drainMs = 800;

const descriptorsPath = "/proc/self/fd";

let library: Library | null | undefined;

/** Descriptors of this process's listening sockets; empty where they cannot be told. */
export function listeningSockets(): Set<number> {
  const loaded = load();
  if (loaded === null) return new Set();
  const descriptors = readdirSync(descriptorsPath).map(Number);
  return new Set(descriptors.filter((descriptor) => isListening(loaded, descriptor)));
}

/**
 * Whether a socket may have this port beside those that share it, as the kernel says before anything listens: who tries
 * by listening is given connections, and resets them. False also where that cannot be told.
 */
export function maySharePort(address: string, port: number): boolean {
  const loaded = load();
  const name = loaded === null ? null : socketName(loaded, address, port);
  if (loaded === null || name === null) return false;
  const family = new DataView(name.buffer).getUint16(0, true);
  const descriptor = loaded.socket(family, sockStream | sockCloseOnExec, 0);
  if (descriptor < 0) return false;
  try {
    const on = new Int32Array([1]);
    const isSet = [soReuseAddress, soReusePort].every(
      (option) => loaded.setsockopt(descriptor, solSocket, option, on, on.byteLength) === 0,
    );
    return isSet && loaded.bind(descriptor, name, name.byteLength) === 0;
  } finally {
    closeSync(descriptor);
  }
}

/** struct sockaddr_in or sockaddr_in6; null for what is no address. */
function socketName(loaded: Library, address: string, port: number): Uint8Array | null {
  const text = new TextEncoder().encode(`${address}\0`);
  const kinds = [
    { family: afInet, bytes: 16, addressAt: 4 },
    { family: afInet6, bytes: 28, addressAt: 8 },
  ];
  for (const { family, bytes, addressAt } of kinds) {
    const name = new Uint8Array(bytes);
    const view = new DataView(name.buffer);
    view.setUint16(0, family, true);
    view.setUint16(2, port);
    if (loaded.inet_pton(family, text, name.subarray(addressAt)) === 1) return name;
  }
  return null;
}

/** Refuses new connections to a socket, waits until those that had begun have come in, then calls `close`. */
export async function retireSocket(descriptor: number, close: () => void): Promise<void> {
  if (refuseNew(descriptor)) await Bun.sleep(drainMs);
  close();
}

/** Drops requests for new connections from now on; false where that is not possible. */
export function refuseNew(descriptor: number): boolean {
  return attach(descriptor, dropSyn);
}

/**
 * Lets no connection begin from now on, not even one whose handshake is on its way: its client tries again. False where
 * that is not possible.
 */
export function holdNew(descriptor: number): boolean {
  return attach(descriptor, dropAll);
}

function attach(descriptor: number, filter: BigUint64Array): boolean {
  const loaded = load();
  if (loaded === null) return false;
  // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
  const header = new BigUint64Array([BigInt(filter.length), BigInt(ptr(filter))]);
  const { byteLength } = header;
  return loaded.setsockopt(descriptor, solSocket, soAttachFilter, header, byteLength) === 0;
}

/** Ends what `refuseNew` or `holdNew` began. */
export function acceptNew(descriptor: number): void {
  const value = new Int32Array(1);
  load()?.setsockopt(descriptor, solSocket, soDetachFilter, value, value.byteLength);
}

/** Sends a few bytes past TLS, if they can be sent at once. */
export function sendBelow(descriptor: number, bytes: Uint8Array): void {
  load()?.send(descriptor, ptr(bytes), bytes.length, msgDontWait | msgNoSignal);
}

/** How many connections the kernel keeps for a listening socket until they are taken. */
export function limitBacklog(descriptor: number, connectionsMax: number): void {
  load()?.listen(descriptor, connectionsMax);
}

/** TCP sockets of this process, listening ones included; null where they cannot be told. Costs a call for each. */
export function countTcpSockets(): number | null {
  const loaded = load();
  if (loaded === null) return null;
  const descriptors = readdirSync(descriptorsPath).map(Number);
  return descriptors.filter((each) => socketOption(loaded, each, soProtocol) === tcp).length;
}

/** Descriptors of this process's connections by the other end: its address, as the kernel writes it, and port. */
export function peerSockets(): Map<string, number> {
  const sockets = new Map<string, number>();
  if (load() === null) return sockets;
  for (const descriptor of readdirSync(descriptorsPath).map(Number)) {
    const name = peerOf(descriptor);
    if (name !== null) sockets.set(name, descriptor);
  }
  return sockets;
}

/** The descriptor of the connection with this other end; null where there is none, or it is not told. */
export function findSocket(name: string): number | null {
  if (load() === null) return null;
  const port = Number(name.slice(name.lastIndexOf(" ") + 1));
  for (const entry of readdirSync(descriptorsPath)) {
    const descriptor = Number(entry);
    // The port alone tells most of them apart, and costs less than a name.
    if (readPeer(descriptor) && peer.getUint16(2) === port && peerName(peer) === name)
      return descriptor;
  }
  return null;
}

/** The other end of a connection, as in `peerSockets`; null for what is none. */
export function peerOf(descriptor: number): string | null {
  return readPeer(descriptor) ? peerName(peer) : null;
}

/** What `getpeername` was last told; one for all, as a look walks over every descriptor. */
const peerBytes = new Uint8Array(128);
const peer = new DataView(peerBytes.buffer);
const peerLength = new Int32Array(1);

function readPeer(descriptor: number): boolean {
  peerLength[0] = peerBytes.byteLength;
  return load()?.getpeername(descriptor, peerBytes, peerLength) === 0;
}

/**
 * A second descriptor of a connection, to be closed by `closeCopy`: the connection does not end before. Null where it
 * would be the last one that this process may have: the answer's file needs that more.
 */
export function copySocket(descriptor: number): number | null {
  const copy = load()?.dup(descriptor) ?? -1;
  if (copy < 0) return null;
  try {
    closeSync(openSync("/dev/null", "r"));
    return copy;
  } catch {
    closeSync(copy);
    return null;
  }
}

export function closeCopy(descriptor: number): void {
  closeSync(descriptor);
}

/** struct sockaddr_in, sockaddr_in6 as `address port`: dotted, or eight groups; null for other families. */
function peerName(peer: DataView): string | null {
  const family = peer.getUint16(0, true);
  const port = peer.getUint16(2);
  const dotted = (at: number): string =>
    [0, 1, 2, 3].map((index) => peer.getUint8(at + index)).join(".");
  if (family === afInet) return `${dotted(4)} ${port}`;
  if (family !== afInet6) return null;
  const groups = Array.from({ length: 8 }, (_, index) => peer.getUint16(8 + 2 * index));
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return `${isMapped ? dotted(20) : groups.map((group) => group.toString(16)).join(":")} ${port}`;
}

/** Bytes that a TCP connection has brought; null where that is not told. */
export function receivedBytes(descriptor: number): number | null {
  return tcpFigure(descriptor, bytesReceivedAt);
}

/** Bytes that were ever given to a TCP connection: those that arrived, and those that wait; null where not told. */
export function givenBytes(descriptor: number): number | null {
  const acknowledged = tcpFigure(descriptor, bytesAckedAt);
  const waiting = new Int32Array(1);
  if (acknowledged === null || load()?.ioctl(descriptor, siocOutQueue, waiting) !== 0) return null;
  return acknowledged + (waiting[0] ?? 0);
}

/** A 64-bit number of struct tcp_info. */
function tcpFigure(descriptor: number, at: number): number | null {
  const info = new Uint8Array(256);
  const length = new Int32Array([info.byteLength]);
  const result = load()?.getsockopt(descriptor, tcp, tcpInfo, info, length);
  const isTold = result === 0 && (length[0] ?? 0) >= at + 8;
  return isTold ? Number(new DataView(info.buffer).getBigUint64(at, true)) : null;
}

/** Drops what has come for a connection, about so many bytes at most; whether the other end has closed it. */
export function dropReceived(
  descriptor: number,
  bytesMax: number,
): { readonly bytes: number; readonly isOver: boolean } {
  let bytes = 0;
  while (bytes < bytesMax) {
    const flags = msgDontWait | msgTruncate;
    const dropped = Number(load()?.recv(descriptor, null, droppedBytesMax, flags) ?? 0);
    if (dropped === 0) return { bytes, isOver: true };
    if (dropped < 0) break;
    bytes += dropped;
  }
  return { bytes, isOver: false };
}

/** Ends a connection in both directions; its owner sees it end. */
export function shutSocket(descriptor: number): void {
  load()?.shutdown(descriptor, shutBoth);
}

/** Open descriptors of this process. Since Linux 6.2 the kernel tells their number, before they are listed. */
export function countDescriptors(): { readonly count: number; readonly isCheap: boolean } {
  const { size } = statSync(descriptorsPath);
  return size > 0
    ? { count: size, isCheap: true }
    : { count: readdirSync(descriptorsPath).length, isCheap: false };
}

/** How many files this process may open, before `setOpenFilesLimit` is called; null where it is not told. */
export function openFilesLimit(): number | null {
  ownOpenFilesLimit ??= readLimit()?.[0] ?? null;
  return ownOpenFilesLimit === null ? null : Number(ownOpenFilesLimit);
}

let ownOpenFilesLimit: bigint | null = null;

/** Sets the soft limit of open files; what is open stays so. */
export function setOpenFilesLimit(openFilesMax: number): void {
  const limit = readLimit();
  if (limit === null) return;
  limit[0] = BigInt(openFilesMax);
  load()?.setrlimit(openFiles, limit);
}

/** struct rlimit { rlim_t rlim_cur, rlim_max; } */
function readLimit(): BigUint64Array | null {
  const limit = new BigUint64Array(2);
  return load()?.getrlimit(openFiles, limit) === 0 ? limit : null;
}

/** Closes the socket and keeps its number taken, so that the runtime, which owns it, closes nothing else later. */
export function closeBelow(descriptor: number): void {
  const loaded = load();
  if (loaded === null || !isListening(loaded, descriptor)) return;
  const nothing = openSync("/dev/null", "r");
  loaded.dup2(nothing, descriptor);
  closeSync(nothing);
}

function isListening(loaded: Library, descriptor: number): boolean {
  return socketOption(loaded, descriptor, soAcceptConnections) === 1;
}

/** Null for what is no socket. */
function socketOption(loaded: Library, descriptor: number, option: number): number | null {
  const value = new Int32Array(1);
  const length = new Int32Array([value.byteLength]);
  const result = loaded.getsockopt(descriptor, solSocket, option, value, length);
  return result === 0 ? (value[0] ?? null) : null;
}

function program(
  instructions: readonly (readonly [number, number, number, number])[],
): BigUint64Array {
  const words = new BigUint64Array(instructions.length);
  const view = new DataView(words.buffer);
  for (const [index, [code, whenTrue, whenFalse, operand]] of instructions.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, whenTrue);
    view.setUint8(index * 8 + 3, whenFalse);
    view.setUint32(index * 8 + 4, operand, true);
  }
  return words;
}

function load(): Library | null {
  if (library === undefined) library = process.platform === "linux" ? open() : null;
  return library;
}

/** The C library; musl systems know it under another name. */
function open(): Library | null {
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
