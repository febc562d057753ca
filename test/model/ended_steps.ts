// Steps of collection, hold, undo and purge that end in their midst, at each call that they make to storage and metadata:
// the process ends before it or after it, and with a disk the power is cut there, too. The next process goes on, and the
// model finds nothing lost and nothing left.

import type { CutDisk, Planted } from "./place.ts";
import { runCourse, type CourseStep } from "./run_course.ts";

type Numbers = CourseStep["numbers"];
const step = (kind: string, ...numbers: number[]): CourseStep => ({
  kind,
  numbers: [...numbers, 0, 0, 0].slice(0, 3) as unknown as Numbers,
  fuse: null,
  happens: true,
});

/** A day for an undo; an index of images and one more image, both with a tag. */
const given = [
  step("change the window", 2),
  step("push image", 0, 4, 5),
  step("push image", 0, 2, 2),
  step("rest"),
];
const hours = step("let time pass", 4);
const deleteTag = step("delete tag", 0, 0);
const deleteIndex = step("delete manifest", 0, 4);

/** What happens before, and the step that ends in its midst. */
export const endedSteps: Readonly<Record<string, readonly [readonly CourseStep[], CourseStep]>> = {
  "a round of collection": [[deleteTag, hours], step("collect")],
  "a round of collection that holds nothing": [
    [step("change the window", 0), deleteTag, hours],
    step("collect"),
  ],
  "a delete that holds an index": [[], deleteIndex],
  "an undo of a delete": [[deleteIndex, hours, step("collect")], step("set a tag back", 0, 4, 5)],
  "an undelete": [[deleteIndex, hours, step("collect")], step("undelete", 0, 11)],
  "an undo of a mishap": [[deleteTag, step("delete tag", 0, 2)], step("undo a mishap", 0, 0, 1)],
  "a purge": [[], step("purge", 0, 11)],
  "a purge of what is held": [[deleteIndex, hours, step("collect")], step("purge", 0, 11)],
  "the end of holds": [
    [step("change the window", 1), deleteIndex, hours, step("collect"), hours],
    step("end holds"),
  ],
  "the sweep and the projection after a purge": [[step("purge", 0, 11)], step("rest")],
  "a run of retention": [[step("change the rules", 1)], step("retain")],
  "a plan that is carried out": [[deleteTag, hours], step("apply a plan")],
  "a walk over files": [[], step("walk")],
};

/** Calls after which a process ends: of a long step every so many. */
const callsMax = 200;
const eachUpTo = 12;
const everySoMany = 5;

export interface EndedOptions {
  /** Null where processes end and the machine goes on. */
  readonly disk?: CutDisk | null;
  readonly planted?: Planted;
  /** The first call, and of all others one in so many. */
  readonly oneIn?: number;
}

export interface EndedResult {
  readonly problems: readonly string[];
  /** How often it ended in the midst of the step. */
  readonly ended: number;
}

/** Carries a step out and ends it at one call after the other, until none is left. */
export async function endAtCalls(
  name: string,
  { disk = null, planted = {}, oneIn = 1 }: EndedOptions = {},
): Promise<EndedResult> {
  const row = endedSteps[name];
  if (row === undefined) throw new Error(`model: no step ${name}`);
  const [before, ending] = row;
  const problems: string[] = [];
  let ended = 0;
  let reached = true;
  const onEnded = (): void => {
    reached = true;
    ended += 1;
  };
  const next = (call: number): number => call + oneIn * (call < eachUpTo ? 1 : everySoMany);
  for (let call = 0; reached && call < callsMax; call = next(call)) {
    reached = false;
    for (const happens of disk === null ? [call % 2 === 0] : [false, true]) {
      const last = { ...ending, fuse: call, happens };
      const steps = [...given, ...before, last, hours, step("collect")];
      const problem = await runCourse(steps, { planted, disk, onEnded });
      if (problem !== null) problems.push(`call ${call}, ${happens}: ${problem}`);
    }
  }
  return { problems, ended };
}
