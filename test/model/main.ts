// The long run of the model: `npm run model [steps] [seed]`.
//
// Runs courses of 250 steps each until so many steps were done (100,000 by default). The seed is printed; a course that
// fails is made short and printed, and is run again alone with `npm run model 250 <its seed>`.

import { courseOf, runCourse, shortened } from "./run_course.ts";

const courseLength = 250;

async function main(): Promise<number> {
  const [stepsText = "100000", seedText = String(Date.now() % 1_000_000)] = process.argv.slice(2);
  const [count, first] = [Number(stepsText), Number(seedText)];
  if (![count, first].every(Number.isSafeInteger) || count < 1) {
    console.error("model: expected [steps] [seed], both whole numbers");
    return 2;
  }
  console.log(`model: ${count} steps from seed ${first}`);
  const startedMs = performance.now();
  let failed = 0;
  for (let done = 0, seed = first; done < count; done += courseLength, seed += 1) {
    const steps = courseOf(seed, Math.min(courseLength, count - done));
    const problem = await runCourse(steps);
    if (problem === null) continue;
    failed += 1;
    console.log(`seed ${seed}: ${problem}`);
    if (failed > 3) break;
    for (const step of await shortened(steps, problem)) console.log(`  ${JSON.stringify(step)}`);
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`model: ${count} steps, ${failed} courses failed, ${seconds} s`);
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
