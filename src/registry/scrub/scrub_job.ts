/**
 * The job of checks: when a round begins, what is kept of it, and when it is given up.
 *
 * The first round begins with the server, once all layouts are taken in, or goes on where it was broken off. Hashing has
 * a thread of its own; here nothing is computed. Two reads that fail within a day are damage of the disk: the round
 * stops, and says so.
 */
import packageJson from "../../../package.json" with { type: "json" };
import { recordCommit } from "../../metadata/records.ts";
import { scrub, type ScrubValue } from "../../metadata/scrub.ts";
import type { Registry } from "../registry.ts";
import type { RegistryJob } from "../registry_job.ts";
import { intervalMsMin, type ScrubSettings } from "./scrub_settings.ts";
import type { ScrubFound } from "./content_checker.ts";
import { Pace } from "./pace.ts";
import { Round, type RoundRecord } from "./round.ts";

/** A changed option counts after so long. */
const looksEveryMs = 5_000;
/** Proofs of rounds that are kept. */
const roundsMax = 100;
/** What a round does is noted so often. */
const notedEveryMs = 5_000;
/** Failed reads within this time are counted together. */
const diskErrorsMs = 24 * 60 * 60_000;
const diskErrorsMax = 2;

export interface ScrubJobOptions {
  readonly registry: Registry;
  readonly settings: () => ScrubSettings;
  /** Layouts were compared with the metadata: what lies there is known. */
  readonly isReady: () => boolean;
  /** Where people find a repository. */
  readonly directoryOf: (repository: string) => string;
  /** Hears of damage that is not healed, and of what is right again. */
  readonly onFound?: ((found: ScrubFound) => void) | undefined;
}

/** What is kept of a round that goes on, and of the last one. */
export interface ScrubState {
  readonly round: RoundRecord | null;
  /** When the next round begins; null while one goes on, or none is to come. */
  readonly nextAt: number | null;
  readonly isEnabled: boolean;
}

export function scrubJob(options: ScrubJobOptions): Omit<RegistryJob, "name" | "lease"> {
  const job = new ScrubJob(options);
  return { everyMs: looksEveryMs, followsCommits: false, run: (signal) => job.run(signal) };
}

class ScrubJob {
  readonly #options: ScrubJobOptions;
  readonly #pace: Pace;
  #round: RoundRecord | null = null;
  #isFirst = true;
  #notedAtMs = 0;
  #wasEnabled: boolean | null = null;

  constructor(options: ScrubJobOptions) {
    this.#options = options;
    this.#pace = new Pace(options.registry.clock);
  }

  /** How soon to look again; null for the usual time. */
  async run(signal: AbortSignal): Promise<number | null> {
    const { settings, isReady } = this.#options;
    const { enable } = settings();
    if (!enable) {
      if (this.#wasEnabled !== false) await this.#noteState();
      this.#wasEnabled = false;
      return null;
    }
    if (!isReady()) return 100;
    this.#wasEnabled = true;
    const record = await this.#begun();
    if (record === null) return null;
    await this.#noteState();
    const isFinished = await this.#work(record, signal);
    if (isFinished) await this.#finish(record);
    await this.#noteState();
    return null;
  }

  get #now(): number {
    return this.#options.registry.clock.now();
  }

  /** The round that is to go on; null until the next one begins. */
  async #begun(): Promise<RoundRecord | null> {
    if (this.#isFirst) {
      const state = await readState(this.#options.registry);
      this.#isFirst = false;
      this.#round = state?.round?.outcome === "running" ? state.round : newRound(this.#now);
      return this.#round;
    }
    const last = this.#round;
    if (last === null || last.outcome === "running") return last;
    if (this.#now < this.#nextAt(last)) return null;
    this.#round = newRound(this.#now);
    return this.#round;
  }

  #nextAt({ from }: RoundRecord): number {
    return from + Math.max(this.#options.settings().interval, intervalMsMin);
  }

  #work(record: RoundRecord, signal: AbortSignal): Promise<boolean> {
    const { registry, settings, directoryOf, onFound } = this.#options;
    const round = new Round({
      registry,
      pace: this.#pace,
      record,
      signal,
      onFound,
      mayGoOn: () => settings().enable,
      onProgress: async () => {
        const nowMs = registry.clock.monotonicMs();
        if (nowMs - this.#notedAtMs >= notedEveryMs) await this.#noteState();
      },
      onDiskError: () => this.#diskError(),
      directoryOf,
    });
    return round.run();
  }

  async #finish(record: RoundRecord): Promise<void> {
    record.to = this.#now;
    const { from } = record;
    const text = JSON.stringify(record);
    await this.#options.registry.metadata.commit(
      recordCommit(scrub, { kind: "round", from, record: text, kept: roundsMax }),
    );
    const { outcome, digests, bytes, bad, healed, failed } = record;
    const level = outcome === "stopped" ? "error" : bad > 0 || failed > 0 ? "warn" : "info";
    this.#options.registry.report(level, "a round of checks has ended", {
      module: "scrub",
      outcome,
      digests,
      bytes,
      bad,
      healed,
      failed,
    });
  }

  /** True where the disk fails too often. */
  async #diskError(): Promise<boolean> {
    const { registry } = this.#options;
    const text = await registry.metadata.records(scrub).value("disk-errors");
    const before = text === null ? [] : (JSON.parse(text) as number[]);
    const recent = [...before.filter((at) => this.#now - at < diskErrorsMs), this.#now];
    await this.#note("disk-errors", recent.slice(-diskErrorsMax));
    if (recent.length < diskErrorsMax) return false;
    registry.report(
      "error",
      "the disk failed to read twice within a day, and checks stop: look at the disk, and copy the root elsewhere",
      { module: "scrub", times: recent.map((at) => new Date(at).toISOString()) },
    );
    return true;
  }

  async #noteState(): Promise<void> {
    this.#notedAtMs = this.#options.registry.clock.monotonicMs();
    const round = this.#round;
    const isEnabled = this.#options.settings().enable;
    const nextAt = round === null || round.to === null ? null : this.#nextAt(round);
    const state: ScrubState = { round, nextAt: isEnabled ? nextAt : null, isEnabled };
    await this.#note("state", state);
  }

  async #note(name: ScrubValue, value: unknown): Promise<void> {
    await this.#options.registry.metadata.commit(
      recordCommit(scrub, { kind: "set", name, value: JSON.stringify(value) }),
    );
  }
}

/** Null before the first round. */
export async function readState({ metadata }: Registry): Promise<ScrubState | null> {
  const text = await metadata.records(scrub).value("state");
  return text === null ? null : (JSON.parse(text) as ScrubState);
}

function newRound(from: number): RoundRecord {
  return {
    from,
    to: null,
    outcome: "running",
    allDigests: 0,
    allBytes: 0,
    digests: 0,
    bytes: 0,
    bad: 0,
    healed: 0,
    failed: 0,
    version: packageJson.version,
  };
}
