// `zot gc plan` and `zot gc apply`: what a running server would remove, and the same carried out.

import { readFile } from "node:fs/promises";
import { formatBytes } from "../lib/bytes.ts";
import { isJsonObject } from "../lib/strict_json.ts";
import { whyUnreadable } from "../lib/why_unreadable.ts";
import type { Given, Output } from "./command.ts";
import { Mistake, text, write } from "./registry_flags.ts";
import {
  failed,
  inColumns,
  ServerRefused,
  wantsJson,
  withServer,
  type AskedServer,
} from "./server_given.ts";

/** Lines that go in one request. */
const linesMax = 1_000;

interface Line {
  readonly kind: "tag" | "manifest" | "blob";
  readonly repository: string;
  readonly tag?: string;
  readonly digest: string;
  readonly reason?: string;
  readonly bytesFreed?: number;
}

interface Totals {
  readonly kind: "totals";
  readonly tags: number;
  readonly manifests: number;
  readonly blobs: number;
  readonly bytesFreed: number;
  readonly isCutOff: boolean;
}

interface Applied {
  readonly removed: number;
  readonly skipped: readonly Line[];
}

/** Asks for a plan, and prints it or writes it to a file. Returns the exit status. */
export async function planCommand(given: Given, output: Output): Promise<number> {
  try {
    const json = wantsJson(given);
    const file = text(given, "output");
    return await withServer(given, output, {
      server: text(given, "server"),
      run: async (server) => {
        const plan = await planOf(server);
        const { lines, totals } = parsePlan(plan);
        if (totals === null) throw new ServerRefused(200, "the plan ended before its totals", null);
        if (file !== null) await write(file, plan);
        if (json && file === null) output.out(plan);
        else if (file === null) output.out(shownPlan(lines));
        output.error(`${summary(totals)}${file === null ? "" : ` in ${file}`}\n`);
        return 0;
      },
    });
  } catch (error) {
    return failed(error, output);
  }
}

/** Carries out a plan; what no longer holds is passed over and told. Returns the exit status. */
export async function applyCommand(given: Given, output: Output): Promise<number> {
  try {
    const json = wantsJson(given);
    const { lines } = parsePlan(await read(given.arguments["file"] ?? null));
    return await withServer(given, output, {
      server: text(given, "server"),
      run: async (server) => {
        let removed = 0;
        const skipped: Line[] = [];
        for (let at = 0; at < lines.length; at += linesMax) {
          const slice = { lines: lines.slice(at, at + linesMax) };
          const answer = (await server.ask("POST", "/v2/_zot/gc/apply", slice)) as Applied;
          removed += answer.removed;
          skipped.push(...answer.skipped);
        }
        if (json) output.out(`${JSON.stringify({ removed, skipped }, null, 2)}\n`);
        else output.out(shownApplied(removed, skipped));
        return 0;
      },
    });
  } catch (error) {
    return failed(error, output);
  }
}

async function planOf(server: AskedServer): Promise<string> {
  const { body } = await server.send("GET", "/v2/_zot/gc/plan");
  return new TextDecoder().decode(body);
}

async function read(path: string | null): Promise<string> {
  if (path === null) throw new Mistake("expected the file of a plan, got none");
  try {
    return path === "-" ? await Bun.stdin.text() : await readFile(path, "utf8");
  } catch (error) {
    throw new Mistake(`expected the file of a plan, got '${path}': ${whyUnreadable(error)}`);
  }
}

/** @throws Mistake for what is no plan. */
function parsePlan(plan: string): { lines: Line[]; totals: Totals | null } {
  const lines: Line[] = [];
  let totals: Totals | null = null;
  for (const [index, line] of plan.trimEnd().split("\n").entries()) {
    const value = parsedLine(line);
    if (value === null) {
      throw new Mistake(`expected a plan as zot gc plan writes it, got another line ${index + 1}`);
    }
    if (value.kind === "totals") totals = value;
    else lines.push(value);
  }
  return { lines, totals };
}

const kinds = new Set(["tag", "manifest", "blob", "totals"]);

function parsedLine(line: string): Line | Totals | null {
  try {
    const value: unknown = JSON.parse(line);
    const isLine = isJsonObject(value) && kinds.has(String(value["kind"]));
    return isLine ? (value as unknown as Line | Totals) : null;
  } catch {
    return null;
  }
}

function nameOf({ repository, tag, digest }: Line): string {
  return tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`;
}

function shownPlan(lines: readonly Line[]): string {
  const rows = lines.map((line) => [
    line.kind,
    nameOf(line),
    formatBytes(line.bytesFreed ?? 0),
    line.reason ?? "",
  ]);
  return inColumns(["KIND", "NAME", "FREES", "REASON"], rows);
}

function summary({ tags, manifests, blobs, bytesFreed, isCutOff }: Totals): string {
  const more = isCutOff ? "; there is more: plan again when this is applied" : "";
  return `${tags} tags, ${manifests} manifests, ${blobs} blobs, ${formatBytes(bytesFreed)}${more}`;
}

function shownApplied(removed: number, skipped: readonly Line[]): string {
  const rows = skipped.map((line) => [nameOf(line), line.reason ?? ""]);
  const told = rows.length === 0 ? "" : inColumns(["SKIPPED", "REASON"], rows);
  return `${told}${removed} removed, ${rows.length} skipped\n`;
}
