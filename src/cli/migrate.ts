// `zot migrate`: moves a registry, with all that it knows, to another place.
//
// Exit status: 0 moved (with --prepare: all bytes are there), 1 not, and the next run goes on; 2 a mistake on the command
// line; 3 moved, and content that was damaged or missing is told of.

import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { formatBytes } from "../lib/bytes.ts";
import { systemClock } from "../lib/clock.ts";
import { moveRegistry, type MoveReport } from "../server.ts";
import type { Given, Output } from "./command.ts";
import { parallelOf } from "./copy_progress.ts";
import { moveProgress, type MoveProgress } from "./migrate_progress.ts";
import { Mistake } from "./registry_flags.ts";
import { inColumns, printable, wantsJson } from "./server_given.ts";
import { runTransfer } from "./transfer_failure.ts";

/** Exit status where something is wrong with content. */
const lostStatus = 3;

/** Runs the command. Returns the exit status. */
export function migrateCommand(given: Given, output: Output): Promise<number> {
  return runTransfer("migrate", output, async ({ signal }) => {
    const isJson = wantsJson(given);
    const isPrepared = given.options["prepare"] === true;
    const parallel = parallelOf(given);
    const configs = await configsOf(given, output);
    if (configs === null) return 1;
    const progress = moveProgress(output, isJson);
    // The thread that hashes keeps no process alive, and at times nothing else is under way.
    const alive = setInterval(() => undefined, 60_000);
    try {
      const report = await moveRegistry(configs.from, configs.to, {
        isPrepared,
        parallel,
        clock: systemClock,
        signal,
        onEvent: (event) => progress.take(event),
      });
      progress.clear();
      if (isJson) output.out(`${JSON.stringify({ kind: "report", ...report })}\n`);
      else print(report, given, output);
      return report.lost.length === 0 ? 0 : lostStatus;
    } catch (error) {
      return failed(error, { signal, progress, output });
    } finally {
      clearInterval(alive);
    }
  });
}

function failed(
  error: unknown,
  { signal, progress, output }: { signal: AbortSignal; progress: MoveProgress; output: Output },
): number {
  progress.clear();
  if (signal.aborted || error instanceof Mistake) throw error;
  const text = error instanceof Error ? error.message : String(error);
  for (const line of text.split("\n")) output.error(`zot migrate: ${printable(line)}\n`);
  return 1;
}

/** Null where one of them has problems, which are told. */
async function configsOf(
  given: Given,
  output: Output,
): Promise<{ readonly from: Config; readonly to: Config } | null> {
  const [from, to] = [given.arguments["from"] ?? "", given.arguments["to"] ?? ""];
  const loaded = { from: await loadConfig(from), to: await loadConfig(to) };
  const problems = [loaded.from, loaded.to].flatMap((each) =>
    "problems" in each ? each.problems : [],
  );
  for (const problem of problems) output.error(`${problem}\n`);
  if ("problems" in loaded.from || "problems" in loaded.to) return null;
  return { from: loaded.from.config, to: loaded.to.config };
}

const arrivals = [
  ["sent", "sent"],
  ["shared", "shared there"],
  ["there", "there already"],
  ["lost", "damaged or missing"],
] as const;

function print(report: MoveReport, given: Given, output: Output): void {
  const { amounts, tables, lost, isMoved } = report;
  const rows = arrivals.flatMap(([how, says]) => {
    const { contents, bytes } = amounts[how];
    return contents === 0 && how !== "sent" ? [] : [[says, String(contents), formatBytes(bytes)]];
  });
  const counted = Object.values(tables ?? {}).reduce((sum, table) => sum + table.rows, 0);
  output.out(inColumns([], tables === null ? rows : [...rows, ["rows compared", String(counted)]]));
  if (lost.length > 0) {
    output.error(
      `zot migrate: ${lost.length} contents were damaged or missing, and are marked there: a push of them repairs it\n`,
    );
  }
  const [from, to] = [given.arguments["from"] ?? "", given.arguments["to"] ?? ""];
  output.out(
    isMoved
      ? `Moved. Start it: zot serve ${to}\n`
      : `Not finished yet. Stop the server of ${from}, then: zot migrate ${from} ${to}\n`,
  );
}
