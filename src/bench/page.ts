/**
 * The result of a bench run as one HTML page with plots, which loads nothing.
 *
 * Every text from outside is escaped. Plots are SVG, each scenario with a scale of its own, so that fast and slow
 * scenarios can be read side by side.
 */
import type { BenchResult, Measured, ScenarioResult } from "./bench.ts";
import { number, rateOf, ratios, throughputOf } from "./report.ts";

const colours = ["#2563eb", "#d97706", "#059669", "#be185d"];
const plotWidth = 420;
const rowHeight = 22;
const labelWidth = 110;

export function benchPage(result: BenchResult): string {
  const targets = result.targets
    .map(
      ({ label, url }, index) =>
        `<li><span class="dot" style="background:${colourOf(index)}"></span><b>${escape(label)}</b> ${escape(url)}</li>`,
    )
    .join("");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>zot bench</title>
<meta name="viewport" content="width=device-width">
<style>
:root{color-scheme:light dark;--ink:#1f2937;--dim:#6b7280;--line:#e5e7eb;--bad:#b91c1c;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--line:#30363d;--bad:#f85149;--paper:#0d1117}}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem}h2{font-size:1.05rem;margin:0}ul{list-style:none;padding:0}
.dot{display:inline-block;width:.7rem;height:.7rem;border-radius:50%;margin-right:.5rem}
section{border-top:1px solid var(--line);padding:1rem 0;display:grid;grid-template-columns:1fr 1fr;gap:0 2rem}
section header{grid-column:1/-1;display:flex;justify-content:space-between;gap:0 1rem;flex-wrap:wrap}
header span,small,text.axis{color:var(--dim)}.bad{color:var(--bad)}
svg{width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:var(--ink)}
@media(max-width:50rem){section{grid-template-columns:1fr}}
</style></head><body>
<h1>zot bench</h1>
<p>${escape(result.startedAt)} · ${result.requests} operations (large transfers fewer) · ${result.concurrency} at once ·
the best of ${result.rounds} rounds · the generator alone makes at least ${number(result.ceiling)} requests/s</p>
<ul>${targets}</ul>
${result.scenarios.map((scenario) => sectionOf(scenario)).join("\n")}
<p><small>Bars: more is better on the left, less on the right (median, with a line to the 99th percentile).
Single figures mean little on a shared machine: compare registries within one run.</small></p>
</body></html>
`;
}

function sectionOf(scenario: ScenarioResult): string {
  const compared = comparedTo(scenario);
  const problems = scenario.results
    .flatMap(problemsOf)
    .map((text) => `<p class="bad">${escape(text)}</p>`);
  return `<section><header><h2>${escape(scenario.title)}</h2><span>${escape(scenario.name)} ${compared.join(" · ")}</span></header>
<div>${ratePlot(scenario.results)}</div><div>${latencyPlot(scenario.results)}</div>${problems.join("")}</section>`;
}

/** The first registry beside the second. */
function comparedTo({ results: [first, second] }: ScenarioResult): string[] {
  if (first === undefined || second === undefined) return [];
  const { rate, cpu } = ratios(first, second);
  return [
    ...(rate === null ? [] : [`ops/s × ${number(rate)}`]),
    ...(cpu === null ? [] : [`CPU/op × ${number(cpu)}`]),
  ];
}

function problemsOf(measured: Measured): string[] {
  const setUp = measured.problem === null ? [] : [`${measured.target}: ${measured.problem}`];
  const errors = measured.errors.map(({ kind, count }) => `${measured.target}: ${count} × ${kind}`);
  return [...setUp, ...errors];
}

function ratePlot(results: readonly Measured[]): string {
  const most = Math.max(...results.map((measured) => rateOf(measured) ?? 0), Number.MIN_VALUE);
  const rows = results.map((measured, index) => {
    const rate = rateOf(measured) ?? 0;
    const text = `${number(rate)} ops/s, ${number(throughputOf(measured))} MB/s`;
    return bar(index, measured.target, (rate / most) * plotWidth * 0.5, text);
  });
  return svg(results.length, rows.join(""));
}

function latencyPlot(results: readonly Measured[]): string {
  const most = Math.max(
    ...results.map((measured) => measured.latencyMs?.p99 ?? 0),
    Number.MIN_VALUE,
  );
  const rows = results.map((measured, index) => {
    const { latencyMs } = measured;
    const scale = (plotWidth * 0.5) / most;
    const p50 = (latencyMs?.p50 ?? 0) * scale;
    const p99 = (latencyMs?.p99 ?? 0) * scale;
    const y = index * rowHeight + rowHeight / 2;
    const whisker = `<line x1="${labelWidth + p50}" x2="${labelWidth + p99}" y1="${y}" y2="${y}" stroke="${colourOf(index)}" stroke-width="2"/>`;
    const text = `${number(latencyMs?.p50 ?? null)} ms, p99 ${number(latencyMs?.p99 ?? null)} ms`;
    return whisker + bar(index, measured.target, p50, text, p99);
  });
  return svg(results.length, rows.join(""));
}

function bar(index: number, label: string, width: number, text: string, textAt = width): string {
  const y = index * rowHeight;
  return `<text x="0" y="${y + 15}">${escape(label.slice(0, 16))}</text>
<rect x="${labelWidth}" y="${y + 4}" width="${Math.max(width, 1)}" height="${rowHeight - 8}" rx="2" fill="${colourOf(index)}"/>
<text class="axis" x="${labelWidth + textAt + 8}" y="${y + 15}">${escape(text)}</text>`;
}

function svg(rows: number, content: string): string {
  return `<svg viewBox="0 0 ${plotWidth + labelWidth} ${rows * rowHeight}" role="img">${content}</svg>`;
}

function colourOf(index: number): string {
  return colours[index % colours.length] ?? "#000";
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
