/**
 * Keys for objects that will be written: written down several at a time, ahead of their use, so that a push sends its
 * bytes without waiting for a commit. What a process leaves of them when it ends is given up by a job.
 */
import type { Clock } from "../../lib/clock.ts";
import type { ObjectRecords } from "../object_records.ts";

/** Keys that are reserved at once; more when so few are left. */
const reservedAtOnce = 32;
const keysLeftMin = 8;
/** Keys that were not used for so long are left alone: a job gives them up after a day. */
const usedWithinMs = 12 * 60 * 60_000;

/** Where content lies in the store. */
export const objectsPrefix = "objects/";

interface Reserved {
  readonly key: string;
  readonly at: number;
}

export class ReservedKeys {
  readonly #records: Pick<ObjectRecords, "reserve">;
  readonly #clock: Clock;
  #keys: Reserved[] = [];
  #reserving: Promise<void> | null = null;

  constructor({ records, clock }: { records: Pick<ObjectRecords, "reserve">; clock: Clock }) {
    this.#records = records;
    this.#clock = clock;
  }

  /** A key that is written down, and nobody else's. */
  async take(): Promise<string> {
    for (;;) {
      const now = this.#clock.now();
      // Whichever way the clock was set meanwhile.
      this.#keys = this.#keys.filter(({ at }) => Math.abs(now - at) < usedWithinMs);
      const next = this.#keys.shift();
      if (next === undefined) {
        await this.#reserve();
        continue;
      }
      // Who takes the last ones finds out what fails.
      if (this.#keys.length < keysLeftMin) void this.#reserve().catch(() => undefined);
      return next.key;
    }
  }

  #reserve(): Promise<void> {
    this.#reserving ??= this.#reserveSome().finally(() => {
      this.#reserving = null;
    });
    return this.#reserving;
  }

  async #reserveSome(): Promise<void> {
    const keys = Array.from({ length: reservedAtOnce }, newKey);
    const at = this.#clock.now();
    await this.#records.reserve(keys);
    this.#keys.push(...keys.map((key) => ({ key, at })));
  }
}

/** 128 random bits; the first of them spread the load. */
function newKey(): string {
  const hex = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
  return `${objectsPrefix}${hex.slice(0, 2)}/${hex}`;
}
