// Leases by locked files pass the contract of leases (test/contracts/leases.ts).

import { describe } from "bun:test";
import { leasesContract } from "../../test/contracts/leases.ts";
import { memoryDirectory } from "../../test/memory_directory.ts";
import { FileLeases } from "./file_leases.ts";
import { makeRoot } from "./root_lock.ts";

describe("leases by files", () => {
  leasesContract(async () => {
    const directory = await memoryDirectory("zot-leases");
    makeRoot(directory.path);
    return {
      one: new FileLeases(directory.path),
      other: new FileLeases(directory.path),
      later: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
    };
  });
});
