// Pushes, moves, deletes, undo, collection and crashes against a model, in short; `npm run model` has the long version.

import { describe, expect, test } from "bun:test";
import { plantedBugs } from "./planted.ts";
import { courseOf, runCourse } from "./run_course.ts";

const length = 150;
/** Courses of every run; another seed makes others. */
const courses = 6;
const first = Number(process.env["ZOT_SEED"] ?? 1);

describe("the registry and the model agree", () => {
  for (let seed = first; seed < first + courses; seed += 1) {
    test(`course ${seed}`, async () => {
      expect(await runCourse(courseOf(seed, length))).toBeNull();
    });
  }
});

describe("a planted bug is seen", () => {
  const triesMax = 12;
  for (const [name, { planted, says }] of Object.entries(plantedBugs)) {
    test(name, async () => {
      let seen: string | null = null;
      for (let seed = 1; seed <= triesMax && seen === null; seed += 1) {
        seen = await runCourse(courseOf(seed, length), { planted });
      }
      expect(seen).toMatch(says);
    });
  }
});
