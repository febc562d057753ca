// A process of its own that follows the feed of a SQLite store and writes down each record that it takes.
//
//     feed_process.ts <path> <file> <last tag>
//
// It follows until it has taken the record of the last tag, and ends itself between taking records and moving its cursor,
// as a killed process would: the first one at its first page, the others now and then.

import { appendFileSync, existsSync } from "node:fs";
import { systemClock } from "../../src/lib/clock.ts";
import { followFeed } from "../../src/metadata/followers.ts";
import { SqliteMetadata } from "../../src/metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "../../src/metadata/sqlite/sqlite_writer.ts";
import { noBytes } from "./no_bytes.ts";

const [path = "", file = "", lastTag = ""] = process.argv.slice(2);
const bytes = noBytes;
const writer = new SqliteWriter({ path, durable: false, clock: systemClock, bytes });
const metadata = new SqliteMetadata(path, writer);
const isFirst = !existsSync(file);
const state = { ended: false, rounds: 0 };
for (;;) {
  if (state.ended) break;
  await followFeed(
    metadata,
    {
      name: "test",
      from: "start",
      take: async (records) => {
        appendFileSync(file, records.map(({ sequence, tag }) => `${sequence} ${tag}\n`).join(""));
        state.ended = records.some(({ tag }) => tag === lastTag);
        state.rounds += 1;
        if (isFirst || state.rounds % 5 === 0) process.kill(process.pid, "SIGKILL");
      },
    },
    new AbortController().signal,
  );
}
await metadata.close();
await writer.close();
