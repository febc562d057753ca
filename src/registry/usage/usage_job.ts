/**
 * Keeps the totals right: counts what was there before they were kept, and counts one repository after the other anew.
 *
 * Both go slice by slice, each a commit of its own with a rest after it. What a recount finds wrong is mended and
 * told: a total that is kept with every change should never be.
 */
import { recordCommit } from "../../metadata/records.ts";
import { usage, type Recount } from "../../metadata/usage.ts";
import type { Registry } from "../registry.ts";

/** Digests of a slice: some milliseconds of the writer. */
const sliceMax = 256;
/** A rest is so many times as long as the slice before it. */
const restFactor = 4;
/** From the begin of one recount to the next. */
const recountEveryMs = 60_000;

export interface UsageJobOptions {
  readonly registry: Registry;
  /** Called with the bytes by which a total was wrong. */
  readonly onDrift?: ((bytes: number) => void) | undefined;
}

export class UsageJob {
  readonly #options: UsageJobOptions;
  /** The total that was counted anew last; null before the first. */
  #last: number | null = null;
  #nextRecountMs: number;

  constructor(options: UsageJobOptions) {
    this.#options = options;
    this.#nextRecountMs = options.registry.clock.monotonicMs() + recountEveryMs;
  }

  /** One run. Gives how soon to come again. */
  async run(signal: AbortSignal): Promise<number> {
    const { metadata, clock } = this.#options.registry;
    await this.#countAll(signal);
    if (signal.aborted) return 0;
    if (clock.monotonicMs() >= this.#nextRecountMs) {
      const reads = metadata.records(usage);
      const id = await this.#next();
      this.#nextRecountMs = clock.monotonicMs() + recountEveryMs;
      await metadata.commit(recordCommit(usage, { kind: "begin-recount", id }));
      await this.#countAll(signal);
      const recount = await reads.recount();
      if (recount?.isDone === true) await this.#end(recount);
    }
    return Math.max(0, this.#nextRecountMs - clock.monotonicMs());
  }

  /** The registry comes after its repositories, and they after it again. The first is any of them. */
  async #next(): Promise<number> {
    const { metadata, clock } = this.#options.registry;
    const reads = metadata.records(usage);
    const before = this.#last ?? clock.now() % ((await reads.lastTotal()) + 1);
    this.#last = (await reads.nextTotal(before)) ?? 0;
    return this.#last;
  }

  async #countAll(signal: AbortSignal): Promise<void> {
    const { metadata, clock } = this.#options.registry;
    const reads = metadata.records(usage);
    while (!signal.aborted && (await reads.isCounting())) {
      const startedMs = clock.monotonicMs();
      await metadata.commit(recordCommit(usage, { kind: "count", limit: sliceMax }));
      await clock.sleep(restFactor * (clock.monotonicMs() - startedMs), signal);
    }
  }

  async #end({ id, repository, drift }: Recount): Promise<void> {
    const { registry, onDrift } = this.#options;
    await registry.metadata.commit(recordCommit(usage, { kind: "end-recount", id }));
    if (Object.values(drift).every((each) => each === 0)) return;
    onDrift?.(Math.max(...[drift.linkedBytes, drift.ownBytes, drift.keptBytes].map(Math.abs)));
    registry.report("warn", "a total was wrong, and is mended", { repository, ...drift });
  }
}
