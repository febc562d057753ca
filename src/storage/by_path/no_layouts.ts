/**
 * What stands for layouts where a store has none and another one beside it has: nothing is ever found there, and an
 * index.json that is written goes nowhere.
 */
import type { LayoutDirectory } from "../layout_directory.ts";

/** Of an index.json that nobody can read. */
const stamp = "none";

export const noLayouts: LayoutDirectory = {
  repositories: () => nothing(),
  removeRepository: async () => true,
  hasBlobs: async () => false,
  adoptMarker: async () => null,
  hasEmptyIndex: () => false,
  openIndex: async () => null,
  flushIndex: async () => undefined,
  indexStamp: async () => null,
  writeIndex: async (_repository, _text, planned) => {
    await planned(stamp);
    return stamp;
  },
  quarantineIndex: async () => stamp,
  blobNames: () => nothing(),
  hasBlob: () => false,
  lookAtBlob: () => null,
  replaceLink: async () => false,
  readBlob: async () => null,
  blobPieces: () => nothing(),
  flushBlobs: async () => undefined,
};

async function* nothing(): AsyncGenerator<never> {
  // Nothing.
}
