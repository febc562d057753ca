/**
 * When manifests were pulled, gathered in a worker and written in batches.
 *
 * A pull costs a look in a map and no write. What came together is written a few seconds later, and of one manifest
 * once a minute, however often it is pulled. A clean stop writes the rest; a crash loses that of the last minute.
 */
import type { Clock } from "../../lib/clock.ts";
import type { Committer } from "../../metadata/metadata.ts";
import { recordCommit } from "../../metadata/records.ts";
import { retention } from "../../metadata/retention.ts";
import { subjectOfTag } from "../../oci/referrers.ts";
import type { Report } from "../registry.ts";
import { policyOf, ranksPulls, type RetentionRules } from "./rules.ts";

/** Pulls that come within this time after the first one are written together. */
const gatherMs = 5_000;
/** Of one manifest no more than once in this time. */
const restMs = 60_000;
/** Manifests whose pulls are gathered at most; pulls of others are not counted until those are written. */
const manifestsMax = 20_000;
/** Manifests in one commit. */
const sliceMax = 100;

interface Gathered {
  readonly repository: string;
  readonly digest: string;
  count: number;
  at: number;
  /** When its pulls were written last, on the monotonic clock; null for never. */
  writtenAt: number | null;
}

export interface Pull {
  readonly repository: string;
  readonly digest: string;
  /** Null for a pull by digest. */
  readonly tag: string | null;
  /** Name of the user; null for an anonymous caller. */
  readonly user: string | null;
  readonly userAgent: () => string | null;
}

export interface PullStatisticsOptions {
  readonly committer: Committer;
  readonly clock: Clock;
  readonly report: Report;
}

export class PullStatistics {
  readonly #options: PullStatisticsOptions;
  readonly #gathered = new Map<string, Map<string, Gathered>>();
  readonly #closing = new AbortController();
  #manifests = 0;
  #rules: RetentionRules | null = null;
  #writing: Promise<void> | null = null;

  constructor(options: PullStatisticsOptions) {
    this.#options = options;
  }

  /** Counts a pull, unless it is one of a signature or of a caller whose pulls count for nothing. */
  note(pull: Pull, rules: RetentionRules): void {
    if (pull.tag !== null && subjectOfTag(pull.tag) !== null) return;
    if (rules.ignoresPulls && isIgnored(pull, rules)) return;
    this.#rules = rules;
    const known = this.#of(pull);
    if (known === null) return;
    known.count += 1;
    known.at = this.#options.clock.now();
    this.#writing ??= this.#writeSoon();
  }

  /** Writes what is gathered. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    await this.#write(Number.POSITIVE_INFINITY);
  }

  #of({ repository, digest }: Pull): Gathered | null {
    let manifests = this.#gathered.get(repository);
    const known = manifests?.get(digest);
    if (known !== undefined) return known;
    if (this.#manifests >= manifestsMax) return null;
    if (manifests === undefined) this.#gathered.set(repository, (manifests = new Map()));
    const added = { repository, digest, count: 0, at: 0, writtenAt: null };
    manifests.set(digest, added);
    this.#manifests += 1;
    return added;
  }

  async #writeSoon(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    let waits = true;
    while (waits && !signal.aborted) {
      await clock.sleep(gatherMs, signal);
      if (!signal.aborted) waits = await this.#write(clock.monotonicMs());
    }
    this.#writing = null;
  }

  /** Writes what has rested until then; gives whether something waits still. */
  async #write(now: number): Promise<boolean> {
    const due: Gathered[] = [];
    let waits = false;
    for (const [repository, manifests] of this.#gathered) {
      for (const [digest, each] of manifests) {
        const hasRested = each.writtenAt === null || each.writtenAt + restMs <= now;
        if (each.count > 0 && hasRested) due.push(each);
        else if (each.count > 0) waits = true;
        else if (hasRested) {
          manifests.delete(digest);
          this.#manifests -= 1;
        } else waits = true;
      }
      if (manifests.size === 0) this.#gathered.delete(repository);
    }
    for (let at = 0; at < due.length; at += sliceMax)
      await this.#commit(due.slice(at, at + sliceMax));
    return waits || due.length > 0;
  }

  async #commit(due: readonly Gathered[]): Promise<void> {
    const rules = this.#rules;
    const pulls = due.map(({ repository, digest, at, count }) => ({
      repository,
      digest,
      at,
      count,
      looks: rules !== null && ranksPulls(policyOf(rules, repository)),
    }));
    for (const each of due) {
      each.count = 0;
      each.writtenAt = this.#options.clock.monotonicMs();
    }
    try {
      await this.#options.committer.commit(recordCommit(retention, { kind: "add-pulls", pulls }));
    } catch (error) {
      // Pulls are served all the same; these are counted with the next ones of their manifests.
      for (const [index, each] of due.entries()) each.count += pulls[index]?.count ?? 0;
      this.#options.report("warn", "pulls could not be counted; they are counted later", {
        manifests: due.length,
        error: String(error),
      });
    }
  }
}

function isIgnored({ repository, user, userAgent }: Pull, rules: RetentionRules): boolean {
  const { ignoresPull } = policyOf(rules, repository);
  return [user, userAgent()].some((caller) => caller !== null && ignoresPull(caller));
}
