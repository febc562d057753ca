// Power cuts in the midst of a round of checks (mark, move away, heal) and of a push that heals, at each call that they
// make to storage and metadata. Whatever was cut, the next round ends as one that nobody disturbs, what was damaged is
// kept once, with the bytes that the disk had, and a push heals all of it.

import { mkdirSync, renameSync } from "node:fs";
import { copyFile, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import type { LayoutRegistry } from "../../src/registry/registry.ts";
import { blobKey, damagedDirectory } from "../../src/storage/layout.ts";
import { sample } from "../contracts/store_samples.ts";
import type { EndedOptions, EndedResult } from "../model/ended_steps.ts";
import { Place, type CutDisk } from "../model/place.ts";
import { damagedOf, scrubOnce } from "../registry/scrubbing.ts";
import { changedCommits, pushBlob } from "../registry/world.ts";

const bytes = sample(40_000);
const digest = digestOf("sha256", bytes);
const wrong = sample(40_000, 7);
const repositories = ["a", "b"] as const;

interface Row {
  /** Done to what was pushed. */
  readonly damage: (place: Place) => Promise<void>;
  /** Whether a round comes before the step that is cut off. */
  readonly isFound: boolean;
  readonly act: (place: Place) => Promise<unknown>;
  /** What is there afterwards, as of a step that nobody disturbs. */
  readonly leaves: string;
}

const pathIn = ({ root }: Place, at: string): string => join(root, blobKey(at, digest));

/** Reaches the disk, as the damage of a disk does. */
async function write(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, "r+");
  await file.truncate(0);
  await file.writeFile(content);
  await file.sync();
  await file.close();
}

const spoil = (place: Place): Promise<void> => write(pathIn(place, "a"), wrong);
const empty = (place: Place): Promise<void> => write(pathIn(place, "a"), new Uint8Array());

async function spoilOneOfTwo(place: Place): Promise<void> {
  const path = pathIn(place, "b");
  await copyFile(path, `${path}.copy`);
  await rename(`${path}.copy`, path);
  const file = await open(path, "r+");
  await file.sync();
  await file.close();
  await spoil(place);
}

async function removeAll(place: Place): Promise<void> {
  for (const at of repositories) {
    await rm(pathIn(place, at));
    const directory = await open(dirname(pathIn(place, at)), "r");
    await directory.sync();
    await directory.close();
  }
}

const pushAgain = async (place: Place): Promise<unknown> => pushBlob(place, bytes, "a");
const check = async (place: Place): Promise<unknown> => scrubOnce(place);

const healed = "[], kept: wrong, right and right";
export const cutChecks: Readonly<Record<string, Row>> = {
  "a round that finds two names of one file": {
    damage: spoil,
    isFound: false,
    act: check,
    leaves: "[a wrong, moved; b wrong, moved], kept: wrong, nothing and nothing",
  },
  "a round that heals from another copy": {
    damage: spoilOneOfTwo,
    isFound: false,
    act: check,
    leaves: healed,
  },
  "a round that finds a file gone": {
    damage: removeAll,
    isFound: false,
    act: check,
    leaves: "[a missing; b missing], kept: nothing, nothing and nothing",
  },
  "a round that finds an empty file": {
    damage: empty,
    isFound: false,
    act: check,
    leaves: "[a size, moved; b size, moved], kept: empty, nothing and nothing",
  },
  "a push that heals": { damage: spoil, isFound: true, act: pushAgain, leaves: healed },
};

/** The file is moved away before anything says so. */
export const quarantinesUnmarked = {
  registry: (registry: LayoutRegistry, root: string): LayoutRegistry =>
    changedCommits(registry, async (commit, commits) => {
      if (!("repository" in commit)) return commits(commit);
      const [mark] = commit.changes;
      if (mark?.kind !== "mark-damaged" || mark.stamp === null) return commits(commit);
      const name = `${digest}.${new Date(registry.clock.now()).toISOString()}`;
      const from = join(root, blobKey(commit.repository, digest));
      mkdirSync(join(root, damagedDirectory), { recursive: true });
      renameSync(from, join(root, damagedDirectory, name));
      return commits({ ...commit, preconditions: [{ kind: "known", digest }] });
    }),
} as const;

/** Carries a step out and cuts the power at one call after the other, until none is left. */
export async function cutAtCalls(
  name: string,
  { disk, planted = {}, oneIn = 1 }: EndedOptions & { readonly disk: CutDisk },
): Promise<EndedResult> {
  const row = cutChecks[name];
  if (row === undefined) throw new Error(`no step ${name}`);
  const problems: string[] = [];
  let ended = 0;
  for (let call = 0, reached = true; reached; call += oneIn) {
    for (const happens of [false, true]) {
      await using place = await Place.open({ planted, disk });
      const { isCut, problem } = await cutOnce(place, row, { left: call, happens });
      reached = isCut;
      if (isCut) ended += 1;
      if (problem !== null) problems.push(`call ${call}, ${happens}: ${problem}`);
    }
  }
  return { problems, ended };
}

async function cutOnce(
  place: Place,
  { damage, isFound, act, leaves }: Row,
  cut: { readonly left: number; readonly happens: boolean },
): Promise<{ readonly isCut: boolean; readonly problem: string | null }> {
  for (const at of repositories) await pushBlob(place, bytes, at);
  await place.rest();
  await damage(place);
  if (isFound) await scrubOnce(place);
  Object.assign(place.fuse, cut);
  await act(place).catch(() => undefined);
  const isCut = place.fuse.ended;
  place.fuse.left = null;
  // What is damaged is wrong on the disk, of course.
  if (isCut) await place.restart();
  await act(place);
  const left = await outcomeOf(place);
  if (left !== leaves) return { isCut, problem: `it leaves ${left}, not ${leaves}` };
  await pushAgain(place);
  const after = await outcomeOf(place);
  const isHealed = after.startsWith("[]") && after.endsWith("right and right");
  return { isCut, problem: isHealed ? null : `a push leaves ${after}` };
}

/** Marks, what is in quarantine, and what lies in the repositories, as a line. */
async function outcomeOf(place: Place): Promise<string> {
  const marks = (await damagedOf(place)).map(({ repository, how, stamp, kept }) =>
    [
      `${repository} ${how}`,
      ...(kept === null ? [] : ["moved"]),
      ...(stamp === null ? [] : ["here"]),
    ].join(", "),
  );
  const quarantine = join(place.root, damagedDirectory);
  const names = await readdir(quarantine).catch(() => []);
  const kept = await Promise.all(names.map((name) => nameOf(join(quarantine, name))));
  const there = await Promise.all(repositories.map((at) => nameOf(pathIn(place, at))));
  return `[${marks.join("; ")}], kept: ${kept.join() || "nothing"}, ${there.join(" and ")}`;
}

/** What is in a file. */
async function nameOf(path: string): Promise<string> {
  const content = await readFile(path).catch(() => null);
  if (content === null) return "nothing";
  if (content.length === 0) return "empty";
  return digestOf("sha256", content) === digest ? "right" : "wrong";
}
