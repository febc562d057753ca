// A course: the registry and the model side by side, and what is compared after each step.
//
// A step says what it may change before it begins (`Intent`). When it was done, all of that is so; when the process
// ended in its midst, any part of it may be. Nothing else may have changed, and nothing that is wanted or promised may
// be missing.

import { retention } from "../../src/metadata/retention.ts";
import { resolveManifest } from "../../src/registry/resolve.ts";
import { readContent } from "../../src/registry/content.ts";
import { linesOf } from "../registry/world.ts";
import { layoutRecords } from "../contracts/metadata_facts.ts";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { indexKey } from "../../src/storage/layout.ts";
import { itemOf, items, repositories, treeOf } from "./content.ts";
import { Place, type PlaceOptions } from "./place.ts";
import { ruleSets, type RuleSet } from "./rules.ts";
import { at, latest, RepositoryModel, type Rules, type Times } from "./wanted.ts";

/** What one step may change in a repository. */
export interface Intent {
  /** Pushed or mounted. */
  readonly adds?: readonly string[];
  /** Deleted, and held for an undo. */
  readonly removes?: readonly string[];
  /** Purged, with what it alone names. */
  readonly purges?: readonly string[];
  /** Brought back with all that they name. */
  readonly restores?: readonly string[];
  readonly tags?: ReadonlyMap<string, string | null>;
  /** Tags that go or stay, as rules choose. */
  readonly mayGo?: readonly string[];
  /** A pusher was told that it is here. */
  readonly promises?: readonly string[];
  /** What undo held for long enough goes. */
  readonly endsHolds?: boolean;
  /** What nothing wants for long enough goes: all of it, or what a plan said. */
  readonly collects?: "all" | "some";
}

interface Found {
  readonly here: ReadonlySet<string>;
  readonly held: ReadonlySet<string>;
  readonly tags: ReadonlyMap<string, string>;
  /** When each was set, by the wall clock. */
  readonly setAt: ReadonlyMap<string, number>;
}

export interface Moment {
  readonly wall: number;
  readonly tags: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** What a HEAD may leave of the delay. */
const promisedLeftMs = 11 * 60_000;
/** A tag that was pushed as it is a moment ago is not renewed. */
const renewedMs = 60_000;
/** Moments that a mishap may go back to. */
const momentsMax = 20;

export class Course implements AsyncDisposable {
  readonly place: Place;
  readonly models = new Map(repositories.map((name) => [name, new RepositoryModel()]));
  rules: RuleSet = ruleSets[0]!;
  /** By the clock that never jumps. */
  now = 0;
  moments: Moment[] = [];
  readonly uploads: { readonly repository: string; readonly id: string }[] = [];

  private constructor(place: Place) {
    this.place = place;
    this.setRules(this.rules);
  }

  static async open(options: PlaceOptions = {}): Promise<Course> {
    return new Course(await Place.open(options));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.place[Symbol.asyncDispose]();
  }

  model(repository: string): RepositoryModel {
    const found = this.models.get(repository as (typeof repositories)[number]);
    if (found === undefined) throw new Error(`model: no repository ${repository}`);
    return found;
  }

  get windowMs(): number {
    return this.place.settings.undo.windowMs;
  }

  setRules(rules: RuleSet): void {
    this.rules = rules;
    const { settings } = this.place;
    const { gcDelayMs: gcDelay, retention } = rules;
    settings.collection = { ...settings.collection, gcDelay, retention };
  }

  get waiting(): Rules {
    const { gcDelayMs, delayMs, deleteUntagged, deleteReferrers } = this.rules;
    return { gcDelayMs, delayMs, deleteUntagged, deleteReferrers };
  }

  async pass(ms: number): Promise<void> {
    await this.place.clock.advance(ms);
    this.now += ms;
  }

  /** Notes where all tags are, for a mishap. */
  remember(): void {
    const tags = new Map(
      [...this.models].map(([name, model]) => [
        name as string,
        new Map([...model.tags].map(([tag, { digest }]) => [tag, digest])),
      ]),
    );
    this.moments = [...this.moments, { wall: this.place.clock.now(), tags }].slice(-momentsMax);
  }

  /** A start may count the time since the last look as no waiting. */
  wasRestarted(): void {
    for (const model of this.models.values()) {
      for (const [digest, times] of model.here) {
        model.here.set(digest, { ...times, hi: this.now });
      }
    }
  }

