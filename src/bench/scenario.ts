/**
 * What a scenario of `zot bench` is: something set up once, and one operation that is repeated and measured.
 *
 * Operations do not depend on each other or on their order, so any number may run at once. Each returns the exchanges
 * that it made; the first byte of the first exchange counts as the operation's. `load.ts` repeats and measures,
 * `workloads.ts` makes them, `scenarios.ts` is the table.
 */
import type { RegistryClient } from "../client/registry_client.ts";
import type { World } from "./world.ts";

/** What one operation took, beside its own time. */
export interface Done {
  /** Bytes of content that travelled, in either direction. */
  readonly bytes: number;
  /** Milliseconds to the first byte of the content that was asked for; null where that means nothing. */
  readonly firstByteMs: number | null;
}

export interface Run {
  readonly client: RegistryClient;
  readonly world: World;
  /** How many operations there will be. */
  readonly count: number;
}

/**
 * Sets up what the operations of one round need; not measured. What stays the same for all rounds of a world is made
 * once (`oncePerWorld` in workloads.ts).
 */
export type Prepare = (run: Run) => Promise<Operation>;

/** Performs operation number `index`, from 0. */
export type Operation = (index: number) => Promise<Done>;

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Operations as a part of `-n`: large transfers are repeated less often. */
  readonly share: number;
  /** At once, when it is not `-c`. */
  readonly concurrency?: number;
  readonly prepare: Prepare;
}
