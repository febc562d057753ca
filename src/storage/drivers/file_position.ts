/**
 * The position of an open file: where the runtime's own transfer of a body writes (`lseek(2)`).
 */
import { assert } from "../../lib/assert.ts";
import { cLibrary } from "./c_library.ts";

/** SEEK_SET: from the file's beginning. */
const fromStart = 0;

/** The next write without a position goes to this byte. */
export function setPosition(descriptor: number, position: number): void {
  const reached = Number(cLibrary().lseek(descriptor, position, fromStart));
  assert(reached === position, `storage: expected to write at ${position}, and is at ${reached}`);
}
