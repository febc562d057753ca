/**
 * One round of checks: all content is listed, then checked, what is small first and of that the oldest check first; at
 * last the tags are judged by what was found.
 *
 * A round that was broken off goes on where it was, since what it has checked is noted. Its record proves what it did.
 */
import { MiB } from "../../lib/bytes.ts";
import { recordCommit } from "../../metadata/records.ts";
import { scrub, type Checked, type ScrubChange } from "../../metadata/scrub.ts";
import type { Registry } from "../registry.ts";
import { ContentChecker, type CheckerOptions } from "./content_checker.ts";
import { judgeRepository } from "./judge_repository.ts";
import type { Pace } from "./pace.ts";

/** Links that are looked at in one turn. */
const listedMax = 256;
/** Content that is taken at once; what was checked is noted after each. */
const dueMax = 64;
/** Bytes after which it is noted sooner. */
const notedBytesMax = 256 * MiB;
/** Marks, and repositories, that are asked for at once. */
const pageMax = 256;
/** After a turn of reading the metadata it rests so many times as long. */
const restFactor = 4;
/** Lines of the log about tags that are right, and about tags that are affected, in one round. */
const toldMax = 1_000;

/** The proof of a round; times in milliseconds since the epoch. */
export interface RoundRecord {
  readonly from: number;
  /** Null while it goes on. */
  to: number | null;
  /** "stopped" where the disk could not be read. */
  outcome: "running" | "done" | "stopped";
  /** What is to be checked. */
  allDigests: number;
  allBytes: number;
  digests: number;
  bytes: number;
  /** Copies that were found damaged, and are not healed. */
  bad: number;
  healed: number;
  /** What could not be looked at. */
  failed: number;
  readonly version: string;
}

export interface RoundOptions {
  readonly registry: Registry;
  readonly pace: Pace;
  readonly record: RoundRecord;
  readonly signal: AbortSignal;
  /** Whether it may go on now. */
  readonly mayGoOn: () => boolean;
  /** Called when something was done, to note it. */
  readonly onProgress: () => Promise<void>;
  /** The disk could not read a file. True where that is too often. */
  readonly onDiskError: () => Promise<boolean>;
  /** The directory of a repository, for lines of the log. */
  readonly directoryOf: (repository: string) => string;
  readonly onFound?: CheckerOptions["onFound"];
}

export class Round {
  readonly #options: RoundOptions;
  readonly #registry: Registry;
  readonly #checker: ContentChecker;
  #hadDiskError = false;
  #told = { ok: 0, affected: 0 };

