// What workers remember of facts: only what no later commit may have changed, whichever process made it.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { change, commitOf, repository } from "../../test/contracts/metadata_facts.ts";
import { canMount, smallDisk } from "../../test/faults/small_disk.ts";
import { memoryDirectory } from "../../test/memory_directory.ts";
import { run } from "../../test/processes.ts";
import { EpochCommitter, Epochs } from "./epochs.ts";
import { FactCache } from "./fact_cache.ts";
import { mirrors } from "./mirrors.ts";
import { recordCommit } from "./records.ts";
import type { Change, CommitOutcome } from "./metadata.ts";

const script = join(import.meta.dir, "../../test/contracts/epoch_process.ts");

describe("counters", () => {
  test("are one for all who open the page, in this process and in others", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "epochs");
    const [first, second] = [new Epochs(path), new Epochs(path)];
    const slot = first.slotOf(repository);
    expect(second.slotOf(repository)).toBe(slot);
    const before = second.read(slot);
    first.bump(repository);
    expect(second.read(slot)).toBe(before + 1);
    expect(await run(process.execPath, [script, path, repository])).toMatchObject({ code: 0 });
    expect(first.read(slot)).toBe(before + 2);
    expect(new Epochs(path).read(slot)).toBe(before + 2);
  });

  test("of other repositories stay, but for the few that share a slot", async () => {
    await using directory = await memoryDirectory();
    const epochs = new Epochs(join(directory.path, "epochs"));
    const names = Array.from({ length: 200 }, (_, index) => `team-${index}/app`);
    const before = names.map((name) => epochs.read(epochs.slotOf(name)));
    epochs.bump(repository);
    const moved = names.filter((name, index) => epochs.read(epochs.slotOf(name)) !== before[index]);
    const sharing = names.filter((name) => epochs.slotOf(name) === epochs.slotOf(repository));
    expect(moved).toEqual(sharing);
    expect(sharing.length).toBeLessThan(10);
  });
});

describe.skipIf(!(await canMount()))("a full disk", () => {
  test("does not end a process that moves a counter for the first time", async () => {
    await using disk = await smallDisk(1024 * 1024);
    const path = join(disk.path, "epochs");
    const epochs = new Epochs(path);
    disk.fill();
    expect(await run(process.execPath, [script, path, repository])).toMatchObject({ code: 0 });
    expect(epochs.read(epochs.slotOf(repository))).toBe(1);
  });
});

describe("a committer that moves counters", () => {
  test("moves those of repositories of which it is known more, or less, about their upstream", async () => {
    const epochs = new Epochs();
    const committer = new EpochCommitter({ commit: async () => ({ committed: true }) }, epochs);
    const at = (name: string): number => epochs.read(epochs.slotOf(name));
    const forget = recordCommit(mirrors, { kind: "forget-tag", repository: "a", tag: "1" });
    await committer.commit(forget);
    expect(at("a")).toBe(1);
    const nothing = { preconditions: [], changes: [], by: null };
    await committer.commit({ repository: "b", ...nothing, records: [forget] });
    expect([at("a"), at("b")]).toEqual([2, 0]);
    const record = { records: "other", changes: [{ kind: "any", repository: "b" }] };
    await committer.commit(record);
    await committer.commit({ parts: [{ repository: "b", ...nothing, records: [record, forget] }] });
    expect([at("a"), at("b")]).toEqual([3, 0]);
  });

  const outcomes: Readonly<Record<string, () => Promise<CommitOutcome>>> = {
    "that succeeds": async () => ({ committed: true }),
    "that is refused": async () => ({ committed: false, failed: [] }),
    "that fails": () => Promise.reject(new Error("unknown outcome")),
  };
  const taking: readonly Change[] = [
    change.unlink("a"),
    change.put("a"),
    change.remove("a"),
    change.tag("v1", "a"),
    change.untag("v1"),
  ];
  for (const [says, commit] of Object.entries(outcomes)) {
    for (const taken of taking) {
      test(`${taken.kind} ${says}: the counter has moved when the caller hears of it`, async () => {
        await using directory = await memoryDirectory();
        const epochs = new Epochs(join(directory.path, "epochs"));
        const slot = epochs.slotOf(repository);
        const before = epochs.read(slot);
        const committer = new EpochCommitter({ commit }, epochs);
        await committer.commit(commitOf([taken])).catch(() => null);
        expect(epochs.read(slot)).toBeGreaterThan(before);
      });
    }
  }
});

describe("a cache of facts", () => {
  test("answers from memory until the counter moves, and never remembers absence", async () => {
    await using directory = await memoryDirectory();
    const epochs = new Epochs(join(directory.path, "epochs"));
    const cache = new FactCache<number>(epochs);
    let stored: number | null = null;
    let reads = 0;
    const get = (): number | null =>
      cache.get(repository, "v1", () => {
        reads += 1;
        return stored;
      });
    expect([get(), get(), reads]).toEqual([null, null, 2]);
    stored = 1;
    expect([get(), get(), reads]).toEqual([1, 1, 3]);
    stored = 2;
    epochs.bump(repository);
    expect([get(), get(), reads]).toEqual([2, 2, 4]);
    stored = null;
    epochs.bump(repository);
    expect([get(), get(), reads]).toEqual([null, null, 6]);
  });

  test("does not keep what was read while the counter moved", async () => {
    await using directory = await memoryDirectory();
    const epochs = new Epochs(join(directory.path, "epochs"));
    const cache = new FactCache<string>(epochs);
    // The commit comes between the read of the store and the answer's arrival here.
    const old = cache.get(repository, "v1", () => {
      epochs.bump(repository);
      return "old";
    });
    expect(old).toBe("old");
    expect(cache.get(repository, "v1", () => "new")).toBe("new");
  });

  test("keeps repositories and keys apart", async () => {
    await using directory = await memoryDirectory();
    const cache = new FactCache<string>(new Epochs(join(directory.path, "epochs")));
    for (const at of ["a", "a/b"]) {
      for (const key of ["v1", "v2"]) {
        expect(cache.get(at, key, () => `${at} ${key}`)).toBe(`${at} ${key}`);
      }
    }
    expect(cache.get("a", "v2", () => null)).toBe("a v2");
    expect(cache.get("a/b", "v1", () => null)).toBe("a/b v1");
  });
});