  /** Compares a repository with the model, after a step that was done or not, and learns what came of it. */
  async learn(repository: string, intent: Intent, done: boolean): Promise<void> {
    const found = await this.#look(repository);
    const model = this.model(repository);
    model.change(this.now, () => {
      for (const digest of intent.purges ?? []) this.#learnPurge(model, digest, found, done);
      for (const digest of intent.removes ?? []) this.#learnRemoval(model, digest, found, done);
      for (const digest of intent.adds ?? []) this.#learnPush(model, digest, found, done);
      for (const digest of intent.restores ?? []) this.#learnRestore(model, digest, found, done);
      const going = (intent.mayGo ?? []).filter((tag) => !found.tags.has(tag));
      const gone = going.map((tag) => [tag, null] as const);
      this.#learnTags(model, new Map([...(intent.tags ?? []), ...gone]), found, done);
      for (const digest of intent.promises ?? []) this.#learnPromise(model, digest, done);
    });
    if (intent.endsHolds === true) {
      const before = [...model.held];
      model.endHolds(this.now, this.windowMs);
      // Some of it is still held where the process ended.
      for (const [digest, held] of done ? [] : before) {
        if (found.held.has(digest)) model.held.set(digest, model.held.get(digest) ?? held);
      }
    }
    if (intent.collects !== undefined) {
      this.#learnCollection(model, found, done && intent.collects === "all");
    }
    expectEqual(`content of ${repository}`, names(found.here), names(model.here.keys()));
    this.#compareHeld(repository, model, found);
  }

  async #look(repository: string): Promise<Found> {
    const { metadata } = this.place.observed;
    const digests = items.map(({ digest }) => digest);
    const held = await metadata.held(repository, digests);
    const tags = await metadata.records(retention).tags(repository, "", 100);
    const of = (...kinds: string[]): Set<string> =>
      new Set(held.filter(({ as }) => kinds.includes(as)).map(({ digest }) => digest));
    return {
      here: of("blob", "manifest"),
      held: of("held"),
      tags: new Map(tags.map(({ tag, digest }) => [tag, digest])),
      setAt: new Map(tags.map(({ tag, pushedAt }) => [tag, pushedAt])),
    };
  }

