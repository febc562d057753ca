// The long fault tests: `npm run faults [cycles] [suite…]`.
//
// Runs every suite, or those that are named: `killed-workers`, `killed-servers`, `other-tools`, `full-disk`, `kth-call`,
// `power-cut`, `cut-steps`, `killed-steps`.
// `cycles` (50 by default) is the number of kills and cuts; the full disk is met at so many places. The seed
// is printed, and taken from ZOT_SEED when it is set. Ends with 1 when anything was lost, or not caught.

import { cutAtCalls, cutChecks } from "./cut_checks.ts";
import { fillDisk } from "./full_disk.ts";
import { canInject, everyCall, faultAt, type FaultPoint, nameOf } from "./kth_call.ts";
import { killedCalls, killedSteps, killInStep } from "./kth_step.ts";
import { workBeside } from "./other_tools.ts";
import { endAtCalls, endedSteps } from "../model/ended_steps.ts";
import { canCutPower, cutPower, ext4Disk } from "./power_cut.ts";
import { killServers, killWorkers } from "./processes_killed.ts";
import { canMount } from "./small_disk.ts";

interface Plan {
  readonly cycles: number;
  readonly seed: number;
}

/** What a suite says: everything that was wrong, and one line about what it did. */
interface Verdict {
  readonly problems: readonly string[];
  readonly did: string;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const placesPerDisk = 3;
/** No push makes more calls of one kind in one thread. */
const kMax = 60;

const suites: Readonly<Record<string, (plan: Plan) => Promise<Verdict>>> = {
  "killed-workers": async (plan) => {
    const { problems, acknowledged, failures } = await killWorkers(plan);
    return { problems, did: `${acknowledged} acknowledged, ${failures} of unknown outcome` };
  },
  "killed-servers": async (plan) => {
    const { problems, acknowledged, failures } = await killServers(plan);
    return { problems, did: `${acknowledged} acknowledged, ${failures} of unknown outcome` };
  },
  "other-tools": async (plan) => {
    const { problems, acknowledged, staleWrites } = await workBeside(plan);
    return { problems, did: `${acknowledged} acknowledged, ${staleWrites} old copies` };
  },
  "full-disk": async ({ cycles }) => {
    if (!(await canMount())) return { problems: [], did: "skipped" };
    const step = (4 * mebibyte) / cycles;
    const places = Array.from({ length: cycles }, (_, index) => Math.round(index * step));
    const problems: string[] = [];
    // A disk each for a few: what is pushed stays.
    for (let from = 0; from < cycles; from += placesPerDisk) {
      const leaveBytes = places.slice(from, from + placesPerDisk);
      problems.push(...(await fillDisk({ leaveBytes })));
    }
    return { problems, did: `${cycles} places of the full disk` };
  },
  "kth-call": kthCalls,
  "power-cut": async (plan) => {
    if (!(await canCutPower())) return { problems: [], did: "skipped" };
    const { problems, acknowledged } = await cutPower(plan);
    const caught = await cutPower({ ...plan, cycles: 3, planted: "never-flushes" });
    const missed = caught.problems.length === 0 ? ["the planted bug was not caught"] : [];
    return { problems: [...problems, ...missed], did: `${acknowledged} acknowledged` };
  },
  "cut-steps": cutSteps,
  "killed-steps": killedAtCalls,
};

/** A serving process that is killed at every call of the same steps. */
async function killedAtCalls(): Promise<Verdict> {
  if (!canInject()) return { problems: [], did: "skipped" };
  const problems: string[] = [];
  let kills = 0;
  for (const name of Object.keys(killedSteps)) {
    for (const call of killedCalls) {
      for (let k = 1, hit = true; hit && k <= kMax; k += 1) {
        const result = await killInStep(name, { call, k });
        hit = result.hit;
        if (hit) kills += 1;
        problems.push(...result.problems.map((problem) => `${name}, ${call} ${k}: ${problem}`));
      }
    }
  }
  return { problems, did: `${kills} kills` };
}

/** Power cuts at every call of collection, holds, undo, purge and checks. */
async function cutSteps(): Promise<Verdict> {
  if (!(await canCutPower())) return { problems: [], did: "skipped" };
  await using disk = await ext4Disk();
  const problems: string[] = [];
  let cuts = 0;
  for (const name of Object.keys(endedSteps)) {
    const found = await endAtCalls(name, { disk });
    problems.push(...found.problems.map((problem) => `${name}, ${problem}`));
    cuts += found.ended;
  }
  for (const name of Object.keys(cutChecks)) {
    const found = await cutAtCalls(name, { disk });
    problems.push(...found.problems.map((problem) => `${name}, ${problem}`));
    cuts += found.ended;
  }
  return { problems, did: `${cuts} cuts` };
}

/** Every kind of call at every k, until nothing reaches it any more. */
async function kthCalls(): Promise<Verdict> {
  if (!canInject()) return { problems: [], did: "skipped" };
  const problems: string[] = [];
  let hits = 0;
  const tried = async (point: FaultPoint): Promise<boolean> => {
    const result = await faultAt(point);
    problems.push(...result.problems.map((problem) => `${nameOf(point)}: ${problem}`));
    if (result.hit) hits += 1;
    return result.hit;
  };
  for (const fault of ["kill", "EIO", "ENOSPC"] as const) {
    for (const call of everyCall) {
      for (const warm of [true, false]) {
        const known = warm ? ({ warm } as const) : {};
        for (let k = 1; k <= kMax; k += 1) {
          if (!(await tried({ call, fault, k, ...known }))) break;
        }
      }
    }
    for (const call of ["pwrite64", "fsync"]) {
      await tried({ call, fault, k: 1, on: "facts" });
      await tried({ call, fault, k: "1+", on: "facts", from: "manifest" });
    }
  }
  return { problems, did: `${hits} points` };
}

async function main(): Promise<number> {
  const [cyclesText = "50", ...names] = process.argv.slice(2);
  const cycles = Number(cyclesText);
  const unknown = names.filter((name) => suites[name] === undefined);
  if (!Number.isSafeInteger(cycles) || cycles < 1 || unknown.length > 0) {
    console.error(
      `faults: expected [cycles] [suite…], suites are ${Object.keys(suites).join(", ")}`,
    );
    return 2;
  }
  const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
  console.log(`faults: ${cycles} cycles, ZOT_SEED=${seed}`);
  let wrong = 0;
  for (const [name, suite] of Object.entries(suites)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const startedMs = performance.now();
    const { problems, did } = await suite({ cycles, seed });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${name}: ${did}, ${problems.length} problems, ${seconds} s`);
    for (const problem of problems) console.log(`  ${problem}`);
    wrong += problems.length;
  }
  return wrong === 0 ? 0 : 1;
}

process.exit(await main());
