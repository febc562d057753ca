// `zot compliance`: judges a registry and writes the report.
//
// Turns what the command line gave into options of the suite, shows progress on a terminal, writes the
// report to standard output or a file. Exit status: 0 compliant, 1 not, 2 could not judge (also for a
// mistake on the command line). An interrupt ends the run early; what was pushed is still removed.

import packageJson from "../../package.json" with { type: "json" };
import { ClientError } from "../client/client_error.ts";
import {
  type ComplianceOptions,
  isGroupName,
  runCompliance,
  select,
} from "../compliance/compliance.ts";
import { allScenarios } from "../compliance/cases/cases.ts";
import { exitCode, type Report } from "../compliance/report.ts";
import { isReportFormat, type ReportFormat, reportFormats } from "../compliance/reports/reports.ts";
import { groups, type Version } from "../compliance/suite.ts";
import { nearest } from "../lib/nearest.ts";
import type { Given, Output } from "./command.ts";
import { credentialsOf, limitsOf, Mistake, text, tlsOf, write } from "./registry_flags.ts";
import { onStopSignal } from "./on_stop_signal.ts";

/** What `-V` takes: the versions that are judged, and those that decide the exit status. */
const versionChoices: Readonly<Record<string, { asked: Version[]; judged: Version[] }>> = {
  // The draft is shown and does not decide: it may still change.
  all: { asked: ["1.0", "1.1", "dev"], judged: ["1.0", "1.1"] },
  "1.0": { asked: ["1.0"], judged: ["1.0"] },
  "1.1": { asked: ["1.1"], judged: ["1.1"] },
  dev: { asked: ["dev"], judged: ["dev"] },
};

interface Plan {
  options: ComplianceOptions;
  judged: readonly Version[];
  /** Form of the report on standard output; null when it goes to files only. */
  shown: ReportFormat | null;
  files: readonly { path: string; format: ReportFormat }[];
}

/** Runs the command. Returns the exit status. */
export async function complianceCommand(given: Given, output: Output): Promise<number> {
  try {
    const plan = await planOf(given);
    const report = await run(plan, output);
    const columns = output.columns ?? 100;
    for (const { path, format } of plan.files) {
      await write(path, reportFormats[format](report, { colour: false, columns }));
    }
    if (plan.shown !== null) {
      output.out(reportFormats[plan.shown](report, { colour: output.colour, columns }));
    }
    if (report.aborted !== null) output.error(`zot compliance: ${report.aborted}\n`);
    return exitCode(report, plan.judged);
  } catch (error) {
    if (!(error instanceof Mistake) && !(error instanceof ClientError)) throw error;
    output.error(`zot compliance: ${error.message}\n`);
    return 2;
  }
}

async function run(plan: Plan, output: Output): Promise<Report> {
  const stopped = new AbortController();
  const ignoreSignals = onStopSignal(() => stopped.abort());
  const showsProgress = output.columns !== undefined;
  try {
    return await runCompliance({
      ...plan.options,
      signal: stopped.signal,
      ...(showsProgress ? { onProgress: progressLine(output) } : {}),
    });
  } finally {
    ignoreSignals();
    if (showsProgress) output.error("\r\u001B[K");
  }
}

/** One line that is written over: a bar, the count, what failed so far, the case at work. */
function progressLine(output: Output): NonNullable<ComplianceOptions["onProgress"]> {
  let failed = 0;
  let shownAt = 0;
  return (done, total, current) => {
    if (current.status === "failed" || current.status === "error") failed += 1;
    const now = performance.now();
    if (now - shownAt < 50 && done < total) return;
    shownAt = now;
    const width = 24;
    const filled = Math.round((done / total) * width);
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    const broken = failed === 0 ? "" : `  ${failed} failed`;
    const line = `${bar} ${done}/${total}${broken}  ${current.id}`;
    output.error(`\r\u001B[K${line.slice(0, (output.columns ?? 80) - 1)}`);
  };
}

async function planOf(given: Given): Promise<Plan> {
  const chosen = choice(
    given,
    "specVersion",
    "all",
    versionChoices,
    "a version of the specification",
  );
  const format = formatOf(given);
  const files = filesOf(given, format);
  const only = onlyOf(given);
  const repository = text(given, "repository");
  const second = text(given, "secondRepository");
  const name = text(given, "name");
  return {
    options: {
      url: urlOf(given),
      credentials: credentialsOf(given),
      tls: await tlsOf(given),
      versions: chosen.asked,
      readOnly: given.options["readOnly"] === true,
      tool: `zot/${packageJson.version}`,
      ...(repository === null ? {} : { repository }),
      ...(second === null ? {} : { secondRepository: second }),
      ...(only === null ? {} : { only }),
      ...(name === null ? {} : { name }),
      ...limitsOf(given),
    },
    judged: chosen.judged,
    shown: files.length > 0 ? null : (format ?? "text"),
    files,
  };
}

function urlOf(given: Given): string {
  const url = given.arguments["url"] ?? null;
  const [address, port] = [text(given, "address"), text(given, "port")];
  if (url !== null) {
    if (address === null && port === null) return url;
    throw new Mistake("expected an address or -H and -P, got both");
  }
  if (address === null)
    throw new Mistake("expected the address of a registry, or -H and -P; got neither");
  if (port !== null && !/^\d{1,5}$/.test(port))
    throw new Mistake(`expected a port number, got '${port}'`);
  const wantsTls = ["ca", "cert", "insecure"].some((name) => given.options[name] !== undefined);
  const host = address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
  return `${wantsTls ? "https" : "http"}://${host}${port === null ? "" : `:${port}`}`;
}

/** The form that was asked for; null when none was. */
function formatOf(given: Given): ReportFormat | null {
  const asked = text(given, "format") ?? (given.options["json"] === true ? "json" : null);
  if (asked === null || isReportFormat(asked)) return asked;
  throw new Mistake(`expected --format ${Object.keys(reportFormats).join(", ")}; got '${asked}'`);
}

const formatOfExtension: Readonly<Record<string, ReportFormat>> = {
  txt: "text",
  json: "json",
  xml: "junit",
  html: "html",
};

/** The files to write, each in the form that was asked for or that its extension says. */
function filesOf(given: Given, asked: ReportFormat | null): Plan["files"] {
  const paths = text(given, "output")?.split(",") ?? [];
  return paths.map((path) => {
    const extension = path.slice(path.lastIndexOf(".") + 1);
    return { path, format: asked ?? formatOfExtension[extension] ?? "text" };
  });
}

/** Groups, or beginnings of scenario ids, that exist. */
function onlyOf(given: Given): string[] | null {
  const names = text(given, "groups")
    ?.split(",")
    .map((name) => name.trim());
  if (names === undefined) return null;
  const scenarios = allScenarios("names");
  for (const name of names) {
    if (isGroupName(name) || select(scenarios, { versions: ["dev"], only: [name] }).length > 0)
      continue;
    const near = nearest(name, Object.keys(groups));
    const advice = near === null ? Object.keys(groups).join(", ") : `did you mean ${near}?`;
    throw new Mistake(`expected a group of cases, got '${name}'; ${advice}`);
  }
  return names;
}

function choice<T>(
  given: Given,
  name: string,
  otherwise: string,
  choices: Readonly<Record<string, T>>,
  what: string,
): T {
  const asked = text(given, name) ?? otherwise;
  const found = Object.hasOwn(choices, asked) ? choices[asked] : undefined;
  if (found !== undefined) return found;
  throw new Mistake(`expected ${what} (${Object.keys(choices).join(", ")}), got '${asked}'`);
}
