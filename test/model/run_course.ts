// Runs a course from its seed, and makes a failing one short enough to be read.

import { randomOf } from "../faults/load.ts";
import { filesOf } from "../registry/world.ts";
import { repositories } from "./content.ts";
import { Course, Difference, expect, expectEqual } from "./course.ts";
import { isRefusal, kinds } from "./operations.ts";
import { Ended, type Place, type PlaceOptions } from "./place.ts";
import { ruleSets } from "./rules.ts";
import { leftIn } from "./left_in.ts";

export interface CourseStep {
  readonly kind: string;
  readonly numbers: readonly [number, number, number];
  /** Calls after which the process ends; null for a step that is done. */
  readonly fuse: number | null;
  /** Whether the last call still happens. */
  readonly happens: boolean;
}

/** One of so many steps ends the process. */
const endsOneOf = 15;
const fuseMax = 40;
const numberMax = 1 << 20;

export function courseOf(seed: number, length: number): CourseStep[] {
  const random = randomOf(seed);
  const weighted = Object.entries(kinds).flatMap(([kind, { weight }]) =>
    Array.from({ length: weight }, () => kind),
  );
  return Array.from({ length }, () => ({
    kind: weighted[random(weighted.length)] ?? "rest",
    numbers: [random(numberMax), random(numberMax), random(numberMax)],
    fuse: random(endsOneOf) === 0 ? random(fuseMax) : null,
    happens: random(2) === 0,
  }));
}

export interface RunOptions extends PlaceOptions {
  /** Hears of ended processes. */
  readonly onEnded?: () => void;
}

/** Null when the registry and the model agree to the end; otherwise the first difference. */
export async function runCourse(
  steps: readonly CourseStep[],
  { onEnded = () => undefined, ...options }: RunOptions = {},
): Promise<string | null> {
  await using course = await Course.open(options);
  let at = 0;
  try {
    for (; at < steps.length; at += 1) {
      if (await runStep(course, steps[at] as CourseStep, at)) onEnded();
    }
    await finish(course);
    return null;
  } catch (error) {
    const where = at < steps.length ? `step ${at}, ${steps[at]?.kind}` : "the end";
    const what = error instanceof Difference ? error.message : (error as Error).stack;
    return `${where}: ${what}`;
  }
}

/** Steps after which everything is pulled, too. */
const pullsEvery = 16;

/** True when the process ended in its midst. */
async function runStep(course: Course, step: CourseStep, at: number): Promise<boolean> {
  const { place } = course;
  if (at % 8 === 0) course.remember();
  await course.pass(1);
  const kind = kinds[step.kind];
  if (kind === undefined) throw new Error(`model: no step ${step.kind}`);
  const { may, run, refused = false, after } = await kind.act(course, step.numbers);
  Object.assign(place.fuse, { left: step.fuse, happens: step.happens });
  const outcome = await carryOut(run, place);
  const ended = place.fuse.ended || outcome.kind === "ended";
  place.fuse.left = null;
  if (ended) {
    expectEqual("what is wrong on the disk", await place.restart(), []);
    course.wasRestarted();
  } else if (outcome.kind === "refused") {
    expect(`${step.kind} is carried out: ${outcome.error.message}`, refused !== false);
  } else expect(`${step.kind} is refused`, refused !== true);
  const done = !ended && outcome.kind === "done";
  for (const repository of repositories) {
    const intent = may.get(repository) ?? {};
    const isRefused = !ended && outcome.kind === "refused";
    await course.learn(repository, isRefused ? {} : intent, done);
    if (ended || at % pullsEvery === 0) await course.pullAll(repository);
  }
  if (done) await after?.(outcome.result);
  if (ended) place.errors.length = 0;
  expectEqual("errors that were reported", place.errors, []);
  return ended;
}

type Outcome =
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "refused"; readonly error: Error }
  | { readonly kind: "ended" };

async function carryOut(run: () => Promise<unknown>, { fuse }: Place): Promise<Outcome> {
  try {
    return { kind: "done", result: await run() };
  } catch (error) {
    if (error instanceof Ended || fuse.ended) return { kind: "ended" };
    if (isRefusal(error)) return { kind: "refused", error: error as Error };
    throw error;
  }
}

const dayMs = 24 * 60 * 60_000;

/** Nothing is wanted any more: after all delays nothing is left. */
async function finish(course: Course): Promise<void> {
  const { place } = course;
  for (const repository of repositories) await course.pullAll(repository);
  course.setRules(ruleSets.at(-1)!);
  const { metadata, uploads } = place.observed;
  for (const [repository, { tags }] of course.models) {
    const changes = [...tags.keys()].map((tag) => ({ kind: "remove-tag", tag }) as const);
    await metadata.commit({ repository, preconditions: [], changes, by: null });
  }
  // Pins, windows, and what two walks have to find.
  for (let week = 0; week < 4; week += 1) {
    await course.pass(8 * dayMs);
    await uploads.expire(place.clock.now(), dayMs);
    for (let turns = 0; turns < 3; turns += 1) {
      await place.retain();
      await place.collect();
      await place.endHolds();
      await place.walk();
      await place.rest();
      await course.pass(4_000);
    }
  }
  expectEqual("errors that were reported", place.errors, []);
  expectEqual("files that are left", await filesOf(place), []);
  expectEqual("rows that are left", leftIn(place.root), []);
}

/** How long a failing course is made shorter. */
const shorteningMs = 60_000;

/** As few steps as fail in the same way, as far as there is time for it. */
export async function shortened(
  steps: readonly CourseStep[],
  found: string,
  options: PlaceOptions = {},
): Promise<readonly CourseStep[]> {
  const problem = (text: string | null): string =>
    (text ?? "").replace(/^[^:]*: /, "").slice(0, 20);
  const same = problem(found);
  const failing = Number(/^step (\d+)/.exec(found)?.[1] ?? steps.length);
  const until = performance.now() + shorteningMs;
  let left = steps.slice(0, failing + 1);
  for (
    let size = Math.ceil(left.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < left.length && performance.now() < until;) {
      const fewer = left.toSpliced(from, size);
      if (problem(await runCourse(fewer, options)) === same) left = fewer;
      else from += size;
    }
  }
  return left;
}
