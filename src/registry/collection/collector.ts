/**
 * Collection while the registry serves: rounds over the candidates that are due, in turns of a few milliseconds.
 *
 * A turn decides about some candidates and commits what goes, each with what must still hold; then it rests four times
 * as long as it took, and longer while commits wait. It holds no lock and reads nothing but candidates, so that a round
 * costs what it removes. What cannot be looked at waits, and others go on. The bytes are removed by the sweep.
 */
import {
  collection,
  type Candidate,
  type CandidatePlace,
  type CollectionChange,
} from "../../metadata/collection.ts";
import type { CandidateKind } from "../../metadata/metadata.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Registry, Report } from "../registry.ts";
import { compileStores, everyRules, rulesOf, type RetentionRules } from "../retention/rules.ts";
import {
  everyStore,
  keyOf,
  settingsOf,
  type StoreCollection,
  type WithStores,
} from "../store_settings.ts";
import { Collected, type CollectedTotals } from "./collected.ts";
import { CollectionClock } from "./collection_clock.ts";
import { Compared } from "./compared.ts";
import { decideCandidate, type Decision } from "./decide_candidate.ts";
import { executorOf, never, nullExecutor, type Executor } from "./executor.ts";
import { mustWait, postponed, type Indexes } from "./must_wait.ts";
import type { Removal } from "./status.ts";
import { opensInMs, parseTimeWindow } from "../../lib/time_window.ts";

/** Candidates that are read at once. */
const sliceMax = 256;
/** Rows that one turn writes, about: a millisecond or two of the writer. */
const turnStepsMax = 160;
/** What reading and deciding may take in a turn; the commit takes about as long. */
const turnMs = 2;
/** A turn is followed by so many times its length of rest, and twice that while commits wait for so long. */
const restFactor = 4;
const busyMs = 50;

export type CollectionSettings = WithStores<StoreCollection>;

export interface CollectorOptions {
  readonly registry: Registry;
  readonly report: Report;
  /** As they are in force. */
  readonly settings: () => CollectionSettings;
  /** No server runs meanwhile, or ran before: its clock is as good as any. */
  readonly isOffline?: boolean | undefined;
  /** Directories of repositories stay. */
  readonly keepsDirectories?: boolean | undefined;
  /** Hears of what was decided; of what goes, once it is gone. */
  readonly onDecision?: ((candidate: Candidate, decision: Decision) => void) | undefined;
}

/** What a manifest named becomes due with it, and a repository may be empty after both. */
const kinds: readonly CandidateKind[] = ["manifest", "blob", "repository"];

/** What a round works with; it is the same to its end. */
interface Round {
  readonly rules: RetentionRules;
  /** Of each kind the shortest delay of any store: nothing is due before. */
  readonly delaysMs: Readonly<Record<CandidateKind, number>>;
  readonly compared: Compared;
  readonly collected: Collected;
  /** Of the store that a repository lies in. */
  readonly executorOf: (repository: string) => Executor;
  /** Whether a dry run of its store has told of it before, and is not to tell again yet. */
  readonly isDryAgain: (repository: string) => boolean;
  /** Goes over what is due, of one kind, for the first time. */
  isFirstPass: boolean;
  readonly signal: AbortSignal | undefined;
}

export class Collector {
  readonly #options: CollectorOptions;
  readonly #clock: CollectionClock;
  readonly #dryRuns: DryRuns;
  #rules: { readonly text: string; readonly rules: RetentionRules } | null = null;

