// The report as one HTML page that stands alone: verdicts, a table of groups, then every case.
//
// A case opens to its sentence of the specification, why it did not pass, and the exchanges: whole
// where something is to be seen, one line each where the case passed (JSON has all of them whole).
// Everything from the registry is escaped, and the page loads nothing.
import type { TranscriptEntry } from "../../client/transcript.ts";
import type { CaseResult, Report, Totals } from "../report.ts";
import { type Status, statuses } from "../suite.ts";
import { htmlScript, htmlStyle } from "./html_style.ts";
import { escapeXml } from "./junit.ts";

const marks: Record<Status, string> = {
  passed: "✔",
  skipped: "–",
  unsupported: "○",
  failed: "✘",
  error: "!",
};

const exchangesShownMax = 12;
const bodyShownMax = 600;

/** The page, ending with a newline. */
export function htmlReport(report: Report): string {
  const title = `Compliance of ${report.name}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${text(title)}</title>
<style>${htmlStyle}</style>
</head>
<body>
<main>
${header(report)}
${groupTable(report)}
${filters(report.totals)}
${report.groups.map((group) => groupSection(report, group)).join("\n")}
</main>
<script>${htmlScript}</script>
</body>
</html>
`;
}

const text = (value: string): string => escapeXml(value).replaceAll("&#10;", "\n");

function header(report: Report): string {
  const verdicts = report.versions.map(({ version, compliant, totals }) => {
    const why = compliant
      ? `${totals.passed} cases passed`
      : `${totals.failed} failed, ${totals.error} not judged`;
    return `<div class="verdict${compliant ? "" : " no"}"><span class="small dim">Distribution specification ${version}</span>
<b>${compliant ? "compliant" : "not compliant"}</b><span class="small">${why}</span></div>`;
  });
  const { manifests, tags, blobs, uploads } = report.leftBehind;
  const left = [
    [manifests, "manifests"],
    [tags, "tags"],
    [blobs, "blobs"],
    [uploads, "uploads"],
  ] as const;
  const leftText = left.filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}`);
  const notes = [
    report.aborted === null ? null : `Ended early: ${report.aborted}.`,
    leftText.length === 0
      ? null
      : `Left behind, not deleted by the registry: ${leftText.join(", ")}.`,
    report.readOnly ? "Read-only run: nothing was pushed." : null,
  ].filter((note) => note !== null);
  return `<h1>Compliance of ${text(report.name)}</h1>
<p class="dim small">${text(report.registry)} · ${text(report.startedAt)} · ${report.cases.length} cases in ${(report.durationMs / 1000).toFixed(1)} s · ${text(report.tool)} · repositories ${text(report.repositories.join(", "))}</p>
<div class="verdicts">${verdicts.join("\n")}</div>
${notes.map((note) => `<p class="small">${text(note)}</p>`).join("\n")}
<p class="small dim"><b>Positive</b> cases get work done; <b>negative</b> ones check that what is wrong is refused properly.
A case <span class="failed">fails</span> when a rule of the specification is broken; it is <span class="unsupported">unsupported</span>
when something optional or recommended is not there, and <span class="skipped">skipped</span> when it could not be tried.</p>`;
}

function groupTable(report: Report): string {
  const head = statuses.map((name) => `<th>${name}</th>`).join("");
  const rows = report.groups.map(
    ({ name, title, summary }) =>
      `<tr><td><a href="#group-${name}">${text(title)}</a></td><td>${bar(summary.totals)}</td>${cells(summary.totals)}</tr>`,
  );
  const sums = [
    ["Positive cases", report.positive],
    ["Negative cases", report.negative],
    ["All", report.totals],
  ] as const;
  const sumRows = sums.map(
    ([title, totals]) =>
      `<tr class="sum"><td>${title}</td><td>${bar(totals)}</td>${cells(totals)}</tr>`,
  );
  return `<table><thead><tr><th>Group</th><th></th>${head}</tr></thead><tbody>
