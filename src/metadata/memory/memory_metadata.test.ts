// The store in memory passes the contract of metadata stores (test/contracts/metadata.ts).

import { metadataContract } from "../../../test/contracts/metadata.ts";
import { tablesWithLayouts } from "../sqlite/own_tables.ts";
import { MemoryMetadata } from "./memory_metadata.ts";

metadataContract("the store in memory", async (options) => {
  const store = new MemoryMetadata({ records: tablesWithLayouts, ...options });
  const metadata = store.open({ committer: store });
  return {
    metadata,
    // There is one process, and so one opening.
    another: () => metadata,
    batches: null,
    [Symbol.asyncDispose]: () => store.close(),
  };
});