  constructor(options: CollectorOptions) {
    this.#options = options;
    const { registry, report } = options;
    this.#dryRuns = new DryRuns(registry.clock, options.settings);
    this.#clock = new CollectionClock({
      clock: registry.clock,
      report,
      reads: registry.metadata.records(collection),
      commit: (change) => this.#note(change),
    });
  }

  /** Removes what is due, as far as its window allows; nothing while collection is off. */
  async round(signal?: AbortSignal): Promise<CollectedTotals> {
    const { registry, report, settings, isOffline, keepsDirectories = false } = this.#options;
    const collected = new Collected(report);
    if (isOffline !== true) await this.#lookAtClock(signal);
    const collecting = everyStore<StoreCollection>(settings()).some(({ gc }) => gc);
    if (!collecting) return collected.totals;
    const rules = await this.#rulesInForce(signal);
    const round: Round = {
      rules,
      delaysMs: shortestDelays(rules),
      compared: new Compared(registry),
      collected,
      executorOf: (repository) => {
        const { dryRun } = rulesOf(rules, repository);
        return dryRun ? nullExecutor : executorOf(registry, keepsDirectories);
      },
      isDryAgain: (repository) => {
        if (!rulesOf(rules, repository).dryRun) return false;
        return !round.isFirstPass || !this.#dryRuns.isDue(repository);
      },
      isFirstPass: true,
      signal,
    };
    try {
      for (const kind of kinds) await this.#collectAll(kind, round);
      this.#dryRuns.told();
    } finally {
      collected.finish();
    }
    // What a dry run decides is not counted.
    if (collected.count > 0) {
      const removal: Removal = { at: registry.clock.now(), ...collected.totals };
      await this.#note({ kind: "set", name: "last removal", value: JSON.stringify(removal) });
    }
    return collected.totals;
  }

  async #lookAtClock(signal: AbortSignal | undefined): Promise<void> {
    const reads = this.#options.registry.metadata.records(collection);
    const looks = await Promise.all(kinds.map((kind) => reads.nextLook(kind)));
    const wentBack = await this.#clock.look({ isWaiting: looks.some((at) => at !== null) });
    if (!wentBack) return;
    for (const kind of kinds) await this.#lookAgain(kind, signal);
  }

  /**
   * When they are others than in the last round, what was kept is looked at again: when that ends was noted by the delay
   * of then.
   */
  async #rulesInForce(signal: AbortSignal | undefined): Promise<RetentionRules> {
    const { registry, settings } = this.#options;
    const text = textOf(settings());
    if (this.#rules?.text === text) return this.#rules.rules;
    const rules = compileStores(settings());
    const hash = Bun.hash(text).toString(16);
    if ((await registry.metadata.records(collection).value("rules")) !== hash) {
      for (const kind of kinds) await this.#lookAgain(kind, signal);
      // The next one begins anew.
      if (isAborted(signal)) return rules;
      await this.#note({ kind: "set", name: "rules", value: hash });
    }
    this.#rules = { text, rules };
    return rules;
  }

  async #lookAgain(of: CandidateKind, signal: AbortSignal | undefined): Promise<void> {
    const { clock, metadata } = this.#options.registry;
    const now = clock.now();
    while (!isAborted(signal) && (await metadata.records(collection).hasLater(of, now))) {
      const startedMs = clock.monotonicMs();
      await this.#note({ kind: "look-again", of, now, limit: sliceMax });
      await this.#rest(startedMs, signal);
    }
  }

  async #note(change: CollectionChange): Promise<void> {
    await this.#options.registry.metadata.commit({ records: collection.name, changes: [change] });
  }

  /** Goes on until nothing of the kind is due: what was removed may leave more. */
  async #collectAll(kind: CandidateKind, round: Round): Promise<void> {
    for (let before = -1; before !== round.collected.count;) {
      round.isFirstPass = before === -1;
      before = round.collected.count;
      let after: CandidatePlace | null = null;
      do {
        const slice: readonly Candidate[] = await this.#slice(kind, after, round);
        for (let done = 0; done < slice.length;) {
          if (!this.#mayGoOn(round)) return;
          done += await this.#turn(slice.slice(done), round);
        }
        after = slice.length < sliceMax ? null : (slice.at(-1) ?? null);
      } while (after !== null);
    }
  }

  async #slice(kind: CandidateKind, after: CandidatePlace | null, round: Round) {
    if (!this.#mayGoOn(round)) return [];
    const until = this.#clock.dueUntil(round.delaysMs[kind]);
    return this.#options.registry.metadata.records(collection).due(kind, until, after, sliceMax);
  }

  #mayGoOn({ signal }: Round): boolean {
    const now = this.#options.registry.clock.now();
    const isOpen = ({ gc, gcTimeWindow }: StoreCollection): boolean =>
      gc && opensInMs(parseTimeWindow(gcTimeWindow), now) === 0;
    return !isAborted(signal) && everyStore<StoreCollection>(this.#options.settings()).some(isOpen);
  }

  /** Decides about the first of the candidates and commits; returns how many they were. */
  async #turn(candidates: readonly Candidate[], round: Round): Promise<number> {
    const { clock } = this.#options.registry;
    const startedMs = clock.monotonicMs();
    const indexes: Indexes = new Map();
    const decided: [Candidate, Decision][] = [];
    let steps = 0;
    for (const candidate of candidates) {
      const decision = await this.#decide(candidate, indexes, round);
      decided.push([candidate, decision]);
      steps += decision.kind === "collected" ? decision.steps : 1;
      if (steps >= turnStepsMax || clock.monotonicMs() - startedMs >= turnMs) break;
    }
    const carried = await Promise.allSettled(
      decided.map(([candidate, decision]) => this.#carryOut(candidate, decision, round)),
    );
    for (const one of carried) if (one.status === "rejected") throw one.reason;
    await this.#rest(startedMs, round.signal);
    return decided.length;
  }

  /** Others have the writer and the processor meanwhile. */
  async #rest(startedMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#options.registry;
    const tookMs = clock.monotonicMs() - startedMs;
    await clock.sleep(tookMs * restFactor * (tookMs > busyMs ? 2 : 1), signal);
  }

  async #decide(candidate: Candidate, indexes: Indexes, round: Round): Promise<Decision> {
    const { registry, report } = this.#options;
    const { rules, compared, collected } = round;
    const { repository, kind } = candidate;
    const now = registry.clock.now();
    try {
      const delayMs = delayOf(kind, rulesOf(rules, repository));
      const notYet = this.#notYet(candidate, delayMs, round);
      if (notYet !== null) return notYet;
      const waits = await mustWait(registry, candidate, { delayMs, indexes });
      if (waits !== null) return waits;
      const stamp = indexes.get(repository)?.stamp ?? null;
      const comparedIn = (name: string) => compared.verdictsIn(name, { rules, now });
      return await decideCandidate({ registry, rules, now, stamp, comparedIn }, candidate);
    } catch (error) {
      if (collected.isNewFailure(repository)) {
        report("error", "collection passes over a repository that cannot be looked at", {
          repository,
          error: String(error),
        });
      }
      return postponed(now);
    }
  }

  /** What its own store has reasons to leave for now, though the time of another one has come. */
  #notYet({ repository, since }: Candidate, delayMs: number, round: Round): Decision | null {
    const now = this.#options.registry.clock.now();
    const settings = this.#options.settings();
    if (Object.keys(settings.subPaths ?? {}).length === 0) return null;
    const { gc, gcTimeWindow } = settingsOf<StoreCollection>(settings, repository);
    // Until the rules are others.
    if (!gc) return { kind: "waits", until: never };
    if (round.isDryAgain(repository)) return postponed(now);
    const closedMs = opensInMs(parseTimeWindow(gcTimeWindow), now);
    if (closedMs > 0) return { kind: "waits", until: now + closedMs };
    const dueUntil = this.#clock.dueUntil(delayMs);
    return since > dueUntil ? { kind: "waits", until: since + (now - dueUntil) } : null;
  }

  async #carryOut(candidate: Candidate, decision: Decision, round: Round): Promise<void> {
    const { collected, rules } = round;
    const { repository } = candidate;
    const executor = round.executorOf(repository);
    collected.decided(candidate, decision, rulesOf(rules, repository).dryRun);
    const now = this.#options.registry.clock.now();
    const shiftMs = now - this.#clock.dueUntil(round.delaysMs[candidate.kind]);
    const removed = await executor.carryOut(candidate, decision, shiftMs);
    if (removed && decision.kind === "collected") collected.add(candidate, decision.sizeBytes);
    if (removed || decision.kind !== "collected") this.#options.onDecision?.(candidate, decision);
  }
}

