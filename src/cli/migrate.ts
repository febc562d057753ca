// `zot migrate`: moves a registry, with all that it knows, to another place, or takes in one of another kind.
//
// Exit status: 0 moved (with --prepare: all bytes are there), 1 not, and the next run goes on; 2 a mistake on the command
// line; 3 moved, and content that was damaged or missing is told of.

import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { formatBytes } from "../lib/bytes.ts";
import { moveRegistry, type MoveReport } from "../server.ts";
import type { Retries } from "../transfer/retries.ts";
import type { Given, Output } from "./command.ts";
import { parallelOf } from "./copy_progress.ts";
import { openForeign } from "./migrate_places.ts";
import { moveProgress } from "./migrate_progress.ts";
import { Mistake } from "./registry_flags.ts";
import { inColumns, printable, wantsJson } from "./server_given.ts";
import { takeInCommand } from "./take_in.ts";
import { runTransfer } from "./transfer_failure.ts";

/** Exit status where something is wrong with content. */
const lostStatus = 3;

/** Runs the command. Returns the exit status. */
export function migrateCommand(given: Given, output: Output): Promise<number> {
  return runTransfer("migrate", output, async (retries) => {
    // The thread that hashes keeps no process alive, and at times nothing else is under way.
    const alive = setInterval(() => undefined, 60_000);
    try {
      return await run(given, output, retries);
    } finally {
      clearInterval(alive);
    }
  });
}

async function run(given: Given, output: Output, retries: Retries): Promise<number> {
  parallelOf(given);
  const foreign = await openForeign(given.arguments["from"] ?? "");
  if (foreign === null) return move(given, output, retries);
  try {
    const to = await configOf(given.arguments["to"] ?? "", output);
    return to === null ? 1 : await takeInCommand(foreign, to, { given, output, retries });
  } catch (error) {
    return failed(error, { retries, output });
  } finally {
    await foreign.close();
  }
}

async function move(given: Given, output: Output, retries: Retries): Promise<number> {
  const [from, to] = [
    await configOf(given.arguments["from"] ?? "", output),
    await configOf(given.arguments["to"] ?? "", output),
  ];
  if (from === null || to === null) return 1;
  if (given.options["repositories"] !== undefined) {
    throw new Mistake(
      "expected --repositories with a registry of another kind: this one moves as a whole",
    );
  }
  const isJson = wantsJson(given);
  const progress = moveProgress(output, isJson);
  try {
    const report = await moveRegistry(from, to, {
      isPrepared: given.options["prepare"] === true,
      parallel: parallelOf(given),
      clock: retries.clock,
      signal: retries.signal,
      onEvent: (event) => progress.take(event),
    });
    progress.clear();
    if (isJson) output.out(`${JSON.stringify({ kind: "report", ...report })}\n`);
    else print(report, given, output);
    return report.lost.length === 0 ? 0 : lostStatus;
  } catch (error) {
    progress.clear();
    return failed(error, { retries, output });
  }
}

function failed(
  error: unknown,
  { retries, output }: { readonly retries: Retries; readonly output: Output },
): number {
  if (retries.signal.aborted || error instanceof Mistake) throw error;
  const text = error instanceof Error ? error.message : String(error);
  for (const line of text.split("\n")) output.error(`zot migrate: ${printable(line)}\n`);
  return 1;
}

/** Null where it has problems, which are told. */
async function configOf(path: string, output: Output): Promise<Config | null> {
  const loaded = await loadConfig(path);
  if (!("problems" in loaded)) return loaded.config;
  for (const problem of loaded.problems) output.error(`${problem}\n`);
  return null;
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
