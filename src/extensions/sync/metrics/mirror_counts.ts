/**
 * What the processes of a server count about its upstreams, on a page that they share; `table.ts` says what it means.
 *
 * An upstream has a name on the page. What a process counted stays when it ends. Every hour whoever comes first notes
 * how far the counts are, so that the last day can be told from what was before.
 */
import type { Clock } from "../../../lib/clock.ts";
import { seriesSamples, type LabelPairs, type Sample } from "../../../lib/metrics/exposition.ts";
import { placeMetrics, type PlacedMetric } from "../../../lib/metrics/metric.ts";
import {
  MetricPage,
  pageBytes,
  type MetricRegion,
  type PageShape,
} from "../../../lib/metrics/metric_page.ts";
import { openSharedPage, type PageAt } from "../../../lib/shared_page.ts";
import { claimFile } from "../../../storage/root_lock.ts";
import type { Figures } from "../../extension.ts";
import type { UpstreamState } from "../upstream/upstream.ts";
import {
  answeredCodes,
  kinds,
  results,
  stateMetrics,
  upstreamMetrics,
  type PullKind,
  type PullResult,
} from "./table.ts";

/** Upstreams with counts of their own; further ones are counted together, and not shown. */
const upstreamsMax = 32;
/** Processes that count at a time; a worker beyond them is not counted. */
const regionsMax = 66;
const hourMs = 60 * 60_000;
const hours = 24;

const { placed, slots } = placeMetrics(upstreamMetrics);
/** Looked up once: these are on the way of every pull. */
const requestSlots = Object.fromEntries(
  kinds.map((kind) => [
    kind,
    Object.fromEntries(results.map((result) => [result, placed.requests.of(kind, result)])),
  ]),
) as Record<PullKind, Record<PullResult, number>>;
const bytesSlots = { received: placed.bytes.of("received"), sent: placed.bytes.of("sent") };
/** Behind the counts of an upstream: its oldest stale answer, and the counts at each hour of the last day. */
const staleAgeSlot = slots;
const staleAtSlot = slots + 1;
const hourSlots = slots + 2;
const shape: PageShape = {
  regions: regionsMax,
  // The hour that was noted last.
  slots: 1,
  namesMax: upstreamsMax,
  slotsPerName: hourSlots + 2 * (hours + 1),
};
const hourSlot = 0;
/** What the server as a whole notes lies where the primary counts. */
const sharedRegion = 0;

export interface CountsPlace {
  readonly page: PageAt;
  readonly region: number;
}

/** An upstream in the last day. */
export interface LastDay {
  /** Pulls that were answered from here, and all that were answered. */
  readonly served: number;
  readonly pulls: number;
  /** Age of the oldest stale answer in seconds, and when it was given; null where there was none. */
  readonly stale: { readonly ageS: number; readonly atMs: number } | null;
}

export interface PrimaryCounts {
  readonly counts: MirrorCounts;
  /** A place for a worker; null when all are held. */
  place(): CountsPlace | null;
  /** The worker that held it is gone. */
  ended(place: CountsPlace): void;
  close(): void;
}

/** Makes the page of a server; without a root directory there is one process, and its page is memory. */
export function openPrimaryCounts(rootDirectory: string | null, clock: Clock): PrimaryCounts {
  const claim = rootDirectory === null ? null : claimFile(rootDirectory, "mirrors");
  const page = claim?.path ?? new Int32Array(pageBytes(shape) / 4);
  const free = Array.from({ length: regionsMax - 1 }, (_, at) => at + 1);
  const counts = openCounts({ page, region: sharedRegion }, clock);
  return {
    counts,
    place: () => {
      const region = free.shift();
      return region === undefined ? null : { page, region };
    },
    ended: ({ region }) => {
      counts.ended(region);
      free.unshift(region);
    },
    close: () => claim?.release(),
  };
}

