// The benchmark's command line: `npm run bench -- [options] [name …]`. See README.md beside this file.
//
// It installs nothing, listens on loopback only, and leaves no process behind, and no file but those that it is asked
// to write. It exits with 1 when a comparison failed, not when a target was missed: it is a measurement, not a test.

import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { run } from "../test/processes.ts";
import { runDirectory } from "../test/temp.ts";
import { compare } from "./compare.ts";
import {
  type Comparison,
  type ComparisonResult,
  hasFailed,
  type RunResult,
  type Scale,
} from "./comparison.ts";
import { comparisonsOf, fullScale, quickScale } from "./comparisons.ts";
import { describeMachine } from "./machine.ts";
import { benchmarksPage, comparisonText } from "./page.ts";
import { missingPrograms, type PeerName, peerNames, versionOf } from "./peers.ts";

const usage = `usage: npm run bench -- [options] [name ...]

Runs the comparisons whose names contain one of the given names, all without any.

  --list              print the comparisons and end
  --quick             a few seconds each: shows that it works, not what is true
  --rounds N          rounds of each (default ${fullScale.rounds})
  --servers A,B       only these of ${peerNames.join(", ")}
  --against DIR       also measure this registry from another checkout (after 'npm ci' there)
  --directory DIR     where the servers' data goes (default: the system's temporary directory)
  --json FILE         write every round's figures
  --page FILE         write the results page, docs/benchmarks_run.md
  --from FILE         do not run: take the figures that --json wrote, for --page
`;

function parseArguments() {
  return parseArgs({
    args: Bun.argv.slice(2),
    allowPositionals: true,
    options: {
      list: { type: "boolean" },
      quick: { type: "boolean" },
      rounds: { type: "string" },
      servers: { type: "string" },
      against: { type: "string" },
      directory: { type: "string" },
      json: { type: "string" },
      page: { type: "string" },
      from: { type: "string" },
      help: { type: "boolean" },
    },
  });
}

/** A mistake of the person who typed the command: one line, no stack. */
class UsageError extends Error {}

/** Our own, or one of `parseArgs`. */
function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof TypeError && "code" in error;
}

type Values = ReturnType<typeof parseArguments>["values"];

function chooseServers(values: Values, chosen: readonly Comparison[]): PeerName[] {
  const asked = values.servers?.split(",");
  const unknown = asked?.find((name) => !peerNames.some((each) => each === name));
  if (unknown !== undefined) {
    throw new UsageError(`no server is called ${unknown}; there are ${peerNames.join(", ")}`);
  }
  const names = peerNames.filter(
    (name) =>
      (asked?.includes(name) ?? true) &&
      (name !== "zot-before" || values.against !== undefined) &&
      chosen.some(({ cases }) => cases.some((each) => each.peers.includes(name))),
  );
  const missing = missingPrograms(names);
  if (missing.length > 0) {
    throw new UsageError(`${missing.join("\n")}\nor leave it out with --servers`);
  }
  return names;
}

function choose(names: readonly string[], scale: Scale): readonly Comparison[] {
  const all = comparisonsOf(scale);
  const unknown = names.find((name) => !all.some((each) => each.name.includes(name)));
  if (unknown !== undefined) {
    const known = all.map((each) => each.name).join(", ");
    throw new UsageError(`no comparison's name contains ${unknown}; there are ${known}`);
  }
  if (names.length === 0) return all;
  return all.filter((each) => names.some((name) => each.name.includes(name)));
}

function chooseScale(values: Values): Scale {
  const scale = values.quick === true ? quickScale : fullScale;
  const rounds = Number(values.rounds ?? scale.rounds);
  if (Number.isInteger(rounds) && rounds > 0) return { ...scale, rounds };
  throw new UsageError(`--rounds: expected a number above 0, got ${values.rounds}`);
}

async function measureAll(values: Values, names: readonly string[]): Promise<RunResult> {
  const scale = chooseScale(values);
  const chosen = choose(names, scale);
  const peers = chooseServers(values, chosen);
  if (values.directory !== undefined) process.env["TMPDIR"] = resolve(values.directory);
  const directory = await runDirectory();
  const machine = await describeMachine(directory);
  const results: ComparisonResult[] = [];
  const say = process.stderr.isTTY ? (line: string) => console.error(line) : () => undefined;
  for (const comparison of chosen) {
    const result = await compare(comparison, {
      peers,
      against: values.against ?? null,
      scale,
      directory,
      onProgress: ({ scenario, target, phase, done }) => {
        if (done === 0) say(`${comparison.name}: ${scenario}, ${target}, ${phase}`);
      },
    });
    results.push(result);
    console.log(comparisonText(comparison, result));
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    command: ["npm run bench --", ...Bun.argv.slice(2)].join(" "),
    quick: values.quick === true,
    scale,
    machine,
    versions: await versions(peers),
    comparisons: results,
  };
}

async function versions(names: readonly PeerName[]): Promise<Record<string, string>> {
  const commit = await run("git", ["-C", import.meta.dir, "describe", "--always", "--dirty"]);
  const found: Record<string, string> = { commit: commit.stdout.trim(), Bun: Bun.version };
  for (const name of names) {
    const version = await versionOf(name);
    if (version !== null) found[name] = version;
  }
  return found;
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(resolve(file)), { recursive: true });
  await Bun.write(file, text);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArguments();
  if (values.help === true) {
    console.log(usage);
    return 0;
  }
  if (values.list === true) {
    for (const { name, title } of comparisonsOf(fullScale)) {
      console.log(`${name.padEnd(16)} ${title}`);
    }
    return 0;
  }
  const result: RunResult =
    values.from === undefined
      ? await measureAll(values, positionals)
      : await Bun.file(values.from).json();
  if (values.json !== undefined) await write(values.json, `${JSON.stringify(result, null, 2)}\n`);
  if (values.page !== undefined) {
    await write(values.page, benchmarksPage(result, comparisonsOf(result.scale)));
  }
  return result.comparisons.some(hasFailed) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!isUsageError(error)) throw error;
  console.error(`bench: ${error.message}`);
  process.exitCode = 2;
}
