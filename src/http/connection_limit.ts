/**
 * A limit on connections. The runtime has neither a limit nor a count, and when the process has no file descriptor left
 * it asks the kernel for the next connection again and again, which takes a whole processor.
 *
 * Counting the open descriptors costs one `stat` (Linux 6.2) and is done at least twenty times a second. While there
 * are too many, the kernel drops what comes for new connections: the client's kernel repeats it after a second, then
 * after two, four …, so that a client waits instead of being refused. Existing connections are asked to close after
 * their next answer, and idle ones end by themselves; no connection is cut. Between two counts some more may come in.
 *
 * Without a configured limit the process keeps a fifth of its descriptors free, so that existing connections can open
 * files. The runtime accepts for as long as clients come and counts nothing meanwhile, so that a crowd could take all
 * of them in one go. So the kernel's own limit of open files is lower while there is room, and the runtime's accepting
 * ends at it; once new connections are held back, all descriptors may be used.
 *
 * On platforms other than Linux `open` gives null and there is no limit.
 */
import {
  acceptNew,
  countDescriptors,
  countTcpSockets,
  holdNew,
  limitBacklog,
  openFilesLimit,
  setOpenFilesLimit,
} from "./listening_socket.ts";

export interface ConnectionLimitOptions {
  /** 0 is no limit but that of open files. */
  readonly connectionsMax: number;
  /** The socket that connections come in by; null when it is not known. */
  readonly socket: () => number | null;
  /** The limit was reached, or there is room again. */
  readonly onChange: (full: boolean) => void;
}

/** The longest pause between two looks; shorter where few descriptors are kept free. */
const lookMsMax = 50;
const lookMsMin = 2;
/** Connections that a runtime may take in a millisecond. */
const takenPerMs = 50;
/** Connections that the kernel may have ready for the runtime, which takes them all in one go; its own are 512. */
const backlogMin = 64;
const backlogMax = 512;
/** Descriptors that are free for files after the kernel's queue of connections has come in, too. */
const filesFreeMin = 32;
/** Where the kernel does not tell how many descriptors are open, looking costs more. */
const slowLookMs = 500;
/** An exact count costs a call for each descriptor: it may take this part of the time. */
const countPart = 1 / 20;
/** Full until this part of the limit is free again. */
const roomPart = 1 / 20;
const openFilesPart = 0.8;

/** Those of this process, which share its descriptors. */
const open = new Set<ConnectionLimit>();