/** Stores of which a dry run tells each `gcInterval`, though others are collected in between. */
class DryRuns {
  readonly #clock: Clock;
  readonly #settings: () => CollectionSettings;
  /** By the key of the store, in monotonic milliseconds. */
  readonly #toldAtMs = new Map<string | null, number>();

  constructor(clock: Clock, settings: () => CollectionSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  isDue(repository: string): boolean {
    const settings = this.#settings();
    const toldAtMs = this.#toldAtMs.get(keyOf<StoreCollection>(settings, repository));
    const { gcInterval } = settingsOf<StoreCollection>(settings, repository);
    return toldAtMs === undefined || this.#clock.monotonicMs() - toldAtMs >= gcInterval;
  }

  /** A round is over. */
  told(): void {
    const settings = this.#settings();
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { retention, gcInterval }] of [
      [null, settings] as const,
      ...Object.entries(settings.subPaths ?? {}),
    ]) {
      const before = this.#toldAtMs.get(key);
      if (!retention.dryRun) this.#toldAtMs.delete(key);
      else if (before === undefined || nowMs - before >= gcInterval) this.#toldAtMs.set(key, nowMs);
    }
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function delayOf(kind: CandidateKind, { delayMs, gcDelayMs }: RetentionRules): number {
  return kind === "manifest" ? delayMs : gcDelayMs;
}

function shortestDelays(rules: RetentionRules): Round["delaysMs"] {
  const shortest = (kind: CandidateKind): number =>
    Math.min(...everyRules(rules).map((each) => delayOf(kind, each)));
  return {
    manifest: shortest("manifest"),
    blob: shortest("blob"),
    repository: shortest("repository"),
  };
}

/** Of what candidates are decided by; with several stores, what makes those of one wait while others go as well. */
function textOf({ retention, gcDelay, gc, gcTimeWindow, subPaths = {} }: CollectionSettings) {
  const apart = Object.entries(subPaths);
  if (apart.length === 0) return JSON.stringify([retention, gcDelay]);
  return JSON.stringify([
    [retention, gcDelay, gc, gcTimeWindow],
    apart.map(([key, store]) => [
      key,
      store.retention,
      store.gcDelay,
      store.gc,
      store.gcTimeWindow,
    ]),
  ]);
}
