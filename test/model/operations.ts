// What a course does: a table from the kind of a step to what it asks of the registry, and what it may change.
//
// A step is a kind and some numbers; they choose among what is there when the step is done, so that any part of a
// course is a course, too.

import { removeBlob, removeManifest, removeTag } from "../../src/registry/delete.ts";
import { ApiError } from "../../src/oci/errors.ts";
import { keepFor } from "../../src/registry/collection/keep_for.ts";
import { applyUndo, planUndo } from "../../src/registry/history/mishap.ts";
import { purgeContent } from "../../src/registry/history/purge_content.ts";
import { restoreTag, undelete } from "../../src/registry/history/restore.ts";
import { mountBlob } from "../../src/registry/mount_blob.ts";
import { applyPlan } from "../../src/registry/retention/apply_plan.ts";
import { planLines } from "../../src/registry/retention/plan.ts";
import { anyTag } from "../../src/registry/tag_rule.ts";
import { bytesSource, unlimited } from "../contracts/store_samples.ts";
import { pushBlob, putManifest } from "../registry/world.ts";
import { blobs, itemOf, items, manifests, repositories, tags, treeOf } from "./content.ts";
import { expect, name, type Course, type Intent } from "./course.ts";
import { Ended } from "./place.ts";
import { ruleSets } from "./rules.ts";
import type { Tag } from "./wanted.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** What a step is about to do. */
export interface Action {
  /** Per repository; whatever a repository is not named for must not change. */
  readonly may: ReadonlyMap<string, Intent>;
  readonly run: () => Promise<unknown>;
  /** Null where both may be: the API may refuse it, must, or must not. */
  readonly refused?: boolean | null;
  /** What is compared when it was done. */
  readonly after?: (result: unknown) => Promise<void> | void;
}

type Numbers = readonly [number, number, number];

interface Kind {
  readonly weight: number;
  readonly act: (course: Course, numbers: Numbers) => Action | Promise<Action>;
}

const pick = <T>(list: readonly T[], number: number): T => list[number % list.length] as T;
const nothing: Action = { may: new Map(), run: () => Promise.resolve() };
const inAll = (intent: Intent) => new Map(repositories.map((each) => [each as string, intent]));
const one = (repository: string, intent: Intent) => new Map([[repository, intent]]);
const by = "alice";

/** Tags that a run of retention must remove, those that it must leave, and those of which both may be. */
function retained(course: Course, repository: string) {
  const model = course.model(repository);
  const all = [...model.tags.values()];
  const wall = course.place.clock.now();
  const isPinned = (digest: string, bound: "lo" | "hi"): boolean =>
    (model.pins.get(digest)?.[bound] ?? 0) > course.now;
  const decide = (tag: string, own: Tag): "goes" | "stays" | "either" => {
    const kept = course.rules.keeps(tag, own, all, wall);
    if (kept === true || isPinned(own.digest, "lo")) return "stays";
    return kept === false && !isPinned(own.digest, "hi") ? "goes" : "either";
  };
  const decided = [...model.tags].map(([tag, own]) => ({ tag, what: decide(tag, own) }));
  const of = (wanted: string): string[] =>
    decided.filter(({ what }) => what === wanted).map(({ tag }) => tag);
  return { goes: of("goes"), stays: new Set(of("stays")), either: of("either") };
}

function removals(tagsGone: readonly string[]): ReadonlyMap<string, null> {
  return new Map(tagsGone.map((tag) => [tag, null]));
}

/** What is here and names it. */
function parentsOf(course: Course, repository: string, digest: string): string[] {
  return [...course.model(repository).here.keys()].filter((other) =>
    itemOf(other).names.some((named) => named === digest),
  );
}

/** Whether what names it keeps it from being deleted: an index that nobody lists does not. */
function isProtected(course: Course, repository: string, digest: string): boolean {
  const parents = parentsOf(course, repository, digest);
  if (itemOf(digest).kind === "blob") return parents.length > 0;
  const { tags: pointed } = course.model(repository);
  return parents.some(
    (parent) =>
      [...pointed.values()].some((tag) => tag.digest === parent) ||
      parentsOf(course, repository, parent).length > 0 ||
      itemOf(parent).subject !== null,
  );
}

