/** What a worker sees of its upstreams: counts for metrics, and which of them sent wrong content lately. */
import type { AccessRecord } from "../../http/dispatch.ts";
import type { Clock } from "../../lib/clock.ts";
import { Lru } from "../../lib/lru.ts";
import type { DownloadWatch } from "./pull_through/download.ts";
import type { MirrorCounts } from "./metrics/mirror_counts.ts";
import type { PullKind, PullResult } from "./metrics/table.ts";
import type { MirrorNames } from "./pull_through/mirror.ts";
import type { PullWatch } from "./pull_through/manifests.ts";

/** An upstream that sent wrong bytes for a digest is not asked for it for so long, where there is another one. */
const badMs = 5 * 60_000;
/** Digests that are remembered so, per worker. */
const badMax = 1_000;
/** Repositories whose upstream a worker remembers for counting. */
const namesMax = 1_000;
const none = "";

export class MirrorWatch implements PullWatch, DownloadWatch {
  readonly #clock: Clock;
  readonly #bad = new Lru<string, number>({ entriesMax: badMax });

  readonly #names: MirrorNames;
  readonly #counts: MirrorCounts;
  readonly #hosts = new Lru<string, string>({ entriesMax: namesMax });

  constructor(names: MirrorNames, counts: MirrorCounts, clock: Clock) {
    this.#names = names;
    this.#counts = counts;
    this.#clock = clock;
  }

  pulled(host: string, kind: PullKind, result: PullResult): void {
    this.#counts.pulled(host, kind, result);
  }

  blobHit(repository: string): void {
    const host = this.#hostOf(repository);
    if (host !== none) this.#counts.pulled(host, "blob", "hit");
  }

  /** Counts what a client gets of a mirrored repository. */
  answered({ what, method, repository, bytes }: AccessRecord): void {
    const isPull = what === "blob.get" || what === "manifest.get";
    if (!isPull || method !== "GET" || repository === null || bytes === 0) return;
    const host = this.#hostOf(repository);
    if (host !== none) this.#counts.sent(host, bytes);
  }

  fetching(host: string, change: 1 | -1): void {
    this.#counts.fetching(host, change);
  }

  stale(host: string, ageMs: number | null): void {
    this.#counts.stale(host, ageMs);
  }

  received(host: string, bytes: number): void {
    this.#counts.received(host, bytes);
  }

  mismatch(host: string, digest: string): void {
    this.#counts.mismatch(host);
    this.#bad.set(`${host} ${digest}`, this.#clock.monotonicMs() + badMs);
  }

  isBad(host: string, digest: string): boolean {
    return (this.#bad.get(`${host} ${digest}`) ?? -Infinity) > this.#clock.monotonicMs();
  }

  /** Other upstreams are in force. */
  forget(): void {
    this.#bad.clear();
    this.#hosts.clear();
  }

  #hostOf(repository: string): string {
    const known = this.#hosts.get(repository);
    if (known !== null) return known;
    const host = this.#names.upstreamsOf(repository)[0]?.mirror.upstream.host ?? none;
    this.#hosts.set(repository, host);
    return host;
  }
}
