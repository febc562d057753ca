// A temporary directory in memory, where the machine has such a place: for tests that open very many small stores
// and have nothing to say about disks.

import { constants } from "node:fs";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TempDirectory } from "./temp.ts";

const inMemory = "/dev/shm";

/** A new empty directory, removed with everything in it at the end of the scope. */
export async function memoryDirectory(name = "zot-test"): Promise<TempDirectory> {
  const writable = await access(inMemory, constants.W_OK).then(
    () => true,
    () => false,
  );
  const path = await mkdtemp(join(writable ? inMemory : tmpdir(), `${name}-`));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
