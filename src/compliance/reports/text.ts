// The report that a person reads in a terminal: what is wrong first, then a line per group, then the verdict.
//
// Colour only when asked for; columns fit the width. Without a terminal the same text comes plain.
import type { CaseResult, Report, Totals } from "../report.ts";
import { type Status, statuses } from "../suite.ts";

export interface TextOptions {
  colour: boolean;
  /** Characters per line. */
  columns: number;
}

const marks: Record<Status, { mark: string; colour: number }> = {
  passed: { mark: "✔", colour: 32 },
  skipped: { mark: "-", colour: 90 },
  unsupported: { mark: "○", colour: 33 },
  failed: { mark: "✘", colour: 31 },
  error: { mark: "!", colour: 35 },
};

/** The whole report, ending with a newline. */
export function textReport(report: Report, options: TextOptions): string {
  const paint = painter(options.colour);
  const lines = [
    paint(`Compliance of ${report.name}`, 1),
    "",
    ...problems(report, "error", paint, options),
    ...problems(report, "failed", paint, options),
    ...problems(report, "unsupported", paint, options),
    ...groupTable(report, paint, options),
    "",
    ...verdicts(report, paint),
  ];
  return `${lines.join("\n")}\n`;
}

type Paint = (text: string, colour: number) => string;

function painter(colour: boolean): Paint {
  return (text, code) => (colour ? `\u001B[${code}m${text}\u001B[0m` : text);
}

const headings = {
  error: "Could not be judged",
  failed: "Not kept",
  unsupported: "Not there: optional or recommended",
} as const;

function problems(
  report: Report,
  status: keyof typeof headings,
  paint: Paint,
  options: TextOptions,
): string[] {
  const found = report.cases.filter((result) => result.status === status);
  if (found.length === 0) return [];
  const { mark, colour } = marks[status];
  const brief = status === "unsupported";
  const lines = found.flatMap((result) => {
    const first = `  ${paint(mark, colour)} ${result.id}  ${result.title}`;
    const why = wrap(result.message ?? "", options.columns - 8).map((line) => `      ${line}`);
    return brief
      ? [first, ...why.slice(0, 1)]
      : [first, ...why, ...clauseLines(result, paint, options)];
  });
  return [paint(`${headings[status]} (${found.length})`, 1), ...lines, ""];
}

function clauseLines(result: CaseResult, paint: Paint, options: TextOptions): string[] {
  const { clause } = result;
  const text = `${clause.source}, ${clause.section}: ${clause.sentence}`;
  return wrap(text, options.columns - 8).map((line) => `      ${paint(line, 90)}`);
}

/** Headings of the columns, and what a narrow terminal gets instead. */
const shortNames: Readonly<Partial<Record<Status, string>>> = { unsupported: "unsup." };

function groupTable(report: Report, paint: Paint, options: TextOptions): string[] {
  const width = Math.max(
    ...report.groups.map(({ title }) => title.length),
    "Positive cases".length,
  );
  const wide = options.columns >= width + 4 + 13 * statuses.length;
  const cellWidth = wide ? 13 : 9;
  const names = statuses.map((name) => (wide ? name : (shortNames[name] ?? name)));
  const head = `  ${"Group".padEnd(width + 2)}${names.map((name) => name.padStart(cellWidth)).join("")}`;
  const row = (mark: string, title: string, totals: Totals): string =>
    `${mark} ${title.padEnd(width + 2)}${cells(totals, paint, cellWidth)}`;
  const rows = report.groups.map(({ title, summary }) => {
    const { mark, colour } = marks[summary.status];
    return row(paint(mark, colour), title, summary.totals);
  });
  return [
    paint(head, 1),
    ...rows,
    "",
    row(" ", "Positive cases", report.positive),
    row(" ", "Negative cases", report.negative),
    row(" ", "All", report.totals),
  ];
}

function cells(totals: Totals, paint: Paint, cellWidth: number): string {
  return statuses
    .map((name) => {
      const text = String(totals[name]).padStart(cellWidth);
      return totals[name] === 0 ? paint(text, 90) : paint(text, marks[name].colour);
    })
    .join("");
}

function verdicts(report: Report, paint: Paint): string[] {
  const lines = report.versions.map(({ version, compliant, totals }) => {
    const word = compliant ? paint("compliant", 32) : paint("not compliant", 31);
    const why = compliant ? "" : ` (${totals.failed} failed, ${totals.error} not judged)`;
    return `Distribution specification ${version}: ${word}${why}`;
  });
  const { manifests, tags, blobs, uploads } = report.leftBehind;
  const left = manifests + tags + blobs + uploads;
  if (left > 0) {
    lines.push(
      `Left behind, not deleted by the registry: ${manifests} manifests, ${tags} tags, ` +
        `${blobs} blobs, ${uploads} uploads in ${report.repositories.join(" and ")}`,
    );
  }
  if (report.aborted !== null) lines.push(paint(`Ended early: ${report.aborted}`, 31));
  lines.push(`${report.cases.length} cases in ${(report.durationMs / 1000).toFixed(1)} s`);
  return lines;
}

/** Breaks at spaces so that no line is longer than `width`, if words allow. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return line === "" ? lines : [...lines, line];
}
