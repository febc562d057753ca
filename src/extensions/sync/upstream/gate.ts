/**
 * The gate of an upstream: how many requests and downloads go to it at once, how fast, and whether any may go at all.
 *
 * It is the server's, however many processes ask: places, rates and the upstream's health lie on a shared page. Requests
 * and downloads have places apart, so that a manifest never waits behind blobs. Whoever finds none waits in line, the
 * longest wait first, also across processes; when the line is full it is told at once.
 */
import type { HeaderLines } from "../../../client/http_message.ts";
import { ClientError } from "../../../client/client_error.ts";
import type { Clock } from "../../../lib/clock.ts";
import {
  clearLimits,
  clearRow,
  GateSlot,
  openGatePage,
  type PlaceClass,
  rowsMax,
} from "./gate_page.ts";
import { Health } from "./health.ts";
import type { PageAt } from "../../../lib/shared_page.ts";
import { UpstreamTrouble } from "./trouble.ts";
import type { UpstreamState } from "./upstream.ts";

/** `check` is a request that the upstream does not count (HEAD, lists), `manifest` one that it may, `blob` a download. */
export type RequestClass = "check" | "manifest" | "blob";

export interface GateLimits {
  /** Requests at once, beside downloads. */
  readonly requestsMax: number;
  /** Downloads at once. */
  readonly blobsMax: number;
  /** 0 for no limit. */
  readonly requestsPerSecond: number;
  /** Of downloads; 0 for no limit. */
  readonly bytesPerSecond: number;
  /** Waiting for a place, in all processes together. */
  readonly queueMax: number;
}

/** A place that was taken. */
export interface Pass {
  /** Counts bytes that came. What it gives has to be awaited: they came faster than they may. */
  spend(bytes: number): Promise<void> | null;
  /** Gives the place back; may be called again. */
  leave(): void;
}

/** How often the first in line looks whether another process has given a place back. */
const lookMs = 10;
/** The others are woken when it is their turn. */
const napMs = 60_000;
/** A place that stays free for so long is taken out of turn: whoever is first may be stuck. */
const stuckMs = 1000;
const busyRetryAfterS = 5;
const tickMs = 0.1;
/** Bytes are paid for when they are worth so much time. */
const sliceMs = 20;
/** Nobody owes more than this: what is further ahead is no time of this page. */
const owedMsMax = 600_000;

interface Waiter {
  readonly sinceMs: number;
  wake: () => void;
}

/** The gates of all upstreams, of one process. */
export class UpstreamGates {
  readonly #page: Int32Array;
  readonly #worker: number;
  readonly #clock: Clock;