export const kinds: Readonly<Record<string, Kind>> = {
  "push image": {
    weight: 14,
    act: (course, [r, m, t]) => {
      const repository = pick(repositories, r);
      const item = pick(manifests, m);
      const tag = t % 4 === 0 ? null : pick(tags, t);
      const tree = treeOf(item);
      return {
        may: one(repository, {
          adds: tree.map(({ digest }) => digest),
          ...(tag === null ? {} : { tags: new Map([[tag, item.digest]]) }),
        }),
        run: async () => {
          for (const each of tree) {
            if (each.kind === "blob") await pushBlob(course.place, each.bytes, repository);
            else {
              const reference = each === item && tag !== null ? tag : each.digest;
              await putManifest(course.place, each.bytes, reference, repository);
            }
          }
        },
      };
    },
  },
  "push manifest alone": {
    weight: 6,
    act: (course, [r, m, t]) => {
      const repository = pick(repositories, r);
      const item = pick(manifests, m);
      const tag = t % 3 === 0 ? null : pick(tags, t);
      const { here } = course.model(repository);
      return {
        may: one(repository, {
          adds: [item.digest],
          ...(tag === null ? {} : { tags: new Map([[tag, item.digest]]) }),
        }),
        run: () => putManifest(course.place, item.bytes, tag ?? item.digest, repository),
        refused: !item.names.every((digest) => here.has(digest)),
      };
    },
  },
  "push blob": {
    weight: 6,
    act: (course, [r, b]) => {
      const repository = pick(repositories, r);
      const { bytes, digest } = pick(blobs, b);
      return {
        may: one(repository, { adds: [digest] }),
        run: () => pushBlob(course.place, bytes, repository),
      };
    },
  },
  mount: {
    weight: 6,
    act: (course, [r, b, s]) => {
      const repository = pick(repositories, r);
      const { digest } = pick(blobs, b);
      const from = s % 4 === 0 ? null : pick(repositories, s);
      const sources = from === null ? repositories : [repository, from];
      const isThere = sources.some((source) => course.model(source).here.has(digest));
      return {
        may: one(repository, isThere ? { adds: [digest] } : {}),
        run: () => {
          const mayRead = (): boolean => true;
          return mountBlob(course.place.registry, { repository, digest, from, mayRead, by });
        },
        after: (mounted) => expect(`${name(digest)} is mounted: ${isThere}`, mounted === isThere),
      };
    },
  },
  head: {
    weight: 4,
    act: (course, [r, i]) => {
      const repository = pick(repositories, r);
      const { digest, kind, bytes } = pick(items, i);
      if (!course.model(repository).here.has(digest)) return nothing;
      const content = { repository, digest, sizeBytes: bytes.length };
      return {
        may: one(repository, { promises: [digest] }),
        run: () => keepFor(course.place.registry, content, kind),
        after: (kept) => expect(`${name(digest)} is promised`, kept === true),
      };
    },
  },
  "leave an upload behind": {
    weight: 1,
    act: (course, [r, b]) => {
      const repository = pick(repositories, r);
      const { bytes } = pick(blobs, b);
      return {
        may: new Map(),
        run: async () => {
          const { uploads } = course.place.registry;
          const id = await uploads.start(repository);
          await uploads.hold(repository, id, (upload) =>
            upload.append(bytesSource(bytes.slice(0, 50)), unlimited),
          );
        },
      };
    },
  },
  "delete tag": {
    weight: 8,
    act: (course, [r, t]) => {
      const repository = pick(repositories, r);
      const tag = pick(tags, t);
      return {
        may: one(repository, { tags: removals([tag]) }),
        run: () => removeTag(course.place.registry, { repository, target: tag, by, tagIs: null }),
        refused: !course.model(repository).tags.has(tag),
      };
    },
  },
  "delete manifest": {
    weight: 6,
    act: (course, [r, m]) => {
      const repository = pick(repositories, r);
      const { digest } = pick(manifests, m);
      const model = course.model(repository);
      const own = [...model.tags].filter(([, tag]) => tag.digest === digest).map(([tag]) => tag);
      return {
        may: one(repository, { removes: [digest], tags: removals(own) }),
        run: () => removeManifest(course.place.registry, { repository, target: digest, by }),
        refused: !model.here.has(digest) || isProtected(course, repository, digest),
      };
    },
  },
  "delete blob": {
    weight: 4,
    act: (course, [r, b]) => {
      const repository = pick(repositories, r);
      const { digest } = pick(blobs, b);
      return {
        may: one(repository, { removes: [digest] }),
        run: () => removeBlob(course.place.registry, { repository, target: digest, by }),
        refused:
          !course.model(repository).here.has(digest) || isProtected(course, repository, digest),
      };
    },
  },
  "set a tag back": {
    weight: 6,
    act: (course, [r, m, t]) => {
      const repository = pick(repositories, r);
      const { digest } = pick(manifests, m);
      const tag = pick(tags, t);
      const { tags: pointed } = course.model(repository);
      const expectsOther = t % 7 === 0;
      const expected = pointed.get(tag)?.digest ?? null;
      const expects = expectsOther ? itemOf(pick(manifests, m + 1).digest).digest : expected;
      return {
        may: one(repository, { restores: [digest], tags: new Map([[tag, digest]]) }),
        run: () =>
          restoreTag(course.place.registry, {
            repository,
            tag,
            digest,
            expect: expects === null ? null : itemOf(expects).digest,
            tagRules: anyTag,
            by,
            showsWho: true,
          }),
        refused: expects === expected ? mustRefuse(course, repository, digest) : true,
      };
    },
  },
  undelete: {
    weight: 5,
    act: (course, [r, i]) => {
      const repository = pick(repositories, r);
      const { digest } = pick(items, i);
      return {
        may: one(repository, { restores: [digest] }),
        run: () => undelete(course.place.registry, { repository, digest, by }),
        refused: mustRefuse(course, repository, digest),
      };
    },
  },
  purge: {
    weight: 3,
    act: (course, [r, i]) => {
      const repository = pick(repositories, r);
      const { digest } = pick(items, i);
      const model = course.model(repository);
      const own = [...model.tags].filter(([, tag]) => tag.digest === digest).map(([tag]) => tag);
      const isHere = model.here.has(digest);
      const isNamed = isProtected(course, repository, digest);
      const given = { repository, digest, reason: "a password", checkTag: null, by };
      return {
        may: one(repository, { purges: [digest], tags: removals(own) }),
        run: () => purgeContent(course.place.registry, given),
        refused: isHere ? isNamed : model.held.has(digest) ? null : true,
      };
    },
  },
  "undo a mishap": { weight: 3, act: undoMishap },
  "change the rules": {
    weight: 3,
    act: (course, [number]) => {
      course.setRules(pick(ruleSets, number));
      return nothing;
    },
  },
  "change the window": {
    weight: 2,
    act: (course, [number]) => {
      const windowMs = pick([0, 6 * hourMs, dayMs, 3 * dayMs], number);
      const pinMs = pick([0, 2 * hourMs, 7 * dayMs], number >> 4);
      course.place.settings.undo = { ...course.place.settings.undo, windowMs, pinMs };
      if (windowMs === 0) for (const model of course.models.values()) model.promiseNothing();
      return nothing;
    },
  },
  "let time pass": {
    weight: 10,
    act: async (course, [number]) => {
      await course.pass(pick([minuteMs, 9 * minuteMs, 25 * minuteMs, hourMs, 5 * hourMs], number));
      return nothing;
    },
  },
  collect: {
    weight: 8,
    act: (course) => ({
      may: inAll({ collects: "all" }),
      run: async () => {
        await course.place.rest();
        await course.place.collect();
      },
    }),
  },
  retain: { weight: 5, act: retain },
  "end holds": {
    weight: 4,
    act: (course) => ({ may: inAll({ endsHolds: true }), run: () => course.place.endHolds() }),
  },
  rest: {
    weight: 4,
    act: (course) => ({
      may: new Map(),
      run: () => course.place.rest(),
      after: async () => {
        for (const repository of repositories) await course.compareIndex(repository);
      },
    }),
  },
  walk: { weight: 1, act: (course) => ({ may: new Map(), run: () => course.place.walk() }) },
  "apply a plan": { weight: 3, act: applyOwnPlan },
  "end the process": {
    weight: 1,
    act: () => ({ may: new Map(), run: () => Promise.reject(new Ended("by itself")) }),
  },
};

