// `zot backup` exports the metadata of a registry to its bucket; `zot restore` puts an export back.

import type { Config } from "../config/schema.ts";
import { formatBytes } from "../lib/bytes.ts";
import { parseMoment } from "../lib/moment.ts";
import { backUp, exportsOf, restore, takeAsTheyAre, type WhichExport } from "../server.ts";
import type { Given, Output } from "./command.ts";
import { loadGiven } from "./load_given.ts";
import { Mistake } from "./registry_flags.ts";
import { failed, inColumns, printable } from "./server_given.ts";

const shownMax = 50;

/** Runs the command. Returns the exit status. */
export function backupCommand(given: Given, output: Output): Promise<number> {
  return work("backup", given, {
    output,
    run: async (config) => {
      const { name, lines, sizeBytes, removed } = await backUp(
        config,
        new AbortController().signal,
      );
      output.out(
        `${name}  ${lines} lines, ${formatBytes(sizeBytes)}; ${removed} older ones removed\n`,
      );
    },
  });
}

/** Runs the command. Returns the exit status. */
export function restoreCommand(given: Given, output: Output): Promise<number> {
  return work("restore", given, {
    output,
    run: async (config) => {
      const asked = askedOf(given);
      if (asked === "list") return await list(config, output);
      if (asked === "as they are") {
        await takeAsTheyAre(config);
        output.out(
          "Noted: these metadata were put back. The next start compares the bucket with them.\n",
        );
        return;
      }
      const { from, rows } = await restore(config, asked);
      output.out(
        `Restored ${from.name}: ${rows} rows. Start the server: it compares the bucket with them (zot audit).\n`,
      );
    },
  });
}

/** @throws Mistake. */
function askedOf({ arguments: named, options }: Given): WhichExport | "list" | "as they are" {
  const name = named["export"] ?? null;
  const at = options["at"];
  const asked = [name, at, options["list"], options["asTheyAre"]].filter(
    (each) => each !== null && each !== undefined && each !== false,
  );
  if (asked.length > 1) {
    throw new Mistake("expected one of a name, --at, --list and --as-they-are, got several");
  }
  if (options["list"] === true) return "list";
  if (options["asTheyAre"] === true) return "as they are";
  if (name !== null) return { name };
  if (typeof at !== "string") return "newest";
  const moment = parseMoment(at);
  if (moment === null) {
    throw new Mistake(`expected a time such as 2026-12-01T18:30:00Z after --at, got '${at}'`);
  }
  return { upTo: moment.moment / 1_000 };
}

async function list(config: Config, output: Output): Promise<void> {
  const found = await exportsOf(config);
  const rows = found
    .slice(0, shownMax)
    .map(({ name, sizeBytes }) => [name, formatBytes(sizeBytes)]);
  const more = found.length > shownMax ? `and ${found.length - shownMax} more\n` : "";
  output.out(found.length === 0 ? "no exports\n" : inColumns(["EXPORT", "SIZE"], rows) + more);
}

async function work(
  command: string,
  given: Given,
  { output, run }: { readonly output: Output; readonly run: (config: Config) => Promise<void> },
): Promise<number> {
  const loaded = await loadGiven(given.arguments["config"] ?? "");
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  try {
    await run(loaded.config);
    return 0;
  } catch (error) {
    if (error instanceof Mistake) return failed(error, output);
    const text = error instanceof Error ? error.message : String(error);
    output.error(`zot ${command}: ${printable(text)}\n`);
    return 1;
  }
}
