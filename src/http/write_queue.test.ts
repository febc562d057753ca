// Bytes through a socket that takes what it likes: all of them, in order, once.

import { expect, test } from "bun:test";
import type { Socket } from "bun";
import * as fc from "fast-check";
import { WriteQueue } from "./write_queue.ts";

/** A socket that takes as many bytes per call as it is told, in turn; -1 is a closed one. */
function socketTaking(amounts: readonly number[]) {
  const taken: number[] = [];
  let call = 0;
  const write = (chunk: Uint8Array): number => {
    const amount = amounts[call % amounts.length]!;
    call += 1;
    if (amount < 0) return -1;
    const part = chunk.subarray(0, amount);
    taken.push(...part);
    return part.length;
  };
  return { socket: { write } as unknown as Socket<unknown>, taken };
}

const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 });
const amounts = fc
  .array(fc.integer({ min: -1, max: 25 }), { minLength: 1, maxLength: 8 })
  .filter((list) => list.some((amount) => amount > 0));

test("every byte goes out in order, however little the socket takes", () => {
  fc.assert(
    fc.property(chunks, amounts, (given, takes) => {
      const { socket, taken } = socketTaking(takes);
      const queue = new WriteQueue();
      for (const chunk of given) {
        // The runtime's buffer: what it holds is gone after the callback.
        const buffer = Uint8Array.from(chunk);
        expect(queue.write(socket, buffer)).toBe(queue.isEmpty);
        buffer.fill(0);
      }
      while (!queue.flush(socket));
      const all = given.flatMap((chunk) => [...chunk]);
      expect(taken).toEqual(all);
      expect(queue.takenBytes).toBe(all.length);
      expect(queue.isEmpty).toBe(true);
    }),
  );
});

test("what comes before there is a socket waits for it", () => {
  const { socket, taken } = socketTaking([100]);
  const queue = new WriteQueue();
  expect(queue.write(null, Uint8Array.of(1, 2))).toBe(false);
  expect(queue.write(socket, Uint8Array.of(3))).toBe(false);
  expect(taken).toEqual([]);
  expect(queue.flush(socket)).toBe(true);
  expect(taken).toEqual([1, 2, 3]);
});
