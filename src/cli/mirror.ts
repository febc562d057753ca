// `zot mirror`: settings for clients in front of the mirror, whether it works, and how its upstreams are.

import { standardInput, type Given, type Output } from "./command.ts";
import { Mistake, text } from "./registry_flags.ts";
import { failed, inColumns, wantsJson, withServer } from "./server_given.ts";
import { mirrorsOf } from "./told_mirrors.ts";
import { formatBytes } from "../lib/bytes.ts";
import type { MirrorStatus } from "../lib/mirror_status.ts";

const actions = ["snippets", "probe", "status"] as const;

/** Runs `zot mirror`. Returns the exit status. */
export async function mirrorCommand(given: Given, output: Output): Promise<number> {
  return run(given, output).catch((error: unknown) => failed(error, output));
}

async function run(given: Given, output: Output): Promise<number> {
  const { action, what } = wordsOf(given);
  for (const flag of action === "snippets" ? [] : ["for", "address", "client-ca", "write"]) {
    if (given.options[camel(flag)] === undefined) continue;
    throw new Mistake(`--${flag} is for snippets; got ${action}`);
  }
  if (action === "status") {
    if (what !== null) throw new Mistake(`expected nothing behind status, got '${what}'`);
    return showStatus(given, output);
  }
  if (action === "probe") {
    const { probeMirrors } = await import("./mirror_probe.ts");
    return probeMirrors(given, output, what);
  }
  const { mirrorSnippets } = await import("./mirror_snippets.ts");
  return mirrorSnippets(given, output, what);
}

/** A first word that is no action is a configuration, whose snippets are wanted. */
function wordsOf(given: Given): { action: (typeof actions)[number]; what: string | null } {
  const first = given.arguments["action"] ?? null;
  const what = given.arguments["what"] ?? null;
  const action = actions.find((each) => each === first);
  if (action !== undefined) return { action, what };
  if (first === null || (what === null && looksLikeFile(first))) {
    return { action: "snippets", what: first };
  }
  throw new Mistake(`expected ${actions.join(", ")} or a configuration file, got '${first}'`);
}

function looksLikeFile(word: string): boolean {
  return word === standardInput || /[./\\]/.test(word);
}

/** As commander names an option. */
function camel(flag: string): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

async function showStatus(given: Given, output: Output): Promise<number> {
  const isJson = wantsJson(given);
  return withServer(given, output, {
    server: text(given, "server"),
    run: async (server) => {
      const mirrors = await mirrorsOf(server);
      if (isJson) output.out(`${JSON.stringify(mirrors, null, 2)}\n`);
      else output.out(inColumns(head, mirrors.map(rowOf)));
      return 0;
    },
  });
}

const head = [
  "UPSTREAM",
  "STATE",
  "SINCE",
  "HITS 24H",
  "CACHED",
  "OLDEST STALE",
  "BUDGET LEFT",
  "ASKED AGAIN",
  "LAST ERROR",
];

function rowOf(mirror: MirrorStatus): string[] {
  const { host, state, since, lastError, budgetLeft, reset, lastDay, cached } = mirror;
  const { hitRatio, pulls, oldestStaleS } = lastDay;
  const ratio = hitRatio === null ? "-" : `${Math.floor(hitRatio * 100)}% of ${pulls}`;
  return [
    host,
    state,
    since ?? "-",
    ratio,
    `${cached.isCutOff ? "over " : ""}${formatBytes(cached.bytes)}`,
    oldestStaleS === null ? "-" : span(oldestStaleS),
    budgetLeft === null ? "-" : String(budgetLeft),
    reset ?? "-",
    lastError === null ? "-" : `${lastError.words} (${lastError.at})`,
  ];
}

const units = [
  [24 * 60 * 60, "d"],
  [60 * 60, "h"],
  [60, "m"],
] as const;

function span(seconds: number): string {
  for (const [size, name] of units) {
    if (seconds >= size) return `${Math.floor(seconds / size)}${name}`;
  }
  return `${seconds}s`;
}
