/** What a worker sees of its upstreams: counts for metrics, and which of them sent wrong content lately. */
import type { Clock } from "../../lib/clock.ts";
import { Lru } from "../../lib/lru.ts";
import type { DownloadWatch } from "./pull_through/download.ts";
import type { PullWatch } from "./pull_through/manifests.ts";

/** An upstream that sent wrong bytes for a digest is not asked for it for so long, where there is another one. */
const badMs = 5 * 60_000;
/** Digests that are remembered so, per worker. */
const badMax = 1_000;

export class MirrorWatch implements PullWatch, DownloadWatch {
  readonly #clock: Clock;
  readonly #bad = new Lru<string, number>({ entriesMax: badMax });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  pulled(): void {
    // Counted once there are metrics of mirrors.
  }

  stale(): void {
    // As above.
  }

  received(): void {
    // As above.
  }

  mismatch(host: string, digest: string): void {
    this.#bad.set(`${host} ${digest}`, this.#clock.monotonicMs() + badMs);
  }

  isBad(host: string, digest: string): boolean {
    return (this.#bad.get(`${host} ${digest}`) ?? -Infinity) > this.#clock.monotonicMs();
  }
}
