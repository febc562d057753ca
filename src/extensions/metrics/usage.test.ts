// Measuring: sums that agree with the facts, in slices, and pauses that keep it cheap.

import { expect, test } from "bun:test";
import { JobLoop } from "../../jobs/job_loop.ts";
import { manualClock, type Clock } from "../../lib/clock.ts";
import type { Holding, Metadata } from "../../metadata/metadata.ts";
import { digestOf } from "../../oci/digest.ts";
import type { Registry } from "../../registry/registry.ts";
import { measureUsageJob, type Usage } from "./usage.ts";

const held = (repository: string, name: string, sizeBytes: number): Holding => ({
  repository,
  digest: digestOf("sha256", Buffer.from(name)),
  sizeBytes,
});

/** A store that holds these, one to a slice whatever is asked; `onSlice` hears of each. */
function holding(blobs: Holding[], manifests: Holding[], onSlice: () => void = () => {}): Metadata {
  const sorted = {
    blob: blobs.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
    manifest: manifests,
  };
  const holdings: Metadata["holdings"] = async (kind, after) => {
    onSlice();
    const at = Number(after ?? 0);
    const items = sorted[kind].slice(at, at + 1);
    return { items, next: at + 1 < sorted[kind].length ? String(at + 1) : null };
  };
  return { holdings } as Metadata;
}

/** The job alone in a loop of its own. */
function startMeter(options: {
  readonly metadata: Metadata;
  readonly clock: Clock;
  readonly onUsage: (usage: Usage) => void;
  readonly onProblem: (error: unknown) => void;
}): JobLoop<Registry> {
  const { clock, onUsage, onProblem } = options;
  const job = measureUsageJob(options, onUsage, (_level, _message, fields) => {
    onProblem((fields as { error: string }).error);
  });
  const never = (): never => {
    throw new Error("nothing of it is heavy, and it needs no lease");
  };
  const loop = new JobLoop<Registry>({
    jobs: [job],
    heavy: { run: never, close: never },
    leases: { take: never },
    clock,
    report: never,
  });
  loop.start();
  return loop;
}

async function runUntil(done: () => boolean, clock: ReturnType<typeof manualClock>) {
  for (let times = 0; !done() && times < 1_000; times += 1) await clock.advance(1);
  expect(done()).toBe(true);
}

test("blobs count once for all and in each repository; manifests in each", async () => {
  const clock = manualClock();
  const found: Usage[] = [];
  const metadata = holding(
    [held("a", "x", 100), held("b", "x", 100), held("b", "y", 7)],
    [held("a", "m", 10), held("b", "m", 10)],
  );
  const onUsage = (usage: Usage): void => void found.push(usage);
  const meter = startMeter({ metadata, clock, onUsage, onProblem: () => {} });
  await runUntil(() => found.length === 1, clock);
  await meter.stop();
  expect(found[0]?.contentBytes).toBe(127);
  expect(Object.fromEntries(found[0]?.repositories ?? [])).toEqual({ a: 110, b: 117 });
});

test("the first push is measured within two seconds, pushes that follow each other together", async () => {
  const clock = manualClock();
  const blobs: Holding[] = [];
  const found: number[] = [];
  const onUsage = ({ contentBytes }: Usage): void => void found.push(contentBytes);
  const meter = startMeter({
    metadata: { holdings: (...asked) => holding(blobs, []).holdings(...asked) } as Metadata,
    clock,
    onUsage,
    onProblem: () => {},
  });
  await clock.advance(30_000);
  expect(found).toEqual([0]);
  blobs.push(held("a", "x", 100));
  meter.kick();
  await clock.advance(100);
  expect(found).toEqual([0, 100]);
  for (let at = 0; at < 20; at += 1) {
    blobs.push(held("a", String(at), 1));
    meter.kick();
    await clock.advance(10);
  }
  await clock.advance(1_100);
  expect(found).toEqual([0, 100, 120]);
  await clock.advance(50_000);
  expect(found).toHaveLength(3);
  await clock.advance(15_000);
  expect(found).toHaveLength(4);
  await meter.stop();
});

test("a long measurement is followed by a pause a hundred times as long", async () => {
  const clock = manualClock();
  let slices = 0;
  const many = Array.from({ length: 2_000 }, (_, at) => held("a", String(at), 1));
  const metadata = holding(many, [], () => void (slices += 1));
  let measured = 0;
  const onUsage = (): void => void (measured += 1);
  const meter = startMeter({ metadata, clock, onUsage, onProblem: () => {} });
  await clock.advance(2_001);
  expect([measured, slices]).toEqual([1, 2_001]);
  await clock.advance(199_000);
  expect(measured).toBe(1);
  await clock.advance(4_000);
  expect(measured).toBe(2);
  await meter.stop();
});

test("one that fails is told of and comes again; a stop ends one between two slices", async () => {
  const clock = manualClock();
  let fails = true;
  const problems: unknown[] = [];
  const many = Array.from({ length: 1_000 }, (_, at) => held("a", String(at), 1));
  const metadata = holding(many, [], () => {
    if (fails) throw new Error("locked");
  });
  let measured = 0;
  const meter = startMeter({
    metadata,
    clock,
    onUsage: () => void (measured += 1),
    onProblem: (error) => void problems.push(error),
  });
  await clock.advance(1);
  expect(problems.map(String)).toEqual(["Error: locked"]);
  fails = false;
  await clock.advance(60_000);
  await clock.advance(500);
  await meter.stop();
  expect([measured, problems.length]).toEqual([0, 1]);
});
