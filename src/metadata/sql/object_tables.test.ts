// Rows of objects, and in which of several stores each key lies: also of those that were written before there were several.

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { parseDigest } from "../../oci/digest.ts";
import { MemoryMetadata } from "../memory/memory_metadata.ts";
import { objects, type ObjectChange } from "../objects.ts";
import { recordCommit } from "../records.ts";
import { objectsUnderLock } from "./objects_under_lock.ts";
import { objectTables } from "./object_tables.ts";
import { systemClock } from "../../lib/clock.ts";

test("keys of before lie in the main store", () => {
  using database = new Database(":memory:", { strict: true });
  const at = objectTables.steps.findIndex(({ sql }) => sql.includes("ADD COLUMN store"));
  for (const { sql } of objectTables.steps.slice(0, at)) database.exec(sql);
  database.exec("INSERT INTO objects_keys (key, state, size, since) VALUES ('k', 'content', 5, 1)");
  database.exec(objectTables.steps[at]!.sql);
  expect(database.query("SELECT key, state, size, since, store FROM objects_keys").all()).toEqual([
    { key: "k", state: "content", size: 5, since: 1, store: "" },
  ]);
});

test("what is freed, and what is in quarantine, is told by store", async () => {
  const memory = new MemoryMetadata({ clock: systemClock, bytes: objectsUnderLock });
  const metadata = memory.open({ committer: memory });
  const commit = (...changes: ObjectChange[]) => metadata.commit(recordCommit(objects, ...changes));
  const digest = parseDigest(`sha256:${"a".repeat(64)}`)!;
  for (const [store, repository] of [
    ["", "base/app"],
    ["team", "team/app"],
  ] as const) {
    const key = `key of ${repository}`;
    await commit(
      { kind: "reserve", keys: [key], store },
      { kind: "name", key, sizeBytes: 7, to: { repository, name: digest } },
    );
  }
  const reads = metadata.records(objects);
  const at = (repository: string) => reads.find({ repository, name: digest });
  expect(await at("base/app")).toEqual({ key: "key of base/app", sizeBytes: 7, store: "" });
  expect(await at("team/app")).toEqual({ key: "key of team/app", sizeBytes: 7, store: "team" });
  // Both are damaged, at one moment.
  for (const repository of ["base/app", "team/app"]) {
    const to = { stamp: `key of ${repository}`, name: "damaged" };
    memory.decide((work) => objectsUnderLock.quarantine(work, repository, digest, to));
  }
  expect(await reads.inQuarantine("")).toEqual([{ name: "damaged", sizeBytes: 7 }]);
  expect(await reads.inQuarantine("team")).toEqual([{ name: "damaged.2", sizeBytes: 7 }]);
  for (const name of ["damaged", "damaged.2"]) {
    await commit({ kind: "unname", from: { repository: "", name } });
  }
  const later = Number.MAX_SAFE_INTEGER;
  const freed = async (store: string) =>
    (await reads.garbage(store, later, null, 10)).map(({ key }) => key);
  expect(await freed("")).toEqual(["key of base/app"]);
  expect(await freed("team")).toEqual(["key of team/app"]);
  expect((await reads.sums()).garbage).toEqual({ objects: 2, bytes: 14 });
  expect((await reads.keys("", 10)).map(({ store }) => store)).toEqual(["", "team"]);
  await metadata.close();
});

test("stores beside the main one are noted, and forgotten", async () => {
  const memory = new MemoryMetadata({ clock: systemClock, bytes: objectsUnderLock });
  const metadata = memory.open({ committer: memory });
  const commit = (...changes: ObjectChange[]) => metadata.commit(recordCommit(objects, ...changes));
  await commit(
    { kind: "set", value: "registry", text: "an id" },
    { kind: "set", value: "store:team", text: "s3 bucket images" },
    { kind: "set", value: "store:base", text: "gcs bucket images" },
  );
  const reads = metadata.records(objects);
  expect(await reads.stores()).toEqual([
    { store: "base", place: "gcs bucket images" },
    { store: "team", place: "s3 bucket images" },
  ]);
  await commit({ kind: "unset", value: "store:base" });
  expect((await reads.stores()).map(({ store }) => store)).toEqual(["team"]);
  expect(await reads.value("registry")).toBe("an id");
  await metadata.close();
});
