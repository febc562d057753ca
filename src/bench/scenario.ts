/**
 * What a scenario of `zot bench` is: something set up once, and one operation that is repeated and measured.
 *
 * Promises: operations are independent of each other and of their order, so that any number may run at once; each
 * gives the exchanges it made, of which the first one's first byte is the operation's.
 * Leaves to others: repeating and measuring (`load.ts`), the table (`scenarios.ts`).
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

/** Performs operation number `index`, from 0. */
export type Operation = (index: number) => Promise<Done>;

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Operations as a part of `-n`: large transfers are repeated less often. */
  readonly share: number;
  /** At once, when it is not `-c`. */
  readonly concurrency?: number;
  /** Sets up what the operations need; not measured. */
  readonly prepare: (run: Run) => Promise<Operation>;
}
