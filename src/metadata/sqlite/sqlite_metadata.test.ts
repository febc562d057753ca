// The SQLite store passes the contract of metadata stores (test/contracts/metadata.ts), with and without what it
// remembers between requests.

import { join } from "node:path";
import { metadataContract, type OpenEmptyStore } from "../../../test/contracts/metadata.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { EpochCommitter, Epochs } from "../epochs.ts";
import { SqliteMetadata } from "./sqlite_metadata.ts";
import { SqliteWriter } from "./sqlite_writer.ts";

/** A store as a server of its own has it; `remembers` adds the shared counters that workers rely on. */
function opener(remembers: boolean): OpenEmptyStore {
  return async ({ clock, bytes, records }) => {
    const directory = await memoryDirectory("zot-metadata");
    const path = join(directory.path, "metadata.db");
    const batches: number[] = [];
    const onBatch = (commits: number): void => void batches.push(commits);
    const writer = new SqliteWriter({ path, durable: false, clock, bytes, records, onBatch });
    const epochs = remembers ? () => new Epochs(join(directory.path, "epochs")) : () => null;
    const own = epochs();
    const committer = own === null ? writer : new EpochCommitter(writer, own);
    const opened = [new SqliteMetadata(path, committer, own, null, records)];
    return {
      metadata: opened[0]!,
      another: () => {
        const metadata = new SqliteMetadata(path, committer, epochs(), null, records);
        opened.push(metadata);
        return metadata;
      },
      batches,
      [Symbol.asyncDispose]: async () => {
        for (const metadata of opened) await metadata.close();
        await writer.close();
        await directory[Symbol.asyncDispose]();
      },
    };
  };
}

metadataContract("SqliteMetadata", opener(false));
metadataContract("SqliteMetadata that remembers", opener(true));