export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions;
  readonly #openFilesMax: number;
  readonly #descriptorsMax: number;
  /** The limit of open files while there is room. */
  readonly #openFilesWithRoom: number;
  /** Descriptors, and TCP sockets that are no connection of a client, when no client was connected. */
  readonly #ownDescriptors: number;
  readonly #ownSockets: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #connectionsMax: number;
  /** The last exact count, how many descriptors there were, and when another one may be made. */
  #counted = { connections: 0, descriptors: 0, againAtMs: -Infinity };
  /** The socket whose filter is active. */
  #closedSocket: number | null = null;
  #hasTooMany = false;

  /** Null where connections cannot be counted or held back. Open it right after the listener. */
  static open(options: ConnectionLimitOptions): ConnectionLimit | null {
    const openFilesMax = openFilesLimit();
    const sockets = openFilesMax === null ? null : countTcpSockets();
    if (openFilesMax === null || sockets === null) return null;
    return new ConnectionLimit(options, openFilesMax, sockets);
  }

  private constructor(options: ConnectionLimitOptions, openFilesMax: number, ownSockets: number) {
    this.#options = options;
    this.#connectionsMax = options.connectionsMax;
    this.#openFilesMax = openFilesMax;
    this.#descriptorsMax = Math.floor(openFilesMax * openFilesPart);
    const { count, isCheap } = countDescriptors();
    this.#ownDescriptors = count;
    this.#ownSockets = ownSockets;
    // Between two looks, and of those that the kernel has taken already, no more may come in than there is room for.
    const reserve = openFilesMax - this.#descriptorsMax;
    const lookMs = Math.min(Math.max(reserve / takenPerMs, lookMsMin), lookMsMax);
    this.#timer = setInterval(() => this.look(), isCheap ? lookMs : slowLookMs);
    this.#timer.unref();
    const socket = options.socket();
    const backlog = backlogOf(reserve);
    if (socket !== null) limitBacklog(socket, backlog);
    const kept = Math.min(backlog + 1 + filesFreeMin, reserve);
    this.#openFilesWithRoom = openFilesMax - kept;
    open.add(this);
    this.#shareOpenFiles();
  }

  /** No new connections come in at present. */
  get isFull(): boolean {
    return this.#closedSocket !== null;
  }

  set connectionsMax(connectionsMax: number) {
    this.#connectionsMax = connectionsMax;
  }

  /** Looks no more. What is held back stays so: the socket is about to go. */
  close(): void {
    clearInterval(this.#timer);
    open.delete(this);
    this.#shareOpenFiles();
  }

  /** One look; the timer calls it. */
  look(): void {
    const hadTooMany = this.#hasTooMany;
    this.#look();
    if (this.#hasTooMany === hadTooMany) return;
    // Nobody may accept any more when there are descriptors again.
    for (const other of open) if (other !== this) other.#look();
    this.#shareOpenFiles();
  }

  #look(): void {
    const socket = this.#options.socket();
    this.#hasTooMany = this.#isTooMany();
    const wanted = this.#hasTooMany ? socket : null;
    if (wanted === this.#closedSocket) return;
    const wasFull = this.isFull;
    this.#reopen();
    if (wanted !== null && holdNew(wanted)) this.#closedSocket = wanted;
    if (this.isFull !== wasFull) this.#options.onChange(this.isFull);
  }

  #shareOpenFiles(): void {
    const all = [...open];
    const isAnyFull = all.length === 0 || all.some((each) => each.#hasTooMany);
    setOpenFilesLimit(isAnyFull ? this.#openFilesMax : this.#openFilesWithRoom);
  }

  #reopen(): void {
    if (this.#closedSocket === null) return;
    // A socket that was replaced meanwhile stays closed.
    if (this.#closedSocket === this.#options.socket()) acceptNew(this.#closedSocket);
    this.#closedSocket = null;
  }

  #isTooMany(): boolean {
    const part = this.isFull ? 1 - roomPart : 1;
    const descriptors = countDescriptors().count;
    if (descriptors >= this.#descriptorsMax * part) return true;
    if (this.#connectionsMax === 0) return false;
    const limit = Math.ceil(this.#connectionsMax * part);
    // Every connection is a descriptor, so few descriptors are few connections.
    if (descriptors - this.#ownDescriptors < limit) return false;
    return this.#connectionsAmong(descriptors) >= limit;
  }

  /** Connections, counted; or as many as there can be since they were. */
  #connectionsAmong(descriptors: number): number {
    const startedMs = performance.now();
    if (startedMs >= this.#counted.againAtMs) {
      const connections = Math.max((countTcpSockets() ?? 0) - this.#ownSockets, 0);
      const endedMs = performance.now();
      const againAtMs = endedMs + (endedMs - startedMs) / countPart;
      this.#counted = { connections, descriptors, againAtMs };
    }
    return this.#counted.connections + Math.max(descriptors - this.#counted.descriptors, 0);
  }
}

function backlogOf(reserve: number): number {
  return Math.min(Math.max(Math.ceil(reserve / 2), backlogMin), backlogMax);
}

/** How many connections of `descriptors` each a process can have beside the files that it opens; null if unknown. */
export function connectionsPossible(descriptors: number): number | null {
  const openFilesMax = openFilesLimit();
  return openFilesMax === null ? null : Math.floor((openFilesMax * openFilesPart) / descriptors);
}