/** Begins to count at a place. */
export function openCounts({ page: at, region }: CountsPlace, clock: Clock): MirrorCounts {
  const numbers = openSharedPage(at, new Int32Array(pageBytes(shape) / 4));
  const bytes = new Uint8Array(
    // A mapped page is no buffer that threads of this process share.
    numbers.buffer as ArrayBuffer,
    numbers.byteOffset,
    numbers.byteLength,
  );
  return new MirrorCounts(new MetricPage(bytes, shape), region, clock);
}

export class MirrorCounts {
  readonly #page: MetricPage;
  readonly #region: MetricRegion;
  readonly #shared: MetricRegion;
  readonly #clock: Clock;
  #hour = 0;

  constructor(page: MetricPage, region: number, clock: Clock) {
    this.#page = page;
    this.#clock = clock;
    const holder = { process: process.pid, startedAt: clock.now(), role: region };
    this.#region = page.hold({ region, ...holder });
    this.#shared = page.region(sharedRegion);
  }

  /** A pull was answered. */
  pulled(host: string, kind: PullKind, result: PullResult): void {
    this.#turn();
    this.#add(host, requestSlots[kind][result]);
  }

  /** An answer was served without its upstream, so long after its last check. */
  stale(host: string, ageMs: number | null): void {
    const name = this.#shared.nameOf(host, true);
    const ageS = Math.floor((ageMs ?? 0) / 1000);
    const known = this.#shared.getNamed(name, staleAgeSlot);
    const isOver = this.#shared.getNamed(name, staleAtSlot) < this.#clock.now() - hours * hourMs;
    if (ageS < known && !isOver) return;
    this.#shared.setNamed(name, staleAgeSlot, ageS);
    this.#shared.setNamed(name, staleAtSlot, this.#clock.now());
  }

  received(host: string, bytes: number): void {
    this.#add(host, bytesSlots.received, bytes);
  }

  sent(host: string, bytes: number): void {
    this.#add(host, bytesSlots.sent, bytes);
  }

  mismatch(host: string): void {
    this.#add(host, placed.mismatches.at());
  }

  evicted(host: string, bytes: number): void {
    this.#add(host, placed.evictedBytes.at(), bytes);
  }

  /** A download begins (1) or ends (-1) in this process. */
  fetching(host: string, change: 1 | -1): void {
    this.#add(host, placed.fetches.at(), change);
  }

  /** The upstream answered, or did not (null). */
  answered(host: string, method: string, status: number | null, ms: number): void {
    const { upstreamRequests, upstreamSeconds } = placed;
    const asked = method === "HEAD" ? "HEAD" : "GET";
    this.#add(host, upstreamRequests.of(asked, codeOf(status)));
    const buckets = upstreamMetrics.upstreamSeconds.buckets;
    const seconds = ms / 1000;
    const bucket = buckets.findIndex((bound) => seconds <= bound);
    this.#add(host, upstreamSeconds.at() + (bucket === -1 ? buckets.length : bucket));
    this.#add(host, upstreamSeconds.at() + buckets.length + 1, seconds);
  }

  /** The process that counted in a region is gone, and its downloads with it. */
  ended(region: number): void {
    this.#page.release(region);
    const its = this.#page.region(region);
    for (let name = 0; name < upstreamsMax; name += 1) its.setNamed(name, placed.fetches.at(), 0);
  }

