/**
 * Leases of replicas, by rows beside the metadata (`metadata/leases.ts`).
 *
 * A lease lasts 30 seconds by the clock of the database, and is renewed every ten. A holder that could not renew it for
 * that long by its own clock takes it for lost, whatever it can learn; one that was stopped and comes back finds that
 * another one has it. One that ends gives it back.
 */
import type { Clock } from "../lib/clock.ts";
import type { Lease, Leases } from "../lib/lease.ts";
import { leases, type LeaseChange } from "../metadata/leases.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { recordCommit } from "../metadata/records.ts";

const lastsMs = 30_000;
const renewedMs = 10_000;
/** After a try that failed the database is asked again. */
const triedMs = 1_000;
/** A lease that another one has is not asked for again so long: many jobs ask for the same. */
const askedMs = 5_000;

type Rows = Pick<Metadata, "commit" | "records">;

export class RecordLeases implements Leases {
  readonly #open: () => Rows;
  readonly #clock: Clock;
  /** When each was found to be another one's. */
  readonly #refusedMs = new Map<string, number>();

  /** `open` is asked when it is first needed. */
  constructor(open: () => Rows, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  async take(name: string): Promise<Lease | null> {
    const askedAtMs = this.#clock.monotonicMs();
    const refusedMs = this.#refusedMs.get(name);
    if (refusedMs !== undefined && askedAtMs - refusedMs < askedMs) return null;
    const holder = crypto.randomUUID();
    await this.#commit({ kind: "take", name, holder, lastsMs });
    const fence = await this.#fenceOf(name, holder);
    if (fence === null) {
      this.#refusedMs.set(name, askedAtMs);
      return null;
    }
    this.#refusedMs.delete(name);
    const lost = new AbortController();
    const given = new AbortController();
    const renewing = this.#keep({ name, holder, renewedAtMs: askedAtMs }, given.signal, lost);
    return {
      fence,
      lost: lost.signal,
      release: async () => {
        given.abort();
        await renewing;
        // The next one waits for its end at worst.
        await this.#commit({ kind: "give-back", name, holder }).catch(() => undefined);
      },
    };
  }

  /** Renews it until it is given back or lost. Never rejects. */
  async #keep(
    held: { readonly name: string; readonly holder: string; renewedAtMs: number },
    given: AbortSignal,
    lost: AbortController,
  ): Promise<void> {
    const { name, holder } = held;
    const clock = this.#clock;
    for (let pauseMs = renewedMs; ;) {
      const endMs = held.renewedAtMs + lastsMs;
      await clock.sleep(Math.min(pauseMs, endMs - clock.monotonicMs()), given);
      if (given.aborted) return;
      const askedAtMs = clock.monotonicMs();
      const isOver = askedAtMs >= endMs;
      const isOurs = isOver ? false : await within(this.#renew(name, holder), endMs, clock, given);
      if (given.aborted) return;
      if (isOurs === false) return lost.abort();
      pauseMs = isOurs === null ? triedMs : renewedMs;
      if (isOurs === true) held.renewedAtMs = askedAtMs;
    }
  }

  /** Null where it cannot be told. */
  async #renew(name: string, holder: string): Promise<boolean | null> {
    try {
      await this.#commit({ kind: "renew", name, holder, lastsMs });
      return (await this.#fenceOf(name, holder)) !== null;
    } catch {
      return null;
    }
  }

  /** Of the lease, while this holder has it. */
  async #fenceOf(name: string, holder: string): Promise<number | null> {
    const row = await this.#open().records(leases).lease(name);
    return row?.holder === holder ? row.fence : null;
  }

  async #commit(change: LeaseChange): Promise<void> {
    await this.#open().commit(recordCommit(leases, change));
  }
}

/** An answer in time; null where none came. */
async function within<T>(
  answer: Promise<T>,
  untilMs: number,
  clock: Clock,
  given: AbortSignal,
): Promise<T | null> {
  const answered = new AbortController();
  const late = clock
    .sleep(untilMs - clock.monotonicMs(), AbortSignal.any([answered.signal, given]))
    .then(() => null);
  try {
    return await Promise.race([answer, late]);
  } finally {
    answered.abort();
  }
}
