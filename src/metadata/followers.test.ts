// A follower of the feed in a process of its own, killed again and again, while several processes commit: it takes every
// record, in order, and none but those of a page that it could not remember comes twice.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { change, commitOf } from "../../test/contracts/metadata_facts.ts";
import { memoryDirectory } from "../../test/memory_directory.ts";
import { run } from "../../test/processes.ts";
import { systemClock } from "../lib/clock.ts";
import { SqliteMetadata } from "./sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "./sqlite/sqlite_writer.ts";
import { noBytes } from "../../test/contracts/no_bytes.ts";

const contracts = join(import.meta.dir, "../../test/contracts");

test("every record of every process is taken in the order of the commits, whatever dies", async () => {
  await using directory = await memoryDirectory();
  const path = join(directory.path, "metadata.db");
  const file = join(directory.path, "taken");
  const bytes = noBytes;
  const writer = new SqliteWriter({ path, durable: false, clock: systemClock, bytes });
  let starts = 0;
  const follow = async (): Promise<void> => {
    for (let isOver = false; !isOver;) {
      starts += 1;
      isOver = await run(process.execPath, [join(contracts, "feed_process.ts"), path, file, "end"])
        .then(({ code, stderr }) => {
          expect([code, stderr]).toEqual([0, ""]);
          return true;
        })
        .catch((error: unknown) => {
          // It ended itself, as it does.
          if (!String(error).includes("ended by SIGKILL")) throw error;
          return false;
        });
    }
  };
  const following = follow();
  const write = (name: string) =>
    run(process.execPath, [join(contracts, "sqlite_process.ts"), "write", path, name, "200"]);
  const outputs = await Promise.all(["a", "b", "c"].map(write));
  expect(outputs.map(({ stderr }) => stderr)).toEqual(["", "", ""]);
  await writer.commit(commitOf([change.tag("end", "m")]));
  await following;
  const metadata = new SqliteMetadata(path, writer);
  const feed = await metadata.feed(0, 9999);
  const expected = feed.map(({ sequence, tag }) => `${sequence} ${tag}`);
  expect(expected).toHaveLength(601);
  const taken = readFileSync(file, "utf8").trimEnd().split("\n");
  // A page that came twice aside, they are all there once, and in order.
  expect([...new Set(taken)]).toEqual(expected);
  expect(starts).toBeGreaterThan(1);
  expect(taken.length).toBeGreaterThan(expected.length);
  await metadata.close();
  await writer.close();
});