  /** Each upstream's last day, by its host. */
  lastDays(): ReadonlyMap<string, LastDay> {
    this.#turn();
    const sums = [...this.#page.namedSums()];
    return new Map(
      sums.flatMap(([host, numbers]) => (host === null ? [] : [[host, this.#lastDay(numbers)]])),
    );
  }

  /** For the metrics page. `states` are the upstreams that are configured. */
  figures(
    states: readonly { readonly host: string; readonly state: UpstreamState }[],
  ): readonly Figures[] {
    const configured = new Set(states.map(({ host }) => host));
    const named = [...this.#page.namedSums()].filter(([host]) => configured.has(host ?? ""));
    const days = this.lastDays();
    const labels = (host: string) => [["upstream", host]] as const;
    const counted = Object.values(placed).map((each) => ({
      metric: each.metric,
      samples: named.flatMap(([host, numbers]) => samplesOf(each, labels(host ?? ""), numbers)),
    }));
    return [
      ...counted,
      {
        metric: stateMetrics.up,
        samples: states.map(({ host, state }) => ({
          labels: labels(host),
          value: state.state === "up" ? 1 : 0,
        })),
      },
      {
        metric: stateMetrics.budget,
        samples: states.flatMap(({ host, state: { budgetLeft } }) =>
          budgetLeft === null ? [] : [{ labels: labels(host), value: budgetLeft }],
        ),
      },
      {
        metric: stateMetrics.stale,
        samples: states.map(({ host }) => ({
          labels: labels(host),
          value: days.get(host)?.stale?.ageS ?? 0,
        })),
      },
    ];
  }

  #add(host: string, slot: number, amount = 1): void {
    this.#region.addNamed(this.#region.nameOf(host, true), slot, amount);
  }

  /** In a new hour: notes how far the counts of each upstream are. Several processes may do so at once, and note the same. */
  #turn(): void {
    const hour = Math.floor(this.#clock.now() / hourMs);
    if (hour === this.#hour) return;
    this.#hour = hour;
    const noted = this.#shared.get(hourSlot);
    if (noted === hour) return;
    this.#shared.set(hourSlot, hour);
    // Nobody counted in the hours between; of those before the first one there is nothing to note.
    const first = noted === 0 || noted > hour ? hour : Math.max(noted + 1, hour - hours);
    for (const [host, numbers] of this.#page.namedSums()) {
      if (host === null) continue;
      const name = this.#shared.nameOf(host, true);
      const { served, pulls } = totals(numbers);
      for (let at = first; at <= hour; at += 1) {
        this.#shared.setNamed(name, ringSlot(at), served);
        this.#shared.setNamed(name, ringSlot(at) + 1, pulls);
      }
    }
  }

  #lastDay(numbers: Float64Array): LastDay {
    const before = ringSlot(Math.floor(this.#clock.now() / hourMs) - hours);
    const { served, pulls } = totals(numbers);
    const atMs = numbers[staleAtSlot] ?? 0;
    const isOver = atMs < this.#clock.now() - hours * hourMs;
    return {
      served: Math.max(0, served - (numbers[before] ?? 0)),
      pulls: Math.max(0, pulls - (numbers[before + 1] ?? 0)),
      stale: isOver ? null : { ageS: numbers[staleAgeSlot] ?? 0, atMs },
    };
  }
}

function samplesOf(counted: PlacedMetric, upstream: LabelPairs, numbers: Float64Array): Sample[] {
  const { metric, width } = counted;
  let slot = counted.at();
  return [...counted.labelled()].flatMap((labels) => {
    const series = numbers.subarray(slot, slot + width);
    slot += width;
    const isShown = metric.sparse !== true || series.some((number) => number !== 0);
    return isShown ? seriesSamples(metric, [...upstream, ...labels], series) : [];
  });
}

function ringSlot(hour: number): number {
  return hourSlots + 2 * (hour % (hours + 1));
}

/** Pulls that were answered from here, and all that were answered. */
function totals(numbers: Float64Array): { served: number; pulls: number } {
  const { requests } = placed;
  let [served, pulls] = [0, 0];
  for (const kind of kinds) {
    for (const result of ["hit", "fresh", "stale", "miss"] as const) {
      const count = numbers[requests.of(kind, result)] ?? 0;
      pulls += count;
      if (result !== "miss") served += count;
    }
  }
  return { served, pulls };
}

function codeOf(status: number | null): string {
  if (status === null) return "none";
  const code = String(status);
  return answeredCodes.some((each) => each === code) ? code : "other";
}
