// A full disk in the middle of uploads and of manifest pushes: 507 with a clear line, reads go on, and space that
// is freed makes it work again. The long version, with many more places, is `npm run faults`.

import { describe, expect, test } from "bun:test";
import { fillDisk } from "./full_disk.ts";
import { canMount } from "./small_disk.ts";

const timeoutMs = 60_000;

describe.skipIf(!(await canMount()))("a full disk", () => {
  test(
    "refuses what does not fit, keeps what was acknowledged, and takes it again later",
    async () => {
      const leaveBytes = [0, 60_000, 1_500_000, 4_000_000];
      expect(await fillDisk({ leaveBytes })).toEqual([]);
    },
    timeoutMs,
  );

  test(
    "a planted bug is caught: a server that acknowledges before it has committed",
    async () => {
      const problems = await fillDisk({ leaveBytes: [0], planted: "acknowledges-early" });
      expect(problems).not.toEqual([]);
    },
    timeoutMs,
  );
});
