// What any storage driver must do: the contract of `src/storage/driver.ts` as groups of tests.
//
// A driver's own test file calls `driverContract` with a way to open one on an empty place. The groups stand in
// files of their own: content under keys, stages, bodies and publishing.
// Promises: nothing here knows where a driver keeps its bytes; every test fails when it leaves temporary files
// behind. Leaves to others: what only one driver can do (modes, hard links, full disks, order of flushes).

import { describe, expect } from "bun:test";
import { testBodies } from "./driver_bodies.ts";
import { testContent } from "./driver_content.ts";
import { testPublishing } from "./driver_publishing.ts";
import type { OpenDriver, OpenEmptyDriver } from "./driver_samples.ts";
import { testStages } from "./driver_stages.ts";

export function driverContract(name: string, open: OpenEmptyDriver): void {
  const opened: OpenEmptyDriver = async () => checkedAtEnd(await open());
  describe(`${name}: content`, () => testContent(opened));
  describe(`${name}: stages`, () => testStages(opened));
  describe(`${name}: bodies`, () => testBodies(opened));
  describe(`${name}: publishing`, () => testPublishing(opened));
}

/** Closing it fails when temporary files were left behind. */
function checkedAtEnd(open: OpenDriver): OpenDriver {
  return {
    ...open,
    [Symbol.asyncDispose]: async () => {
      const left = await open.driver.sweepTemporary(Number.NEGATIVE_INFINITY);
      await open[Symbol.asyncDispose]();
      expect({ temporaryFilesLeft: left }).toEqual({ temporaryFilesLeft: 0 });
    },
  };
}