  /** `at` is the same for all processes; null where there is one. `worker` is its number from 1, 0 for the primary. */
  constructor(at: PageAt | null, worker: number, clock: Clock) {
    this.#page = openGatePage(at);
    this.#worker = worker;
    this.#clock = clock;
    clearRow(this.#page, worker);
  }

  /** Forgets whatever the page says of processes: for the primary, before it starts any. */
  begin(): void {
    for (let row = 0; row < rowsMax; row += 1) clearRow(this.#page, row);
  }

  of(host: string, limits: GateLimits): UpstreamGate {
    return new UpstreamGate(new GateSlot(this.#page, host, this.#worker), {
      host,
      limits,
      clock: this.#clock,
    });
  }

  /** Whatever upstreams said of limits is found out anew. */
  forgetLimits(): void {
    clearLimits(this.#page);
  }

  /** Gives back what a worker held that is gone. */
  workerEnded(worker: number): void {
    clearRow(this.#page, worker);
  }
}

export class UpstreamGate {
  readonly #slot: GateSlot;
  readonly #host: string;
  readonly #limits: GateLimits;
  readonly #clock: Clock;
  readonly #health: Health;
  readonly #lines: Record<PlaceClass, Waiter[]> = { request: [], blob: [] };
  #unpaidBytes = 0;

  constructor(
    slot: GateSlot,
    { host, limits, clock }: { host: string; limits: GateLimits; clock: Clock },
  ) {
    this.#slot = slot;
    this.#host = host;
    this.#limits = limits;
    this.#clock = clock;
    this.#health = new Health(slot, host, clock);
  }

  /** Waits for a place. @throws UpstreamTrouble when the upstream must not be asked now, or too many wait. */
  async enter(kind: RequestClass, signal?: AbortSignal): Promise<Pass> {
    this.#health.admit(kind === "manifest");
    const place: PlaceClass = kind === "blob" ? "blob" : "request";
    const goesAtOnce = this.#lines[place].length === 0 && this.#takes(place, this.#nowMs());
    if (!goesAtOnce) await this.#wait(place, signal);
    let isLeft = false;
    const pass: Pass = {
      spend: (bytes) => this.#spend(bytes),
      leave: () => {
        if (isLeft) return;
        isLeft = true;
        this.#slot.leave(place);
        this.#lines[place][0]?.wake();
      },
    };
    try {
      await this.#pace(place, signal);
    } catch (error) {
      pass.leave();
      throw error;
    }
    return pass;
  }

  heard(answer: { readonly status: number; readonly headers: HeaderLines }): void {
    this.#health.heard(answer);
  }

  failed(trouble: UpstreamTrouble): void {
    this.#health.failed(trouble);
  }

  state(): UpstreamState {
    return this.#health.state();
  }

  #takes(place: PlaceClass, sinceMs: number): boolean {
    const waitedMs = (this.#nowMs() - sinceMs) | 0;
    if (waitedMs < stuckMs && this.#slot.isSomebodyBefore(place, sinceMs)) return false;
    const { requestsMax, blobsMax } = this.#limits;
    return this.#slot.take(place, place === "blob" ? blobsMax : requestsMax);
  }

  async #wait(place: PlaceClass, signal: AbortSignal | undefined): Promise<void> {
    const line = this.#lines[place];
    if (this.#slot.waiting(place) >= this.#limits.queueMax) {
      throw new UpstreamTrouble("busy", this.#host, { retryAfterS: busyRetryAfterS });
    }
    const waiter: Waiter = { sinceMs: this.#nowMs(), wake: () => {} };
    line.push(waiter);
    this.#tell(place);
    try {
      for (;;) {
        if (line[0] === waiter && this.#takes(place, waiter.sinceMs)) return;
        await this.#nap(waiter, line[0] === waiter ? lookMs : napMs, signal);
        if (signal?.aborted === true) throw new ClientError("aborted", this.#host);
        // It may have gone down meanwhile.
        this.#health.admit(false);
      }
    } finally {
      line.splice(line.indexOf(waiter), 1);
      this.#tell(place);
      line[0]?.wake();
    }
  }

  /** Until a place is given back here, or it is time to look at the page. */
  async #nap(waiter: Waiter, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    waiter.wake = wake;
    signal?.addEventListener("abort", wake, { once: true });
    await this.#clock.sleep(ms, woken.signal);
    signal?.removeEventListener("abort", wake);
  }

  #tell(place: PlaceClass): void {
    const line = this.#lines[place];
    this.#slot.tellWaiting(place, line.length, line[0]?.sinceMs ?? 0);
  }

  /** Waits until a request may leave. Downloads let requests go first: they take no turn ahead of time. */
  async #pace(place: PlaceClass, signal: AbortSignal | undefined): Promise<void> {
    const { requestsPerSecond } = this.#limits;
    if (requestsPerSecond === 0) return;
    const costMs = 1000 / requestsPerSecond;
    for (;;) {
      const aheadMs = this.#owedMs("requestTick");
      const goesNow = place === "request" || aheadMs <= 0;
      const waitMs = goesNow ? this.#owe("requestTick", costMs) - costMs : aheadMs;
      if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
      if (signal?.aborted === true) throw new ClientError("aborted", this.#host);
      if (goesNow) return;
    }
  }

  #spend(bytes: number): Promise<void> | null {
    const { bytesPerSecond } = this.#limits;
    if (bytesPerSecond === 0) return null;
    this.#unpaidBytes += bytes;
    const worthMs = (this.#unpaidBytes * 1000) / bytesPerSecond;
    if (worthMs < sliceMs) return null;
    this.#unpaidBytes = 0;
    const owedMs = this.#owe("byteTick", worthMs) - sliceMs;
    return owedMs <= 0 ? null : this.#clock.sleep(owedMs);
  }

  /** How far ahead of now the page has promised. */
  #owedMs(name: "requestTick" | "byteTick"): number {
    const aheadMs = ((this.#slot.get(name) - this.#nowTick()) | 0) * tickMs;
    return aheadMs > 0 && aheadMs <= owedMsMax ? aheadMs : 0;
  }

  /** Promises more; how far ahead it is then. */
  #owe(name: "requestTick" | "byteTick", costMs: number): number {
    for (;;) {
      const found = this.#slot.get(name);
      const aheadMs = ((found - this.#nowTick()) | 0) * tickMs;
      const owedMs = (aheadMs > 0 && aheadMs <= owedMsMax ? aheadMs : 0) + costMs;
      const next = (this.#nowTick() + Math.ceil(owedMs / tickMs)) | 0;
      if (this.#slot.exchange(name, found, next)) return owedMs;
    }
  }

  #nowMs(): number {
    return Math.floor(this.#clock.now()) | 0;
  }

  #nowTick(): number {
    return Math.floor(this.#clock.now() / tickMs) | 0;
  }
}