  #learnPurge(model: RepositoryModel, digest: string, found: Found, done: boolean): void {
    if (done) expect(`${name(digest)} is purged`, !found.here.has(digest));
    if (found.here.has(digest)) return;
    const below = treeOf(itemOf(digest)).map((item) => item.digest);
    if (found.held.has(digest) && !done) return;
    model.held.delete(digest);
    model.remove(digest, this.now);
    const wanted = model.wanted();
    for (const one of below) {
      if (model.here.has(one) && !found.here.has(one)) {
        expect(`${name(one)} went with ${name(digest)}, and is wanted`, !wanted.has(one));
        model.remove(one, this.now);
      }
      if (!found.held.has(one)) model.held.delete(one);
    }
  }

  #learnRemoval(model: RepositoryModel, digest: string, found: Found, done: boolean): void {
    if (done) expect(`${name(digest)} is deleted`, !found.here.has(digest));
    if (found.here.has(digest) || !model.here.has(digest)) return;
    model.remove(digest, this.now);
    if (this.windowMs > 0) model.held.set(digest, { ...at(this.now), promised: true });
  }

  #learnPush(model: RepositoryModel, digest: string, found: Found, done: boolean): void {
    if (done) expect(`${name(digest)} is pushed`, found.here.has(digest));
    if (!found.here.has(digest)) return;
    const before = model.here.get(digest);
    const lo = done || before === undefined ? this.now : before.lo;
    model.here.set(digest, { lo, hi: this.now });
    model.held.delete(digest);
  }

  #learnRestore(model: RepositoryModel, digest: string, found: Found, done: boolean): void {
    const tree = treeOf(itemOf(digest)).map((item) => item.digest);
    for (const one of tree) {
      if (done) expect(`${name(one)} is back with ${name(digest)}`, found.here.has(one));
      if (!found.here.has(one) || model.here.has(one)) continue;
      model.here.set(one, at(this.now));
      model.held.delete(one);
    }
    const until = this.now + this.place.settings.undo.pinMs;
    const pinned = model.pins.get(digest) ?? at(0);
    model.pins.set(digest, {
      lo: done ? Math.max(pinned.lo, until) : pinned.lo,
      hi: Math.max(pinned.hi, until),
    });
  }

  /** Who was not told does not rely on it. */
  #learnPromise(model: RepositoryModel, digest: string, done: boolean): void {
    const times = model.here.get(digest);
    if (times === undefined) return;
    const { gcDelayMs, delayMs } = this.waiting;
    const part = Math.min(gcDelayMs, delayMs) * 0.1;
    const lo = this.now - Math.min(promisedLeftMs, part + (part > 60_000 ? 60_000 : 0));
    model.here.set(digest, latest(times, { lo: done ? lo : times.lo, hi: this.now }));
  }

  #learnTags(
    model: RepositoryModel,
    intended: ReadonlyMap<string, string | null>,
    found: Found,
    done: boolean,
  ): void {
    const wall = this.place.clock.now();
    for (const tag of new Set([...model.tags.keys(), ...found.tags.keys(), ...intended.keys()])) {
      const before = model.tags.get(tag)?.digest ?? null;
      const is = found.tags.get(tag) ?? null;
      const may = intended.get(tag);
      const allowed = may === undefined ? [before] : done ? [may] : [before, may];
      expect(
        `${tag} is at ${name(is)}; it was at ${name(before)}, and may be at ${allowed.map(name).join(" or ")}`,
        allowed.includes(is),
      );
      if (is === null) model.tags.delete(tag);
      else if (is !== before) model.tags.set(tag, { digest: is, setAt: wall });
      else if (is === may) this.#learnRenewal(model, tag, found, done);
    }
  }

  /** A tag was pushed as it is: it counts as set now, unless that was a moment ago. */
  #learnRenewal(model: RepositoryModel, tag: string, found: Found, done: boolean): void {
    const before = model.tags.get(tag);
    if (before === undefined) return;
    const wall = this.place.clock.now();
    const renewed = before.setAt < wall - renewedMs ? wall : before.setAt;
    const setAt = found.setAt.get(tag) ?? 0;
    const allowed = done ? [renewed] : [before.setAt, renewed];
    expect(`${tag} counts as set when it was`, allowed.includes(setAt));
    model.tags.set(tag, { ...before, setAt });
  }

  #learnCollection(model: RepositoryModel, found: Found, complete: boolean): void {
    const must = model.alive(this.now, "lo", this.waiting);
    const may = model.alive(this.now, "hi", this.waiting);
    const gone = new Set([...model.here.keys()].filter((digest) => !found.here.has(digest)));
    for (const digest of gone) {
      expect(`${name(digest)} was collected, and has to stay`, !must.has(digest));
    }
    for (const digest of complete ? model.here.keys() : []) {
      expect(`${name(digest)} should be collected`, may.has(digest) || gone.has(digest));
    }
    while (gone.size > 0) {
      const next = [...gone].find((digest) => !hasParent(digest, gone));
      if (next === undefined) throw new Error("model: contents name each other in a circle");
      this.#learnCollected(model, next);
      gone.delete(next);
    }
  }

  #learnCollected(model: RepositoryModel, digest: string): void {
    const since = model.here.get(digest) ?? at(this.now);
    model.remove(digest);
    const needed = model.neededSince(digest);
    if (itemOf(digest).kind === "blob") {
      if (needed !== null) model.held.set(digest, { ...needed, promised: false });
      return;
    }
    const { windowMs } = this;
    const isOver = since.hi + windowMs <= this.now;
    if (isOver && needed === null) return;
    const hi = Math.max(since.hi, needed?.hi ?? 0);
    const promised = windowMs > 0 && since.lo + windowMs > this.now;
    model.held.set(digest, { lo: since.lo, hi, promised });
  }

  #compareHeld(repository: string, model: RepositoryModel, found: Found): void {
    for (const digest of found.held) {
      expect(`${name(digest)} in ${repository} is held for no reason`, model.held.has(digest));
    }
    for (const [digest, { promised, lo }] of model.held) {
      if (!promised || lo + this.windowMs <= this.now || !model.isWhole(digest)) continue;
      for (const one of treeOf(itemOf(digest))) {
        const isThere = found.here.has(one.digest) || found.held.has(one.digest);
        expect(`${one.name} of ${name(digest)} in ${repository} can be brought back`, isThere);
      }
    }
  }

  /** Everything that is here can be pulled, byte for byte, and tags lead to it. */
  async pullAll(repository: string): Promise<void> {
    const { observed } = this.place;
    const model = this.model(repository);
    for (const digest of model.here.keys()) {
      const { bytes } = itemOf(digest);
      const content = { repository, digest: itemOf(digest).digest, sizeBytes: bytes.length };
      const pulled = await readContent(observed, content);
      expect(`${name(digest)} is pulled as it was pushed`, Buffer.compare(pulled, bytes) === 0);
    }
    for (const [tag, { digest }] of model.tags) {
      const resolved = await resolveManifest(observed, repository, { kind: "tag", tag });
      expect(`${repository}:${tag} leads to it`, resolved.found?.digest === digest);
    }
  }

  /** After a rest index.json says what the metadata say. */
  async compareIndex(repository: string): Promise<void> {
    const path = join(this.place.root, indexKey(repository));
    const text = await readFile(path, "utf8").catch(() => null);
    const { records } = await layoutRecords(this.place.observed.metadata, repository);
    const facts = records.map(({ tag, digest }) => `${tag ?? "-"} ${digest}`);
    expectEqual(`index.json of ${repository}`, text === null ? [] : linesOf(text), facts);
  }
}

function hasParent(digest: string, among: ReadonlySet<string>): boolean {
  return [...among].some((other) => {
    if (other === digest) return false;
    const { names: named } = itemOf(other);
    return named.some((one) => one === digest) || itemOf(digest).subject === other;
  });
}

export function name(digest: string | null): string {
  return digest === null ? "nothing" : itemOf(digest).name;
}

function names(digests: Iterable<string>): string[] {
  return [...digests].map(name).toSorted();
}

export class Difference extends Error {
  override readonly name = "Difference";
}

export function expect(what: string, isSo: boolean): void {
  if (!isSo) throw new Difference(`not so: ${what}`);
}

export function expectEqual(
  what: string,
  found: readonly string[],
  wanted: readonly string[],
): void {
  if (found.join("\n") === wanted.join("\n")) return;
  throw new Difference(`${what}: found [${found.join(", ")}], wanted [${wanted.join(", ")}]`);
}

export type { Times };
