// Processor time and memory of a process and all below it.

import { expect, test } from "bun:test";
import { eventually } from "../../test/processes.ts";
import { parseStat, readProcessTree, resetPeaks, serverCost } from "./process_tree.ts";

test("parseStat counts its own and its ended children's time, whatever the name is", () => {
  const text = "42 (a (b) c) S 7 42 42 0 -1 4194304 100 0 0 0 150 50 20 30 20 0 1 0 100 1000 10";
  expect(parseStat(text)).toEqual({ pid: 42, parent: 7, name: "a (b) c", cpuSeconds: 2.5 });
});

test.skipIf(process.platform !== "linux")(
  "a tree holds children, and their time after they ended",
  async () => {
    // The shell's child works, then ends; the shell waits for it and stays.
    const script = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; echo done; cat";
    await using child = Bun.spawn(["sh", "-c", script], { stdin: "pipe", stdout: "pipe" });
    const reader = child.stdout.getReader();
    await reader.read();
    await eventually("the cat is there", () => readProcessTree(child.pid).length === 2);
    const tree = readProcessTree(child.pid);
    expect(tree[0]?.pid).toBe(child.pid);
    expect(tree.every((each) => each.peakBytes > 0)).toBe(true);
    expect(serverCost(child.pid)?.cpuSeconds).toBeGreaterThan(0);
    resetPeaks(child.pid);
    expect(readProcessTree(child.pid)[0]?.peakBytes).toBeGreaterThan(0);
    child.kill();
    await child.exited;
    expect(readProcessTree(child.pid)).toEqual([]);
  },
);
