// A whole server in one process, for tests that fault its system calls or end it: primary and one worker.
//
//     fault_server.ts <root> [planted bug]
//
// `UNDO_WINDOW`, and with `1` COLLECTS (at once) and CHECKS, set what their names say. Prints `listening <url>` when it
// serves. It has no clean end: whoever started it kills it. The planted bugs are
// mistakes that the fault tests must catch, made here and nowhere in the product:
//
//     acknowledges-early    a manifest push is answered before its facts are written
//     never-flushes         `storage.commit` is off

import { checkConfig } from "../../src/config/load.ts";
import { openLog } from "../../src/lib/log.ts";
import type { Committer } from "../../src/metadata/metadata.ts";
import { startPrimary, startWorker } from "../../src/server.ts";

/** More than the clients of any load here, of which each has one request on its way. */
const owedMax = 16;

const [rootDirectory = "", planted = ""] = process.argv.slice(2);
const loaded = checkConfig({
  storage: {
    rootDirectory,
    commit: planted !== "never-flushes",
    // Most of these tests are about the sweep, which held content would not reach.
    undo: { window: process.env["UNDO_WINDOW"] ?? "0s" },
    ...(process.env["COLLECTS"] === "1" ? { gcDelay: "1ms", gcInterval: "1s" } : {}),
  },
  ...(process.env["CHECKS"] === "1" ? { extensions: { scrub: { enable: true } } } : {}),
  http: { address: "127.0.0.1", port: "0", workers: 1 },
  log: { level: "error" },
});
if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
const { config } = loaded;
const log = await openLog({ level: config.log.level, output: config.log.output, base: {} });
const primary = await startPrimary(config, log);
const worker = await startWorker({
  config,
  log,
  committer: planted === "acknowledges-early" ? early(primary.committer) : primary.committer,
  port: 0,
  sharePort: false,
  idPrefix: "fault-",
});
void primary.reconciled.then(() => {
  worker.health.started = true;
});
console.log(`listening http://127.0.0.1:${worker.port}`);

/**
 * Answers the commit of a manifest at once, and makes it when `owedMax` others have come after it: whenever the server
 * ends, it owes some that their clients know of.
 */
function early(committer: Committer): Committer {
  const owed: (() => Promise<unknown>)[] = [];
  return {
    commit: async (commit) => {
      if ("parts" in commit || !commit.changes.some(({ kind }) => kind === "put-manifest")) {
        return committer.commit(commit);
      }
      owed.push(() => committer.commit(commit));
      if (owed.length > owedMax)
        void owed
          .shift()?.()
          .catch(() => undefined);
      return { committed: true };
    },
  };
}
