// The store in memory passes the contract of metadata stores (test/contracts/metadata.ts).

import { metadataContract } from "../../../test/contracts/metadata.ts";
import { tablesWithLayouts } from "../sqlite/own_tables.ts";
import { openMemoryMetadata } from "./memory_metadata.ts";

metadataContract("the store in memory", async (options) => {
  const metadata = openMemoryMetadata({ records: tablesWithLayouts, ...options });
  return {
    metadata,
    // There is one process, and so one opening.
    another: () => metadata,
    batches: null,
    [Symbol.asyncDispose]: () => metadata.close(),
  };
});
