/**
 * The job of retention: looks at repositories in which something changed, or whose rules of time run out, and removes
 * the tags that no rule keeps. What it looks at follows the changes, never the number of repositories.
 */
import type { HeavyRunner } from "../../jobs/heavy_work.ts";
import { opensInMs, parseTimeWindow } from "../../lib/time_window.ts";
import { followFeed } from "../../metadata/followers.ts";
import type { FeedRecord } from "../../metadata/metadata.ts";
import { recordCommit } from "../../metadata/records.ts";
import { retention, type RetentionChange } from "../../metadata/retention.ts";
import { mustBeRead, postponedMs } from "../collection/must_wait.ts";
import { must } from "../../lib/assert.ts";
import type { Registry, Report } from "../registry.ts";
import {
  everyStore,
  settingsOf,
  type StoreCollection,
  type WithStores,
} from "../store_settings.ts";
import { evaluate, type Decision, type Evaluation } from "./evaluate.ts";
import { RetentionClock } from "./retention_clock.ts";
import { removeTags, retentionActor } from "./remove_tags.ts";
import { compileStores, mayRemove, policyOf, type RetentionRules } from "./rules.ts";

/** The part of the configuration in force that it needs. */
type RetentionSettings = WithStores<StoreCollection>;

export interface RetentionJobOptions {
  readonly registry: Registry;
  readonly heavy: HeavyRunner<Registry>;
  readonly report: Report;
  readonly settings: () => RetentionSettings;
}

const follower = "retention";
/** Repositories that are marked or looked at in one go. */
const pageMax = 256;
const intervalMsMin = 1_000;
const intervalMsMax = 60_000;

export class RetentionJob {
  readonly #options: RetentionJobOptions;
  readonly #clock: RetentionClock;
  /** Rules are compiled when the configuration has become another one. */
  #compiled: { readonly settings: RetentionSettings; readonly rules: RetentionRules } | null = null;

  constructor(options: RetentionJobOptions) {
    this.#options = options;
    const { registry, report } = options;
    this.#clock = new RetentionClock(registry, report);
  }

  /** One run; gives when to come again. */
  async run(signal: AbortSignal): Promise<number> {
    const settings = this.#options.settings();
    const rules = this.#rulesOf(settings);
    const { metadata } = this.#options.registry;
    await followFeed(
      metadata,
      { name: follower, from: "end", take: (records) => this.#note(records, rules) },
      signal,
    );
    // Without collection nothing is removed; what changed meanwhile is looked at when it is turned on.
    const isHeld = await this.#clock.isHeld();
    const isOpen = everyStore<StoreCollection>(settings).some(
      (store) => store.gc && this.#opensIn(store) === 0,
    );
    if (isOpen && !isHeld) {
      await this.#markAll(settings, rules);
      await this.#lookAtDue({ settings, rules }, signal);
    }
    // A changed option soon counts: looking for what is due costs a read of an index.
    const intervals = everyStore<StoreCollection>(settings).map(({ gcInterval }) => gcInterval);
    return Math.min(Math.max(intervalMsMin, Math.min(...intervals)), intervalMsMax);
  }

  #opensIn({ gcTimeWindow }: StoreCollection): number {
    return opensInMs(parseTimeWindow(gcTimeWindow), this.#options.registry.clock.now());
  }

  #rulesOf(settings: RetentionSettings): RetentionRules {
    const before = this.#compiled?.settings;
    if (before?.retention !== settings.retention || before.subPaths !== settings.subPaths) {
      const rules = compileStores(settings);
      this.#compiled = { settings, rules };
    }
    return must(this.#compiled, "rules were compiled").rules;
  }

  /** Marks repositories that changed, and forgets manifests that were removed. */
  async #note(records: readonly FeedRecord[], rules: RetentionRules): Promise<void> {
    const changed = new Set(
      records
        .map(({ repository }) => repository)
        .filter((name) => mayRemove(policyOf(rules, name))),
    );
    const removed = records.flatMap(({ repository, tag, digest, previous }) =>
      tag === null && digest === null && previous !== null
        ? [{ repository, digest: previous }]
        : [],
    );
    const changes: RetentionChange[] = [];
    if (changed.size > 0) changes.push({ kind: "look-soon", repositories: [...changed] });
    if (removed.length > 0) changes.push({ kind: "forget", manifests: removed });
    if (changes.length > 0) await this.#commit(...changes);
  }

