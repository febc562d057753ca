// Snapshots of layouts: each stands still by itself, and together they take one connection while none is open.

import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { change, digest, manifest } from "../../../test/contracts/metadata_facts.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { systemClock } from "../../lib/clock.ts";
import type { LayoutSnapshot } from "../metadata.ts";
import { LayoutSnapshots } from "./sqlite_layout.ts";
import { SqliteWriter } from "./sqlite_writer.ts";

const repository = "team/app";

/** How often this process has the file open. */
function opened(path: string): number {
  const targets = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return targets.filter((target) => target === path).length;
}

test("snapshots take turns on a connection, each with what there was when it was opened", async () => {
  await using directory = await memoryDirectory("zot-layouts");
  const path = join(directory.path, "metadata.db");
  const writer = new SqliteWriter({ path, durable: false, clock: systemClock, bytes: noBytes });
  const tag = async (name: string): Promise<void> => {
    const changes = [change.put(manifest("one")), change.tag(name, "one")];
    await writer.commit({ repository, preconditions: [], changes, by: null });
  };
  const tagsOf = (snapshot: LayoutSnapshot | null): (string | null)[] =>
    [...(snapshot?.pages() ?? [])].flat().map((record) => record.tag);
  const snapshots = new LayoutSnapshots(path);
  await tag("v1");
  const first = snapshots.open(repository);
  await tag("v2");
  const second = snapshots.open(repository);
  expect(snapshots.open("nobody")).toBeNull();
  expect([tagsOf(first), tagsOf(second)]).toEqual([["v1"], ["v1", "v2"]]);
  expect([...(first?.pages() ?? [])].flat()[0]?.digest).toBe(digest("one"));
  for (const each of [first, second, first]) each?.close();
  await tag("v3");
  const before = opened(path);
  const third = snapshots.open(repository);
  expect(opened(path)).toBe(before);
  expect(tagsOf(third)).toEqual(["v1", "v2", "v3"]);
  snapshots.close();
  expect(tagsOf(third)).toEqual(["v1", "v2", "v3"]);
  third?.close();
  await writer.close();
  expect(opened(path)).toBe(0);
});