/** Null where the time of what is held is nearly over. */
function mustRefuse(course: Course, repository: string, digest: string): boolean | null {
  const model = course.model(repository);
  if (model.isPromised(digest, course.now, course.windowMs)) return false;
  return model.here.has(digest) || model.held.has(digest) ? null : true;
}

function retain(course: Course): Action {
  const decided = repositories.map((each) => ({ each, ...retained(course, each) }));
  return {
    may: new Map(
      decided.map(({ each, goes, either }) => [each, { tags: removals(goes), mayGo: either }]),
    ),
    run: async () => {
      await course.place.rest();
      await course.place.retain();
    },
  };
}

async function undoMishap(course: Course, [m, r, t]: Numbers): Promise<Action> {
  const moment = course.moments.length === 0 ? null : pick(course.moments, m);
  if (moment === null) return nothing;
  const repository = pick(repositories, r);
  const then = moment.tags.get(repository) ?? new Map<string, string>();
  const request = { since: moment.wall, by: t % 3 === 0 ? null : by, prefix: repository };
  const steps = (await planUndo(course.place.registry, { ...request, mayRead: () => true })).filter(
    (step) => step.repository === repository,
  );
  const model = course.model(repository);
  for (const { tag, to, problem } of steps) {
    const isPromised = to !== null && model.isPromised(to, course.now, course.windowMs);
    expect(
      `${tag} can go back to ${name(to)}: ${problem}`,
      problem === null || !isPromised || request.by !== null,
    );
  }
  const going = steps.filter(({ problem }) => problem === null);
  if (request.by === null) {
    for (const tag of tags) {
      const was = then.get(tag) ?? null;
      const is = model.tags.get(tag)?.digest ?? null;
      const step = steps.find((each) => each.tag === tag);
      expect(`${tag} was at ${name(was)} and is in the plan`, was === is || step?.to === was);
    }
  }
  return {
    may: one(repository, {
      restores: going.flatMap(({ to }) => (to === null ? [] : [to])),
      tags: new Map(going.flatMap(({ tag, to }) => (tag === null ? [] : [[tag, to]]))),
    }),
    run: () => applyUndo(course.place.registry, { steps: going, rulesOf: () => anyTag, by }),
  };
}

/** What a plan says goes, and nothing that has to stay is in it. */
async function applyOwnPlan(course: Course): Promise<Action> {
  await course.place.rest();
  const lines = await Array.fromAsync(planLines(course.place.registry));
  const may = new Map<string, Intent>();
  for (const repository of repositories) {
    const model = course.model(repository);
    const { stays } = retained(course, repository);
    const must = model.alive(course.now, "lo", course.waiting);
    const own = lines.filter((line) => line.repository === repository);
    for (const line of own) {
      if (line.kind === "tag") expect(`${line.tag} is in no plan`, !stays.has(line.tag));
      else expect(`${name(line.digest)} is in no plan`, !must.has(line.digest));
    }
    const gone = own.flatMap((line) => (line.kind === "tag" ? [line.tag] : []));
    may.set(repository, { tags: removals(gone), collects: "some" });
  }
  const applying = { by, forbids: () => null };
  return {
    may,
    run: () => applyPlan(course.place.registry, lines, applying),
    after: (applied) => {
      const { skipped } = applied as Awaited<ReturnType<typeof applyPlan>>;
      expect(`a plan is carried out: ${JSON.stringify(skipped)}`, skipped.length === 0);
    },
  };
}

export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError;
}
