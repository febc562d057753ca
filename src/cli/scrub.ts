// `zot scrub`: checks the files of a root directory that no server serves, and prints zot's table; `status` of a server.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkConfig } from "../config/load.ts";
import { formatBytes } from "../lib/bytes.ts";
import { readNote } from "../storage/root_note.ts";
import { lockFile, finishedDirectory } from "../storage/layout.ts";
import { claimRoot, RootTaken, type Claim } from "../storage/root_lock.ts";
import type { Given, Output } from "./command.ts";
import { loadGiven } from "./load_given.ts";
import { Mistake } from "./registry_flags.ts";
import { forgetCommand } from "./scrub_forget.ts";
import { scrubStatusCommand } from "./scrub_status.ts";
import { scrubLayouts, type ScrubRow } from "./scrub_layouts.ts";
import { failed, printable, wantsJson } from "./server_given.ts";

/** Exit status where something is wrong with content. */
const affectedStatus = 3;
/** Between two looks at the progress. */
const shownEveryMs = 100;

/** Widths of zot's columns; the last one is free. */
const columns = [
  ["REPOSITORY", 32],
  ["TAG", 24],
  ["STATUS", 8],
  ["AFFECTED BLOB", 64],
  ["ERROR", 0],
] as const;

/** Runs the command. Returns the exit status. */
export async function scrub(given: Given, output: Output): Promise<number> {
  try {
    const asked = askingCommands[given.arguments["config"] ?? ""] ?? null;
    requireFitting(given, asked !== null);
    if (asked !== null) return await asked(given, output);
    const json = wantsJson(given);
    const roots = await rootsIn(given);
    if ("problems" in roots) {
      for (const problem of roots.problems) output.error(`${problem}\n`);
      return 1;
    }
    return await scrubRoots(roots, json, output);
  } catch (error) {
    return failed(error, output);
  }
}

/** Words in the place of a configuration. */
const askingCommands: Readonly<Record<string, (given: Given, output: Output) => Promise<number>>> =
  { status: scrubStatusCommand, forget: forgetCommand };

const asking = ["server", "user", "token", "ca", "cert", "key", "insecure", "timeout"];

/** @throws Mistake. */
function requireFitting({ options, arguments: named }: Given, isAsked: boolean): void {
  const word = named["config"] ?? "";
  if (isAsked && options["storageRootDir"] !== undefined) {
    throw new Mistake(`expected ${word} of a running server, got -r, which is for a directory`);
  }
  const digest = named["digest"] ?? null;
  if (word !== "forget" && digest !== null) {
    throw new Mistake(`expected a digest with forget, got '${digest}' without`);
  }
  const foreign = isAsked ? undefined : asking.find((name) => options[name] !== undefined);
  if (foreign !== undefined) throw new Mistake(`expected --${foreign} with status, got it without`);
}

type Problems = { readonly problems: readonly string[] };

/** The directory that is asked for, or that a configuration names, with those of its stores. @throws Mistake. */
async function rootsIn(given: Given): Promise<readonly string[] | Problems> {
  const path = given.arguments["config"] ?? null;
  const directory = given.options["storageRootDir"];
  if ((path === null) === (typeof directory !== "string")) {
    throw new Mistake("expected a configuration file, or a directory with -r DIR");
  }
  const loaded =
    path === null ? checkConfig({ storage: { rootDirectory: directory } }) : await loadGiven(path);
  if ("problems" in loaded) return loaded;
  const { rootDirectory, subPaths } = loaded.config.storage;
  const named = Object.values(subPaths).map((store) => store.rootDirectory);
  // A directory alone does not name its stores: the server has noted them there.
  const noted = path === null ? Object.values(readNote(rootDirectory)?.stores ?? {}) : [];
  return [rootDirectory, ...named, ...noted];
}

async function scrubRoots(
  roots: readonly string[],
  json: boolean,
  output: Output,
): Promise<number> {
  const claims: (Claim | null)[] = [];
  try {
    for (const root of roots) {
      if (!existsSync(root)) throw new Error(`${root}: there is no such directory`);
      if (existsSync(join(root, finishedDirectory))) {
        throw new Error(
          `${root}: its content lies in a store of objects; a server checks it (extensions.scrub), ` +
            "and zot scrub status tells what it found",
        );
      }
      claims.push(claimIfOurs(root));
    }
    const rows: ScrubRow[] = [];
    const shown = new Progress(output);
    if (!json) output.out(lineOf(columns.map(([name]) => name)));
    const totals = await scrubLayouts(roots, {
      row: (row) => {
        shown.clear();
        if (json) rows.push(row);
        else output.out(textOf(row));
      },
      problem: (text) => {
        shown.clear();
        output.error(`scrub: ${printable(text)}\n`);
      },
      absent: (imageName, upstream, blobs) => {
        shown.clear();
        const from = printable(upstream);
        output.error(
          `scrub: ${printable(imageName)}: ${blobs} blobs were not fetched from ${from} yet\n`,
        );
      },
      progress: output.columns === undefined || json ? null : (...bytes) => shown.show(...bytes),
    });
    shown.clear();
    if (json) output.out(`${JSON.stringify({ scrubResults: rows }, null, 2)}\n`);
    if (totals.failed > 0) return 1;
    return totals.affected > 0 ? affectedStatus : 0;
  } catch (error) {
    output.error(`scrub: ${whyNot(error)}\n`);
    return 1;
  } finally {
    for (const claim of claims) claim?.release();
  }
}

/** No server may start meanwhile; a root that none of ours has served stays as it is. */
function claimIfOurs(root: string): Claim | null {
  if (!existsSync(join(root, lockFile))) return null;
  try {
    return claimRoot(root, "alone");
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    // Nobody serves what cannot be written.
    if (code === "EROFS" || code === "EACCES") return null;
    throw error;
  }
}

function whyNot(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof RootTaken ? `server is running: ${message}` : message;
}

function textOf({ imageName, tag, status, affectedBlob, error }: ScrubRow): string {
  return lineOf([imageName, tag, status, affectedBlob, error].map(printable));
}

function lineOf(cells: readonly string[]): string {
  const padded = cells.map((cell, at) => cell.padEnd(columns[at]?.[1] ?? 0));
  return `${padded.join("  ").trimEnd()}\n`;
}

/** One line that is written over, on a terminal. */
class Progress {
  readonly #output: Output;
  #shownAt = 0;
  #isShown = false;

  constructor(output: Output) {
    this.#output = output;
  }

  show(doneBytes: number, allBytes: number): void {
    const now = performance.now();
    if (now - this.#shownAt < shownEveryMs) return;
    this.#shownAt = now;
    this.#isShown = true;
    const part = allBytes === 0 ? 1 : Math.min(1, doneBytes / allBytes);
    const filled = Math.round(part * 24);
    const bar = "█".repeat(filled) + "░".repeat(24 - filled);
    const line = `${bar} ${Math.floor(part * 100)} %  ${formatBytes(doneBytes)} of ${formatBytes(allBytes)}`;
    this.#output.error(`\r\u001B[K${line.slice(0, (this.#output.columns ?? 80) - 1)}`);
  }

  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#output.error("\r\u001B[K");
  }
}
