// What the tests of drivers work with: a driver under test, bytes that show every mistake, and stages at hand.
//
// Promises: equal seeds give equal bytes. Leaves to others: what is tested (`driver.ts`).

import type { manualClock } from "../../src/lib/clock.ts";
import type { AppendOptions, ByteSource, Driver, Stage } from "../../src/storage/driver.ts";

/** A driver under test, on a place of its own. */
export interface OpenDriver extends AsyncDisposable {
  readonly driver: Driver;
  readonly clock: ReturnType<typeof manualClock>;
  /** Opens the same place once more, as another worker would; closed with this one. */
  readonly another: () => Driver;
  /** Holds a stage in another process until `release`, or until that process is killed. */
  readonly holdElsewhere: (id: string) => Promise<{
    readonly kill: () => Promise<void>;
    readonly release: () => Promise<void>;
  }>;
  /** The digest that another process finds for a stage. */
  readonly digestElsewhere: (id: string, algorithm: string) => Promise<string>;
}

export type OpenEmptyDriver = () => Promise<OpenDriver>;

export const unlimited: AppendOptions = {
  stageBytesMax: null,
  idleMs: 3_600_000,
  onIdle: () => undefined,
};

/** Bytes that differ at every place that a mistake may shift them to. */
export function sample(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed * 2_654_435_761;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return { body: bytes, lengthBytes: bytes.length };
}

/** Opens a stage that must be free. */
export async function held(driver: Driver, id: string): Promise<Stage & AsyncDisposable> {
  const stage = await driver.openStage(id);
  if (stage === null || stage === "busy") throw new Error(`stage ${id} is ${stage ?? "absent"}`);
  return Object.assign(stage, { [Symbol.asyncDispose]: () => stage.close() });
}

/** A new stage that holds these bytes. */
export async function staged(driver: Driver, id: string, bytes: Uint8Array): Promise<void> {
  await driver.createStage(id);
  await using stage = await held(driver, id);
  await stage.append(bytesSource(bytes), unlimited);
}
