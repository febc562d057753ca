// Reservations on a page that several processes share: sums, limits, and what is left of those who died.

import { describe, expect, test } from "bun:test";
import { manualClock } from "../../lib/clock.ts";
import { Reservations, reservationKey, reservationsMax, reservedMs } from "./reservations.ts";

const room = (place: number, roomBytes: number) => ({ place, roomBytes });

function opened() {
  const clock = manualClock(1_000_000_000);
  const page = new Int32Array(8 + reservationsMax * 8);
  // As two processes see one page.
  return { clock, one: new Reservations(page, clock), other: new Reservations(page, clock), page };
}

describe("reservations", () => {
  test("count for every process, in the quotas that they are of", () => {
    const { one, other } = opened();
    one.reserve(1, 60, [room(0, 100), room(40, 1_000)]);
    expect(other.look([room(0, 100), room(1, 100), room(40, 100)])).toEqual([
      { place: 0, reservedBytes: 60, roomBytes: 40 },
      { place: 1, reservedBytes: 0, roomBytes: 100 },
      { place: 40, reservedBytes: 60, roomBytes: 40 },
    ]);
    expect(other.reserve(2, 41, [room(0, 100)])).toEqual([
      { place: 0, reservedBytes: 60, roomBytes: 40 },
    ]);
    expect(one.look([room(0, 100)])[0]?.reservedBytes).toBe(60);
    other.reserve(2, 40, [room(0, 100)]);
    expect(one.look([room(0, 100)])[0]?.reservedBytes).toBe(100);
  });

  test("an upload has one, however many requests it takes, at whichever process", () => {
    const { one, other } = opened();
    one.reserve(1, 60, [room(0, 100)]);
    one.rest(1, 30);
    expect(other.look([room(0, 100)])[0]?.reservedBytes).toBe(30);
    expect(other.reserve(1, 90, [room(0, 100)])).toEqual([
      { place: 0, reservedBytes: 0, roomBytes: 100 },
    ]);
    expect(one.look([room(0, 100)])[0]?.reservedBytes).toBe(90);
    one.release(1);
    expect(other.look([room(0, 100)])[0]?.reservedBytes).toBe(0);
  });

  test("end by themselves when nobody renews them", async () => {
    const { clock, other, page } = opened();
    // A process that stands still renews nothing.
    new Reservations(page, manualClock(clock.now())).reserve(1, 60, [room(0, 100)]);
    expect(other.look([room(0, 100)])[0]?.reservedBytes).toBe(60);
    await clock.advance(reservedMs + 1_000);
    expect(other.look([room(0, 100)])[0]?.reservedBytes).toBe(0);
  });

  test("stand as long as their process works on them", async () => {
    const { clock, one, other } = opened();
    one.reserve(1, 60, [room(0, 100)]);
    await clock.advance(10 * reservedMs);
    expect(other.look([room(0, 100)])[0]?.reservedBytes).toBe(60);
    one.release(1);
  });

  test("are exact for sizes beyond 32 bits", () => {
    const { one, other } = opened();
    const bytes = 5 * 2 ** 40 + 12_345;
    one.reserve(1, bytes, [room(127, 2 ** 50)]);
    expect(other.look([room(127, 2 ** 50)])[0]?.reservedBytes).toBe(bytes);
  });

  test("more than there are places reserve nothing, and do not fail", () => {
    const { one } = opened();
    for (let key = 1; key <= reservationsMax + 5; key += 1) one.reserve(key, 1, [room(0, 1e9)]);
    expect(one.look([room(0, 1e9)])[0]?.reservedBytes).toBe(reservationsMax);
    for (let key = 1; key <= reservationsMax + 5; key += 1) one.release(key);
    expect(one.look([room(0, 1e9)])[0]?.reservedBytes).toBe(0);
  });

  test("any content of the page is valid, and a lock of the dead is no lock", () => {
    const { one, page } = opened();
    crypto.getRandomValues(page.subarray(8));
    page[0] = 1;
    // Of such times none is now, but for one in some millions.
    expect(one.look([room(0, 100)])[0]?.roomBytes).toBeLessThanOrEqual(100);
    expect(page[0]).toBe(0);
  });

  test("no upload is known by nothing", () => {
    for (let at = 0; at < 1_000; at += 1) expect(reservationKey(String(at))).not.toBe(0);
  });
});
