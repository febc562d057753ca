/**
 * Keeps retention from believing a clock that jumped ahead: after a jump nothing is removed for as long as the jump was,
 * or until the clock is set back. A server that was stopped for up to a week has just not looked.
 */
import type { Clock } from "../../lib/clock.ts";
import { recordCommit } from "../../metadata/records.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import { retention } from "../../metadata/retention.ts";
import type { Report } from "../registry.ts";

/** Less is adjusted often. */
const jumpMsMin = 60 * 60_000;
const stoppedMsMax = 7 * 24 * 60 * 60_000;
/** How often the time is written down. */
const writtenEveryMs = 60 * 60_000;

interface State {
  /** The wall clock when it was last looked at. */
  readonly seen: number;
  readonly heldUntil: number;
}

export class RetentionClock {
  readonly #registry: { readonly clock: Clock; readonly metadata: Metadata };
  readonly #report: Report;
  #state: State | null = null;
  #lastMonotonicMs: number | null = null;
  #writtenAt = 0;

  constructor(registry: { readonly clock: Clock; readonly metadata: Metadata }, report: Report) {
    this.#registry = registry;
    this.#report = report;
  }

  /** Looks at the clock, once a run. True while nothing may be removed. */
  async isHeld(): Promise<boolean> {
    const { clock } = this.#registry;
    const now = clock.now();
    const monotonicMs = clock.monotonicMs();
    const before = (this.#state ??= await this.#read(now));
    const last = this.#lastMonotonicMs;
    this.#lastMonotonicMs = monotonicMs;
    const jumpMs = now - before.seen - (last === null ? 0 : monotonicMs - last);
    const isJump = jumpMs > (last === null ? stoppedMsMax : jumpMsMin);
    const wentBack = jumpMs < -jumpMsMin;
    const heldUntil = isJump ? now + jumpMs : wentBack ? 0 : before.heldUntil;
    this.#state = { seen: now, heldUntil };
    if (isJump) {
      this.#report("warn", "the clock went forward; retention removes nothing for as long", {
        minutes: Math.round(jumpMs / 60_000),
      });
    }
    if (isJump || wentBack || now - this.#writtenAt > writtenEveryMs) await this.#write();
    return heldUntil > now;
  }

  async #read(now: number): Promise<State> {
    const text = await this.#registry.metadata.records(retention).value("clock");
    return text === null ? { seen: now, heldUntil: 0 } : (JSON.parse(text) as State);
  }

  async #write(): Promise<void> {
    const { metadata } = this.#registry;
    const { seen = 0 } = this.#state ?? {};
    this.#writtenAt = seen;
    const value = JSON.stringify(this.#state);
    await metadata.commit(recordCommit(retention, { kind: "set-value", name: "clock", value }));
  }
}
