// What is counted about upstreams, by several processes on one page.

import { describe, expect, test } from "bun:test";
import { manualClock } from "../../../lib/clock.ts";
import { sampledText } from "../../../lib/metrics/exposition.ts";
import type { UpstreamState } from "../upstream/upstream.ts";
import { openCounts, openPrimaryCounts, type MirrorCounts } from "./mirror_counts.ts";

const hub = "docker.io";
const hourMs = 60 * 60_000;
const up: UpstreamState = {
  state: "up",
  sinceMs: null,
  lastError: null,
  budgetLeft: null,
  resetMs: null,
};

function opened() {
  const clock = manualClock(1_700_000_000_000);
  const primary = openPrimaryCounts(null, clock);
  const place = primary.place();
  if (place === null) throw new Error("expected a place");
  return { clock, primary, place, worker: openCounts(place, clock) };
}

function text(counts: MirrorCounts, state: Partial<UpstreamState> = {}): string {
  return counts
    .figures([{ host: hub, state: { ...up, ...state } }])
    .map(({ metric, samples }) => sampledText(metric, samples))
    .join("");
}

describe("figures", () => {
  test("are the sums of all processes, with the upstream as a label", () => {
    const { primary, worker } = opened();
    primary.counts.pulled(hub, "blob", "miss");
    worker.pulled(hub, "blob", "miss");
    worker.received(hub, 40);
    worker.answered(hub, "HEAD", 200, 30);
    worker.answered(hub, "HEAD", 418, 3);
    worker.answered(hub, "GET", null, 90_000);
    const shown = text(primary.counts);
    for (const line of [
      'zot_mirror_requests_total{upstream="docker.io",kind="blob",result="miss"} 2',
      'zot_mirror_bytes_total{upstream="docker.io",direction="received"} 40',
      'zot_mirror_upstream_requests_total{upstream="docker.io",method="HEAD",code="200"} 1',
      'zot_mirror_upstream_requests_total{upstream="docker.io",method="HEAD",code="other"} 1',
      'zot_mirror_upstream_requests_total{upstream="docker.io",method="GET",code="none"} 1',
      'zot_mirror_upstream_seconds_bucket{upstream="docker.io",le="0.05"} 2',
      'zot_mirror_upstream_seconds_bucket{upstream="docker.io",le="+Inf"} 3',
      'zot_mirror_upstream_seconds_count{upstream="docker.io"} 3',
    ]) {
      expect(shown).toContain(`${line}\n`);
    }
  });

  test.each([
    ["up", 1],
    ["limited", 0],
    ["down", 0],
  ] as const)("of an upstream that is %s: %d", (state, value) => {
    const { primary } = opened();
    expect(text(primary.counts, { state })).toContain(
      `zot_mirror_up{upstream="docker.io"} ${value}\n`,
    );
  });

  test("tell the budget where the upstream does", () => {
    const { primary } = opened();
    expect(text(primary.counts)).not.toContain("zot_mirror_ratelimit_remaining{");
    expect(text(primary.counts, { budgetLeft: 7 })).toContain(
      'zot_mirror_ratelimit_remaining{upstream="docker.io"} 7\n',
    );
  });

  test("show configured upstreams alone", () => {
    const { primary } = opened();
    primary.counts.received("gone.example", 1);
    expect(text(primary.counts)).not.toContain("gone.example");
  });

  test("stay when a process ends, but for its downloads", () => {
    const { primary, place, worker } = opened();
    worker.fetching(hub, 1);
    worker.received(hub, 5);
    expect(text(primary.counts)).toContain('zot_mirror_fetches{upstream="docker.io"} 1\n');
    primary.ended(place);
    expect(text(primary.counts)).toContain('zot_mirror_fetches{upstream="docker.io"} 0\n');
    expect(text(primary.counts)).toContain('direction="received"} 5\n');
    expect(primary.place()).toEqual(place);
  });
});

describe("the last day", () => {
  test("counts what was answered from here, of all that was answered", () => {
    const { primary, worker } = opened();
    for (const result of ["hit", "fresh", "stale", "miss", "negative", "refused"] as const) {
      worker.pulled(hub, "manifest", result);
    }
    expect(primary.counts.lastDays().get(hub)).toEqual({ served: 3, pulls: 4, stale: null });
  });

  test("forgets what is older, whoever comes first in an hour", async () => {
    const { clock, primary, worker } = opened();
    worker.pulled(hub, "manifest", "miss");
    await clock.advance(hourMs);
    worker.pulled(hub, "manifest", "hit");
    await clock.advance(23 * hourMs - 1);
    expect(primary.counts.lastDays().get(hub)).toMatchObject({ served: 1, pulls: 2 });
    await clock.advance(hourMs);
    expect(primary.counts.lastDays().get(hub)).toMatchObject({ served: 1, pulls: 1 });
    await clock.advance(60 * hourMs);
    expect(worker.lastDays().get(hub)).toMatchObject({ served: 0, pulls: 0 });
  });

  test("has the oldest stale answer", async () => {
    const { clock, primary, worker } = opened();
    worker.stale(hub, 90_000);
    primary.counts.stale(hub, 30_000);
    const atMs = clock.now();
    expect(worker.lastDays().get(hub)?.stale).toEqual({ ageS: 90, atMs });
    expect(text(worker)).toContain('zot_mirror_stale_seconds_max{upstream="docker.io"} 90\n');
    await clock.advance(25 * hourMs);
    expect(worker.lastDays().get(hub)?.stale).toBeNull();
    worker.stale(hub, 1_000);
    expect(worker.lastDays().get(hub)?.stale?.ageS).toBe(1);
  });
});
