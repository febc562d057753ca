// `zot bench`: measures one registry, or two in turn, and writes the report.
//
// Shows progress on a terminal. Exit status: 0 measured, 1 when operations failed, 2 when it could not measure (no
// answer, login refused, a mistake on the command line).

import { reportText } from "../bench/report.ts";
import { benchPage } from "../bench/page.ts";
import {
  runBench,
  type BenchOptions,
  type BenchResult,
  type ProgressEvent,
  type Target,
} from "../bench/bench.ts";
import { scenarios } from "../bench/scenarios.ts";
import type { Scenario } from "../bench/scenario.ts";
import { ClientError } from "../client/client_error.ts";
import { checkRegistry } from "../client/preflight.ts";
import { RegistryClient, type RegistryClientOptions } from "../client/registry_client.ts";
import type { Given, Output } from "./command.ts";
import { credentialsOf, limitsOf, Mistake, text, tlsOf, write } from "./registry_flags.ts";

const requestsDefault = 200;
const concurrencyDefault = 8;
const concurrencyMax = 1_000;
const requestsMax = 10_000_000;
const roundsMax = 1_000;

const formats: Readonly<Record<string, (result: BenchResult) => string>> = {
  text: reportText,
  json: (result) => `${JSON.stringify(result, null, 2)}\n`,
  html: benchPage,
};

/** Runs the command. Returns the exit status. */
export async function benchCommand(given: Given, output: Output): Promise<number> {
  try {
    const chosen = chosenScenarios(given);
    if (given.options["list"] === true) return list(chosen, output);
    const format = formatOf(given);
    const options = await optionsOf(given, chosen, output);
    for (const { client } of options.targets) await check(client);
    const result = await runBench(options);
    if (output.columns !== undefined) output.error("\r\u001B[K");
    const path = text(given, "output");
    if (path === null) output.out(format(result));
    else await write(path, format(result));
    return hasFailed(result) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Mistake) && !(error instanceof ClientError)) throw error;
    output.error(`zot bench: ${error.message}\n`);
    return 2;
  }
}

function list(chosen: readonly Scenario[], output: Output): number {
  const width = Math.max(...chosen.map(({ name }) => name.length)) + 2;
  for (const { name, title } of chosen) output.out(`${name.padEnd(width)}${title}\n`);
  return 0;
}

async function optionsOf(
  given: Given,
  chosen: readonly Scenario[],
  output: Output,
): Promise<BenchOptions> {
  const repository = text(given, "repository") ?? "zot-bench";
  return {
    targets: await targetsOf(given),
    scenarios: chosen,
    requests: countOf(given, "requests", requestsDefault, requestsMax),
    concurrency: countOf(given, "concurrency", concurrencyDefault, concurrencyMax),
    rounds: countOf(given, "rounds", 1, roundsMax),
    prefix: repository,
    keep: given.options["skipCleanup"] === true,
    onProgress: output.columns === undefined ? () => {} : progressLine(output),
  };
}

async function targetsOf(given: Given): Promise<Target[]> {
  const url = given.arguments["url"] ?? null;
  if (url === null) throw new Mistake("expected the address of a registry, got none");
  const common = {
    credentials: credentialsOf(withLogin(given)),
    tls: await tlsOf(given),
    ...limitsOf(given),
  };
  const compared = text(given, "compare");
  const first = targetOf(url, common, pidOf(given, "pid"));
  if (compared === null) return [first];
  return [first, targetOf(compared, common, pidOf(given, "comparePid"))];
}

/** `-A`, as the original's benchmark calls it. */
function withLogin(given: Given): Given {
  const login = text(given, "authCreds");
  return login === null ? given : { ...given, options: { ...given.options, user: login } };
}

function targetOf(
  url: string,
  common: Omit<RegistryClientOptions, "url">,
  pid: number | null,
): Target {
  return { label: url.replace(/^https?:\/\//, ""), client: { ...common, url }, pid };
}

async function check(options: RegistryClientOptions): Promise<void> {
  const client = new RegistryClient(options);
  try {
    await checkRegistry(client);
  } finally {
    client.close();
  }
}

function chosenScenarios(given: Given): readonly Scenario[] {
  const pattern = text(given, "scenarios");
  if (pattern === null) return scenarios;
  const expression = expressionOf(pattern);
  const chosen = scenarios.filter(({ name }) => expression.test(name));
  if (chosen.length > 0) return chosen;
  throw new Mistake(`expected --scenarios that fits a scenario, got '${pattern}'; see --list`);
}

function expressionOf(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw new Mistake(`expected --scenarios as a regular expression, got '${pattern}'`, { cause });
  }
}

function formatOf(given: Given): (result: BenchResult) => string {
  const asked = text(given, "format") ?? (given.options["json"] === true ? "json" : "text");
  const format = Object.hasOwn(formats, asked) ? formats[asked] : undefined;
  if (format !== undefined) return format;
  throw new Mistake(`expected --format ${Object.keys(formats).join(", ")}; got '${asked}'`);
}

function countOf(given: Given, name: string, otherwise: number, most: number): number {
  const asked = text(given, name);
  if (asked === null) return otherwise;
  const value = Number(asked);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Mistake(`expected --${name} from 1 to ${most}, got '${asked}'`);
}

function pidOf(given: Given, name: string): number | null {
  const asked = text(given, name);
  if (asked === null) return null;
  if (/^[1-9]\d*$/.test(asked)) return Number(asked);
  throw new Mistake(`expected the number of a process, got '${asked}'`);
}

/** One line that is written over: a bar, the scenario and the registry at work. */
function progressLine(output: Output): (event: ProgressEvent) => void {
  let shownAt = 0;
  return ({ scenario, target, phase, done, count }) => {
    const now = performance.now();
    if (phase === "run" && now - shownAt < 50 && done < count) return;
    shownAt = now;
    const width = 24;
    const filled = phase === "run" ? Math.round((done / count) * width) : 0;
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    const line = `${bar} ${done}/${count}  ${scenario}  ${target}${phase === "run" ? "" : `  ${phase}`}`;
    output.error(`\r\u001B[K${line.slice(0, (output.columns ?? 80) - 1)}`);
  };
}

function hasFailed(result: BenchResult): boolean {
  return result.scenarios.some(({ results }) =>
    results.some(({ failed, problem }) => failed > 0 || problem !== null),
  );
}