${[...rows, ...sumRows].join("\n")}
</tbody></table>`;
}

function cells(totals: Totals): string {
  return statuses
    .map((name) => `<td class="${totals[name] === 0 ? "zero" : name}">${totals[name]}</td>`)
    .join("");
}

function bar(totals: Totals): string {
  const parts = (["passed", "unsupported", "failed", "error", "skipped"] as const).filter(
    (name) => totals[name] > 0,
  );
  return `<div class="bar">${parts.map((name) => `<i class="${name}" style="flex:${totals[name]}"></i>`).join("")}</div>`;
}

function filters(totals: Totals): string {
  const all = statuses.reduce((sum, name) => sum + totals[name], 0);
  const buttons = [["all", all] as const, ...statuses.map((name) => [name, totals[name]] as const)]
    .filter(([, count]) => count > 0)
    .map(
      ([name, count]) =>
        `<button type="button" data-status="${name}" aria-pressed="${name === "all"}">${name} ${count}</button>`,
    );
  return `<div class="filters">${buttons.join("")}<input type="search" placeholder="Search cases" aria-label="Search cases"></div>`;
}

function groupSection(report: Report, group: Report["groups"][number]): string {
  const scenarios = report.scenarios.filter((one) => one.group === group.name);
  return `<h2 id="group-${group.name}">${text(group.title)}</h2>
${scenarios
  .map((one) => {
    const cases = report.cases.filter((result) => result.scenario === one.id);
    return `<section class="scenario"><h3>${text(one.title)} <code class="dim">${text(one.id)}</code></h3>
${cases.map(caseDetails).join("\n")}</section>`;
  })
  .join("\n")}`;
}

function caseDetails(result: CaseResult): string {
  const { clause, status, id } = result;
  const source = text(`${clause.source}, ${clause.section}`);
  const link = clause.url === null ? source : `<a href="${text(clause.url)}">${source}</a>`;
  const why = result.message === null ? "" : `<p class="why ${status}">${text(result.message)}</p>`;
  return `<details class="case" id="${text(id)}" data-status="${status}">
<summary><b class="${status}">${marks[status]}</b><span>${text(result.title)}</span><i>${result.polarity}</i><i>${result.level}</i></summary>
<div>${why}<blockquote>${text(clause.sentence)}<br><small>${link}</small></blockquote>
<small>${text(id)} · since ${result.since} · ${result.durationMs} ms</small>
${exchanges(result)}</div></details>`;
}

function exchanges(result: CaseResult): string {
  const shown = result.exchanges.slice(0, exchangesShownMax);
  const more = result.exchanges.length - shown.length;
  const rest = more > 0 ? `\nand ${more} more` : "";
  if (shown.length === 0) return "";
  if (result.status === "passed") return `<pre>${text(shown.map(brief).join("\n") + rest)}</pre>`;
  return shown.map((entry) => `<pre>${whole(entry)}</pre>`).join("\n") + rest;
}

function brief(entry: TranscriptEntry): string {
  const path = entry.url
    .replace(/^https?:\/\/[^/]*/, "")
    .replace(/([0-9a-f]{12})[0-9a-f]{20,}/g, "$1...");
  return `${entry.method} ${path}  ${entry.error ?? entry.status}`;
}

function whole(entry: TranscriptEntry): string {
  const lines = (headers: TranscriptEntry["requestHeaders"]): string[] =>
    headers.map(([name, value]) => `${name}: ${value}`);
  const request = [`${entry.method} ${entry.url}`, ...lines(entry.requestHeaders)];
  if (entry.requestBody !== "") request.push("", cut(entry.requestBody));
  const answer =
    entry.error === null
      ? [`${entry.status} ${entry.reason}`, ...lines(entry.responseHeaders)]
      : [`(no answer) ${entry.error}`];
  if (entry.responseBody !== "") answer.push("", cut(entry.responseBody));
  return `${text(request.join("\n"))}\n\n<span>${text(answer.join("\n"))}</span>`;
}

function cut(body: string): string {
  return body.length <= bodyShownMax ? body : `${body.slice(0, bodyShownMax)}\n...`;
}
