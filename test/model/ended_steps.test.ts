// The process ends at each call that collection, a hold, an undo, a purge and their jobs make to storage and metadata:
// before it, and after it. The next process goes on, and the model finds nothing lost and nothing left.

import { expect, test } from "bun:test";
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

/** What happens before, and the step in which the process ends. */
const rows: Readonly<Record<string, readonly [readonly CourseStep[], CourseStep]>> = {
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

const timeoutMs = 120_000;
/** Calls after which a process ends: of a long step every so many. */
const callsMax = 200;

for (const [name, [before, ending]] of Object.entries(rows)) {
  test(
    name,
    async () => {
      let ended = 0;
      for (let call = 0, reached = true; reached && call < callsMax; call += call < 12 ? 1 : 5) {
        reached = false;
        const last = { ...ending, fuse: call, happens: call % 2 === 0 };
        const problem = await runCourse(
          [...given, ...before, last, hours, step("collect")],
          {},
          () => {
            reached = true;
            ended += 1;
          },
        );
        expect([call, problem]).toEqual([call, null]);
      }
      expect(ended).toBeGreaterThan(0);
    },
    timeoutMs,
  );
}
