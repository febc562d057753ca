/**
 * How fast checks read: slowly enough that nobody who pulls or pushes feels it.
 *
 * After each slice it rests at least nine times as long as the slice took, so that checks take a tenth of what the disk
 * and a processor can give. It reads no more than the rate of a full round in thirty days, and at least a mebibyte a
 * second; what was not used for a while is saved up, so that a small store is checked in seconds. Where slices take twice
 * as long as they usually do, others are at work on the disk, and the rests double until that ends.
 */
import { MiB } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";

/** Of a full round. */
const roundMs = 30 * 24 * 60 * 60_000;
const bytesPerSecondMin = MiB;
/** Saved up at most, and at the beginning of a round. */
const savedBytesMax = 64 * MiB;
const restFactor = 9;
/** A slice that takes so many times as long as usual waits for others. */
const slowFactor = 2;
/** Shorter waits are noise. */
const slowMsMin = 4;
const backOffMax = 64;
/** Of each slice, how much it moves what is usual. */
const learning = 0.05;
/** Rests are waited for in parts, so that a stop is not. */
const restMsMax = 60_000;

export class Pace {
  readonly #clock: Clock;
  #bytesPerMs = bytesPerSecondMin / 1_000;
  #savedBytes = savedBytesMax;
  #savedAtMs: number;
  #usualMsPerMiB: number | null = null;
  #backOff = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#savedAtMs = clock.monotonicMs();
  }

  /** A round of so many bytes begins. */
  begin(allBytes: number): void {
    this.#bytesPerMs = Math.max(bytesPerSecondMin / 1_000, allBytes / roundMs);
    this.#savedBytes = savedBytesMax;
    this.#savedAtMs = this.#clock.monotonicMs();
  }

  /** Rests after a slice. */
  async rest(bytes: number, tookMs: number, signal: AbortSignal): Promise<void> {
    this.#learn(bytes, tookMs);
    let leftMs = Math.max(tookMs * restFactor, this.#debtMs(bytes)) * this.#backOff;
    while (leftMs > 0 && !signal.aborted) {
      await this.#clock.sleep(Math.min(leftMs, restMsMax), signal);
      leftMs -= restMsMax;
    }
  }

  #debtMs(bytes: number): number {
    const nowMs = this.#clock.monotonicMs();
    const saved = this.#savedBytes + (nowMs - this.#savedAtMs) * this.#bytesPerMs;
    this.#savedBytes = Math.min(saved, savedBytesMax) - bytes;
    this.#savedAtMs = nowMs;
    return this.#savedBytes >= 0 ? 0 : -this.#savedBytes / this.#bytesPerMs;
  }

  #learn(bytes: number, tookMs: number): void {
    const msPerMiB = tookMs / Math.max(bytes / MiB, 1 / 16);
    const usual = this.#usualMsPerMiB ?? msPerMiB;
    const isSlow = tookMs >= slowMsMin && msPerMiB > usual * slowFactor;
    this.#backOff = isSlow
      ? Math.min(this.#backOff * 2, backOffMax)
      : Math.max(1, this.#backOff / 2);
    // What is slow for long is usual in the end.
    this.#usualMsPerMiB = usual + (Math.min(msPerMiB, usual * slowFactor * 2) - usual) * learning;
  }
}
