// Files of the server that somebody removes or replaces while it runs: nothing is acknowledged into them, no tag is
// stale afterwards, and the server ends with a line that says why. The next start serves all that was acknowledged.

import { expect, test } from "bun:test";
import { copyFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { eventually, isAlive, signalTo, startZot, tempDirectory } from "../harness.ts";
import { Journal } from "./journal.ts";
import { startLoad } from "./load.ts";
import { checkAtRest } from "./processes_killed.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const clients = 4;

const replace = (path: string): void => {
  copyFileSync(path, `${path}.copy`);
  renameSync(`${path}.copy`, path);
};

const losses: readonly [what: string, lose: (own: string) => void, says: string][] = [
  ["metadata.db is removed", (own) => rmSync(join(own, "metadata.db")), "metadata.db was removed"],
  [
    "metadata.db is replaced",
    (own) => replace(join(own, "metadata.db")),
    "metadata.db was replaced",
  ],
  [
    "the log of the metadata is removed",
    (own) => rmSync(join(own, "metadata.db-wal")),
    "-wal was removed",
  ],
  [
    "the page of counters is replaced",
    (own) => replace(join(own, "epochs")),
    "epochs was replaced",
  ],
  ["the lock is removed", (own) => rmSync(join(own, "lock")), "lock was removed"],
];

for (const [what, lose, says] of losses) {
  test(`${what}: nothing that was acknowledged is lost or stale`, async () => {
    console.log(`lost files: ZOT_SEED=${seed}`);
    await using directory = await tempDirectory("zot-lost");
    const rootDirectory = join(directory.path, "root");
    const journal = new Journal();
    await using zot = await startZot({ rootDirectory, config: { http: { workers: 2 } } });
    const before = startLoad({ url: zot.url, journal, clients, seed });
    await before.acknowledged(60);
    await before.stop();
    // What index.json does not show yet is lost with the metadata, as the guide says.
    await eventually("index.json is exact", () => checkAtRest(rootDirectory, journal).length === 0);

    lose(join(rootDirectory, "_zot"));
    // A worker that starts now opens the files that are there now.
    // There is none any more where the server has noticed already.
    const [victim] = zot.workerPids();
    if (victim !== undefined) {
      signalTo(victim, "SIGKILL");
      await eventually("the worker is gone", () => !isAlive(victim));
    }
    const acknowledged = journal.acknowledged;
    const after = startLoad({ url: zot.url, journal, clients, seed: seed + 1, clientNames: "b" });
    const line = await zot.waitForLog(
      "the server says why it ends",
      (each) => each["level"] === "fatal",
    );
    expect(String(line["problem"])).toContain(says);
    expect(await zot.exited).toBe(1);
    await after.stop();
    expect(journal.acknowledged).toBe(acknowledged);

    await using again = await startZot({ rootDirectory });
    await eventually("it is ready", async () => (await fetch(`${again.url}/readyz`)).ok);
    expect(await journal.check(again.url)).toEqual([]);
  }, 60_000);
}
