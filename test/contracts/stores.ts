// What stores of bytes must do, whatever they keep them in: the contracts of `src/storage` as groups of tests.
//
// An implementation's own test file calls `storesContract` with a way to open it on an empty place. Nothing here knows
// where the bytes lie; every test fails when it leaves something half-written behind. What only one implementation
// can do (modes, hard links, full disks, the order of flushes) is tested beside it.

import { describe, expect } from "bun:test";
import { testChecks } from "./blob_checks.ts";
import { testBlobs } from "./blob_store.ts";
import { testBodies } from "./upload_bodies.ts";
import { testFinishing } from "./upload_finishing.ts";
import { testUploads } from "./upload_store.ts";
import type { OpenEmptyStores, OpenStores } from "./store_samples.ts";

export interface StoresSay {
  /** Whether content of two repositories is stored once when it is shared. */
  readonly sharesOnce?: boolean;
  /** Whether uploads can be read while they grow. */
  readonly follows?: boolean;
}

export function storesContract(
  name: string,
  open: OpenEmptyStores,
  { sharesOnce = true, follows = true }: StoresSay = {},
): void {
  const opened: OpenEmptyStores = async () => checkedAtEnd(await open());
  describe(`${name}: blobs`, () => testBlobs(opened, sharesOnce));
  describe(`${name}: checks`, () => testChecks(opened, sharesOnce));
  describe(`${name}: uploads`, () => testUploads(opened, follows));
  describe(`${name}: bodies`, () => testBodies(opened));
  describe(`${name}: finishing`, () => testFinishing(opened, sharesOnce));
}

/** Closing it fails when something was left behind. */
function checkedAtEnd(open: OpenStores): OpenStores {
  return {
    ...open,
    [Symbol.asyncDispose]: async () => {
      const left = await open.stores.blobs.removeLeftovers(Number.NEGATIVE_INFINITY);
      await open[Symbol.asyncDispose]();
      expect({ left }).toEqual({ left: 0 });
    },
  };
}
