// System calls that fail, or end the server, in the middle of a push. A few points here; `npm run faults` tries
// every kind of call at every k.

import { describe, expect, test } from "bun:test";
import { canInject, faultAt, type FaultPoint, nameOf } from "./kth_call.ts";

const timeoutMs = 60_000;

const points: readonly FaultPoint[] = [
  { call: "fsync", fault: "kill", k: 1, warm: true },
  { call: "fsync", fault: "kill", k: 2 },
  { call: "link", fault: "kill", k: 1 },
  { call: "rename", fault: "kill", k: 1 },
  { call: "unlink", fault: "kill", k: 1 },
  { call: "fsync", fault: "kill", k: 1, on: "facts", from: "manifest" },
  { call: "openat", fault: "ENOSPC", k: 2, warm: true },
  { call: "pwrite64", fault: "ENOSPC", k: "1+", on: "facts", from: "manifest" },
  { call: "fsync", fault: "EIO", k: 1, on: "facts" },
  { call: "fsync", fault: "kill", k: 1, warm: true, whole: true },
  { call: "rename", fault: "kill", k: 1, whole: true },
  { call: "openat", fault: "ENOSPC", k: 1, warm: true, whole: true },
];

/** The flush of the bytes failed, or that of the commit. */
const unacknowledged = [
  [500, 404],
  [503, 404],
];

describe.skipIf(!canInject())("a push survives", () => {
  for (const point of points) {
    test(
      nameOf(point),
      async () => {
        const { problems, hit } = await faultAt(point);
        expect(problems).toEqual([]);
        expect(hit).toBe(true);
      },
      timeoutMs,
    );
  }

  const lostFlush: FaultPoint = { call: "fsync", fault: "EIO", k: 1, warm: true };
  test(
    `${nameOf(lostFlush)}: bytes whose flush failed are not acknowledged, and their upload is gone`,
    async () => {
      const { problems, hit, statuses } = await faultAt(lostFlush);
      expect(problems).toEqual([]);
      expect(hit).toBe(true);
      expect(unacknowledged).toContainEqual([...statuses]);
    },
    timeoutMs,
  );
});

describe.skipIf(!canInject())("a push of a blob that is at hand", () => {
  const lostFlush: FaultPoint = { call: "fsync", fault: "EIO", k: 1, warm: true, whole: true };
  test(
    "whose bytes could not be flushed is not acknowledged",
    async () => {
      const { problems, hit, statuses } = await faultAt(lostFlush);
      expect(problems).toEqual([]);
      expect(hit).toBe(true);
      expect(unacknowledged).toContainEqual([...statuses]);
    },
    timeoutMs,
  );
});

describe.skipIf(!canInject())("a planted bug is caught", () => {
  test(
    "a server that never flushes does not notice that a flush fails",
    async () => {
      const point: FaultPoint = { call: "fsync", fault: "EIO", k: 1, warm: true };
      const { hit, statuses } = await faultAt(point, "never-flushes");
      expect(hit).toBe(false);
      expect(statuses).toEqual([201, 201]);
    },
    timeoutMs,
  );

  test(
    "a server that acknowledges before it has committed",
    async () => {
      const point: FaultPoint = {
        call: "pwrite64",
        fault: "ENOSPC",
        k: "1+",
        on: "facts",
        from: "manifest",
      };
      const { problems } = await faultAt(point, "acknowledges-early");
      expect(problems).not.toEqual([]);
    },
    timeoutMs,
  );
});