  constructor(options: RoundOptions, checker: Pick<CheckerOptions, "healers"> = {}) {
    const { registry, pace, record, signal, onFound } = options;
    this.#options = options;
    this.#registry = registry;
    this.#checker = new ContentChecker({
      ...checker,
      registry,
      signal,
      onFound,
      onSlice: (bytes, ms) => {
        record.bytes += bytes;
        return pace.rest(bytes, ms, signal);
      },
      onDiskError: () => {
        this.#hadDiskError = true;
      },
    });
  }

  /** False when it has to go on later. */
  async run(): Promise<boolean> {
    const { record } = this.#options;
    await this.#healMarked();
    if (!(await this.#list()) || !(await this.#check())) return false;
    if (record.outcome === "stopped") return true;
    if (!(await this.#judge())) return false;
    record.outcome = "done";
    return true;
  }

  get #reads() {
    return this.#registry.metadata.records(scrub);
  }

  get #mayGoOn(): boolean {
    return this.#options.mayGoOn() && !this.#options.signal.aborted;
  }

  async #note(...changes: readonly ScrubChange[]): Promise<void> {
    if (changes.length > 0) await this.#registry.metadata.commit(recordCommit(scrub, ...changes));
  }

  /** Others have their turn. */
  async #rest(startedMs: number): Promise<void> {
    const { clock } = this.#registry;
    const tookMs = clock.monotonicMs() - startedMs;
    await clock.sleep(tookMs * restFactor, this.#options.signal);
  }

  async #healMarked(): Promise<void> {
    const { record } = this.#options;
    for (let after: { digest: string; repository: string } | null = null; this.#mayGoOn;) {
      const page = await this.#reads.damaged(after, pageMax);
      for (const mark of page) {
        if (!this.#mayGoOn) return;
        if (await this.#tried(() => this.#checker.heal(mark))) record.healed += 1;
      }
      const last = page.at(-1);
      if (last === undefined || page.length < pageMax) return;
      after = last;
    }
  }

  /** Content that is new is noted with the moment of its push, when its bytes were hashed. */
  async #list(): Promise<boolean> {
    const { record, pace } = this.#options;
    const { clock } = this.#registry;
    let [digests, bytes] = [0, 0];
    for (const kind of ["manifest", "blob"] as const) {
      let last = "";
      for (let after: string | null = null; ;) {
        if (!this.#mayGoOn) return false;
        const startedMs = clock.monotonicMs();
        const page: { items: readonly Checked[]; next: string | null } = await this.#reads.contents(
          kind,
          after,
          listedMax,
        );
        const checked: Checked[] = [];
        for (const item of page.items) {
          const name = `${item.digest} ${item.repository}`;
          if (name === last) continue;
          last = name;
          digests += 1;
          bytes += item.sizeBytes;
          checked.push(item);
        }
        const fresh = await this.#reads.unlisted(checked);
        if (fresh.length > 0) await this.#note({ kind: "list", checked: fresh });
        await this.#rest(startedMs);
        if (page.next === null) break;
        after = page.next;
      }
    }
    record.allDigests = digests;
    record.allBytes = bytes;
    pace.begin(bytes);
    return true;
  }

  async #check(): Promise<boolean> {
    const { record } = this.#options;
    const { clock } = this.#registry;
    for (;;) {
      const due = await this.#reads.due(record.from, dueMax);
      if (due.length === 0) return true;
      const changes: ScrubChange[] = [];
      const beforeBytes = record.bytes;
      for (const item of due) {
        if (!this.#mayGoOn || record.bytes - beforeBytes > notedBytesMax) break;
        const { digest, repository } = item;
        const isGone = await this.#tried(() => this.#checkOne(item));
        if (this.#options.signal.aborted) break;
        const at = Math.max(clock.now(), record.from);
        changes.push(
          isGone
            ? { kind: "unlist", digest, repository }
            : { kind: "checked", digest, repository, at },
        );
        if (this.#hadDiskError && (await this.#options.onDiskError())) record.outcome = "stopped";
        this.#hadDiskError = false;
        if (record.outcome === "stopped") break;
      }
      await this.#note(...changes);
      await this.#options.onProgress();
      if (record.outcome === "stopped") return true;
      if (!this.#mayGoOn) return false;
    }
  }

  /** Whether nothing has it any more. */
  async #checkOne(item: Checked): Promise<boolean> {
    const { record } = this.#options;
    const { isGone, damaged, healed } = await this.#checker.check(item);
    if (!isGone) record.digests += 1;
    record.bad += damaged;
    record.healed += healed;
    return isGone;
  }

  /** False, and a line of the log, where it fails: one bad directory keeps nothing else from being checked. */
  async #tried(work: () => Promise<boolean>): Promise<boolean> {
    const { record, signal } = this.#options;
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) return false;
      record.failed += 1;
      this.#report("error", "content could not be checked", { problem: String(error) });
      return false;
    }
  }

  /** Tells of tags as zot does. */
  async #judge(): Promise<boolean> {
    const { metadata, clock } = this.#registry;
    for (let after: string | null = null; ;) {
      const page: string[] = await metadata.repositories({ after, limit: pageMax });
      for (const repository of page) {
        if (!this.#mayGoOn) return false;
        const startedMs = clock.monotonicMs();
        await this.#judgeOne(repository);
        await this.#rest(startedMs);
      }
      if (page.length < pageMax) return true;
      after = page.at(-1) ?? null;
    }
  }

  async #judgeOne(repository: string): Promise<void> {
    const directory = this.#options.directoryOf(repository);
    const isTold = this.#told.ok < toldMax;
    const tell = (message: string): void => {
      if (isTold) this.#report("info", message, {});
    };
    tell(`executing scrub to check manifest/blob integrity for ${directory}`);
    const judged = await this.#tried(async () => {
      for await (const { tag, affected } of judgeRepository(this.#registry, repository)) {
        if (!this.#mayGoOn) return false;
        this.#tellTag(repository, tag, affected);
      }
      return true;
    });
    if (judged) tell(`scrub successfully completed for ${directory}`);
  }

  #tellTag(
    repository: string,
    tag: string,
    affected: { readonly blob: string; readonly error: string } | null,
  ): void {
    const fields = { image: repository, tag };
    if (affected === null) {
      this.#told.ok += 1;
      if (this.#told.ok > toldMax) return;
      this.#report("info", "blobs/manifest ok", { ...fields, status: "ok" });
      return;
    }
    this.#told.affected += 1;
    if (this.#told.affected > toldMax) return;
    const { blob, error } = affected;
    this.#report("warn", "blobs/manifest affected", {
      ...fields,
      status: "affected",
      "affected blob": blob.replace(/^[^:]*:/, ""),
      error,
    });
  }

  /** Programs that read the log of zot look for `message`. */
  #report(level: "info" | "warn" | "error", message: string, fields: object): void {
    this.#registry.report(level, message, { module: "scrub", message, ...fields });
  }
}
