// The store of objects in memory passes the contract.

import { objectStoreContract } from "../../../test/contracts/object_store.ts";
import { MemoryObjects } from "./memory_objects.ts";

objectStoreContract("memory", async () => {
  const store = new MemoryObjects();
  return { store, [Symbol.asyncDispose]: () => store.close() };
});