  /** Other rules: every repository is looked at anew. */
  async #markAll(settings: RetentionSettings, rules: RetentionRules) {
    const { metadata } = this.#options.registry;
    const current = Bun.hash(textOf(settings)).toString(16);
    if ((await metadata.records(retention).value("rules")) === current) return;
    for (let after: string | null = null; ;) {
      const page: string[] = await metadata.repositories({ after, limit: pageMax });
      const repositories = page.filter((name) => mayRemove(policyOf(rules, name)));
      if (repositories.length > 0) await this.#commit({ kind: "look-soon", repositories });
      if (page.length < pageMax) break;
      after = page.at(-1) ?? null;
    }
    await this.#commit({ kind: "set-value", name: "rules", value: current });
  }

  async #lookAtDue(
    given: { readonly settings: RetentionSettings; readonly rules: RetentionRules },
    signal: AbortSignal,
  ): Promise<void> {
    const { registry, report } = this.#options;
    const until = registry.clock.now();
    for (;;) {
      const due = await registry.metadata.records(retention).due(until, pageMax);
      for (const repository of due) {
        signal.throwIfAborted();
        const asOf = registry.clock.now();
        try {
          const lookAt = await this.#lookAt(repository, { ...given, now: asOf }, signal);
          await this.#commit({ kind: "looked", repository, asOf, lookAt });
        } catch (error) {
          signal.throwIfAborted();
          // One repository that cannot be read keeps no other one waiting.
          report("error", "retention could not look at a repository; it is tried again", {
            repository,
            error: String(error),
          });
          const { gcInterval } = settingsOf<StoreCollection>(given.settings, repository);
          const lookAt = asOf + Math.max(intervalMsMin, gcInterval);
          await this.#commit({ kind: "looked", repository, asOf, lookAt });
        }
      }
      if (due.length < pageMax) return;
    }
  }

  /** Removes what goes; gives when to look again. */
  async #lookAt(
    repository: string,
    {
      settings,
      rules,
      now,
    }: {
      readonly settings: RetentionSettings;
      readonly rules: RetentionRules;
      readonly now: number;
    },
    signal: AbortSignal,
  ): Promise<number | null> {
    const { registry, heavy } = this.#options;
    if (!mayRemove(policyOf(rules, repository))) return null;
    const store = settingsOf<StoreCollection>(settings, repository);
    // Where collection is turned on in another store later, all of it is looked at anew.
    if (!store.gc) return null;
    const opensIn = this.#opensIn(store);
    if (opensIn > 0) return now + opensIn;
    // Tags of an older database may be others by now.
    if (await mustBeRead(registry, repository)) return now + postponedMs;
    const { retention: values, gcDelay: gcDelayMs } = store;
    const { dryRun } = values;
    const question = { repository, values, gcDelayMs, now };
    const evaluation = await evaluate(registry, heavy, { question, rules }, signal);
    this.#tell(evaluation, dryRun);
    if (dryRun) return evaluation.lookAt;
    const by = retentionActor;
    const moved = await removeTags(registry, repository, evaluation.deleted, { by, signal });
    // What moved meanwhile is another tag by now: its change is in the feed.
    if (moved.length > 0) {
      this.#options.report("info", "tags moved while retention looked at them, and stay", {
        repository,
        tags: moved.length,
      });
    }
    return evaluation.lookAt;
  }

  #tell(evaluation: Evaluation, dryRun: boolean): void {
    const { report } = this.#options;
    const { repository, tags, deleted, unmatched } = evaluation;
    const told = (decision: Decision): void =>
      report("info", "applied policy", decisionFields(repository, decision, dryRun));
    if (deleted.length * 2 > tags) {
      report("warn", "retention removes more than half of the tags of a repository", {
        repository,
        removed: deleted.length,
        unmatched,
        tags,
        "dry-run": dryRun,
      });
    }
    for (const decision of deleted) told(decision);
    for (const decision of evaluation.kept) told(decision);
  }

  async #commit(...changes: RetentionChange[]): Promise<void> {
    await this.#options.registry.metadata.commit(recordCommit(retention, ...changes));
  }
}

/** Of what decides which tags stay; with several stores, whether each is collected as well. */
function textOf({ retention: values, gcDelay, gc, subPaths = {} }: RetentionSettings): string {
  const apart = Object.entries(subPaths).map(([key, store]) => {
    return [key, store.retention, store.gcDelay, store.gc];
  });
  return JSON.stringify(apart.length === 0 ? [values, gcDelay] : [values, gcDelay, gc, apart]);
}

/** The fields of zot's line. */
function decisionFields(repository: string, decision: Decision, dryRun: boolean): object {
  const { tag, digest, pushedAt, pulledAt } = decision;
  return {
    module: "retention",
    "dry-run": dryRun,
    repository,
    digest,
    tag,
    lastPullTimestamp: pulledAt === null ? null : new Date(pulledAt).toISOString(),
    pushTimestamp: new Date(pushedAt).toISOString(),
    decision: decision.decision,
    reason: decision.reason,
  };
}
