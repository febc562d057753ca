// The report as JUnit XML, which build servers show: a suite per group, a test case per case.
//
// Unsupported and skipped cases are both `skipped` there; the message says which.
import type { CaseResult, Report, Totals } from "../report.ts";

/** One XML document, ending with a newline. */
export function junitReport(report: Report): string {
  const { totals } = report;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name=${attribute(`Compliance of ${report.name}`)} ${counts(totals)} time="${seconds(report.durationMs)}">`,
  ];
  for (const group of report.groups) {
    const cases = report.cases.filter((result) => result.group === group.name);
    const durationMs = cases.reduce((sum, result) => sum + result.durationMs, 0);
    lines.push(
      `  <testsuite name=${attribute(group.title)} ${counts(group.summary.totals)} time="${seconds(durationMs)}" timestamp=${attribute(report.startedAt)}>`,
      ...cases.flatMap(testCase),
      "  </testsuite>",
    );
  }
  lines.push("</testsuites>");
  return `${lines.join("\n")}\n`;
}

function counts(totals: Totals): string {
  const { passed, failed, error, skipped, unsupported } = totals;
  const tests = passed + failed + error + skipped + unsupported;
  return `tests="${tests}" failures="${failed}" errors="${error}" skipped="${skipped + unsupported}"`;
}

function testCase(result: CaseResult): string[] {
  const name = attribute(`${result.id}: ${result.title}`);
  const open = `    <testcase classname=${attribute(result.group)} name=${name} time="${seconds(result.durationMs)}"`;
  if (result.status === "passed") return [`${open}/>`];
  const message = attribute(`${result.status}: ${result.message ?? ""}`);
  if (result.status === "skipped" || result.status === "unsupported") {
    return [`${open}>`, `      <skipped message=${message}/>`, "    </testcase>"];
  }
  const element = result.status === "failed" ? "failure" : "error";
  const body = escapeXml(
    `${result.clause.source}, ${result.clause.section}: ${result.clause.sentence}`,
  );
  return [
    `${open}>`,
    `      <${element} message=${message}>${body}</${element}>`,
    "    </testcase>",
  ];
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function attribute(text: string): string {
  return `"${escapeXml(text)}"`;
}

const entities = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&#39;"],
  ["\n", "&#10;"],
]);

/** Escapes for text and attributes of XML and HTML; what XML forbids becomes a replacement character. */
export function escapeXml(text: string): string {
  return text
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"'\n]/g, (character) => entities.get(character) ?? character);
}
