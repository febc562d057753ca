// A process of its own that writes to a SQLite store or reads from it, for tests of several processes on one.
//
//     sqlite_process.ts write <path> <name> <count>    sets <count> tags, one commit each
//     sqlite_process.ts read <path> <tag>              prints the digest that the tag points at

import { systemClock } from "../../src/lib/clock.ts";
import { SqliteMetadata } from "../../src/metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "../../src/metadata/sqlite/sqlite_writer.ts";
import { change, repository } from "./metadata_facts.ts";
import { noBytes } from "./no_bytes.ts";

const [what, path = "", name = "", count = "0"] = process.argv.slice(2);

if (what === "write") {
  const bytes = noBytes;
  const writer = new SqliteWriter({ path, durable: false, clock: systemClock, bytes });
  for (let index = 0; index < Number(count); index += 1) {
    const changes = [change.tag(`${name}${index}`, name)];
    await writer.commit({ repository, preconditions: [], changes, by: name });
  }
  await writer.close();
} else {
  const committer = { commit: () => Promise.reject(new Error("this process only reads")) };
  const metadata = new SqliteMetadata(path, committer);
  process.stdout.write((await metadata.manifestByTag(repository, name))?.digest ?? "absent");
  await metadata.close();
}
