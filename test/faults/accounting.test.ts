// What repositories and the registry take, told by a server of four workers under random work, against a count of its
// rows and one of its files, in short; `npm run accounting` has the long version.

import { Database } from "bun:sqlite";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { runAccounting } from "./accounting.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const timeoutMs = 180_000;

test(
  "after random work the figures are those of the rows and of the files",
  async () => {
    console.log(`accounting: ZOT_SEED=${seed}`);
    const { problems, changes } = await runAccounting({ operations: 600, seed, every: 300 });
    expect(problems).toEqual([]);
    expect(changes).toBeGreaterThan(300);
  },
  timeoutMs,
);

test(
  "a planted bug is seen: a total that is off by one byte",
  async () => {
    const planted = (root: string): void => {
      using database = new Database(join(root, "_zot/metadata.db"));
      database.run("PRAGMA busy_timeout = 20000");
      database.run("UPDATE usage_totals SET own = own + 1 WHERE repository <> 0");
    };
    const { problems } = await runAccounting({ operations: 100, seed, planted });
    expect(problems).toHaveLength(1);
  },
  timeoutMs,
);
