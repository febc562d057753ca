// How the HTML report looks and the little that it does: both go into the page, which needs nothing else.
//
// Colours follow the reader's light or dark setting. Without JavaScript everything is still readable:
// the filters only hide.

export const htmlStyle = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #636c76; --paper: #fff; --card: #f6f8fa;
  --line: #d8dee4; --passed: #1a7f37; --failed: #cf222e; --unsupported: #9a6700; --skipped: #6e7781;
  --error: #8250df; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9198a1; --paper: #0d1117;
  --card: #161b22; --line: #30363d; --passed: #3fb950; --failed: #f85149; --unsupported: #d29922;
  --skipped: #8b949e; --error: #a371f7; --accent: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 1060px; margin: 0 auto; padding: 32px 20px 80px; }
h1 { font-size: 26px; margin: 0 0 4px; } h1 code { font-size: 24px; }
h2 { font-size: 19px; margin: 40px 0 8px; padding-top: 8px; } h3 { font-size: 15px; margin: 20px 0 6px; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
code, pre { font: 12.5px/1.45 ui-monospace, monospace; }
.dim { color: var(--dim); } .small { font-size: 13px; }
.verdicts { display: flex; gap: 12px; flex-wrap: wrap; margin: 20px 0; }
.verdict { border: 1px solid var(--line); border-left: 6px solid var(--passed); border-radius: 6px;
  padding: 10px 16px; background: var(--card); min-width: 190px; }
.verdict.no { border-left-color: var(--failed); } .verdict b { display: block; font-size: 17px; }
table { border-collapse: collapse; width: 100%; margin: 12px 0; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--dim); font-weight: 500; }
td.zero { color: var(--line); } tr.sum td { font-weight: 600; }
.bar { display: flex; height: 8px; border-radius: 4px; overflow: hidden; background: var(--line); min-width: 120px; }
.bar i { display: block; } .passed { color: var(--passed); } .failed { color: var(--failed); }
.unsupported { color: var(--unsupported); } .skipped { color: var(--skipped); } .error { color: var(--error); }
i.passed { background: var(--passed); } i.failed { background: var(--failed); }
i.unsupported { background: var(--unsupported); } i.skipped { background: var(--skipped); } i.error { background: var(--error); }
.filters { position: sticky; top: 0; background: var(--paper); padding: 10px 0; display: flex; gap: 8px;
  flex-wrap: wrap; border-bottom: 1px solid var(--line); z-index: 1; }
.filters button, .filters input { font: inherit; font-size: 13px; padding: 4px 12px; border-radius: 16px;
  border: 1px solid var(--line); background: var(--card); color: var(--ink); }
.filters button[aria-pressed=true] { border-color: var(--accent); color: var(--accent); }
.filters input { flex: 1; min-width: 160px; }
details.case { border: 1px solid var(--line); border-radius: 6px; margin: 4px 0; background: var(--card); }
details.case > summary { cursor: pointer; padding: 6px 12px; list-style: none; display: flex; gap: 10px; align-items: baseline; }
details.case > summary::-webkit-details-marker { display: none; }
summary b { width: 1em; } summary span { flex: 1; }
summary i { font-style: normal; font-size: 11.5px; color: var(--dim); border: 1px solid var(--line); border-radius: 10px; padding: 0 8px; white-space: nowrap; }
details.case > div { padding: 4px 16px 14px; border-top: 1px solid var(--line); } small { font-size: 13px; color: var(--dim); }
blockquote { margin: 10px 0; padding: 4px 14px; border-left: 3px solid var(--line); color: var(--dim); }
.why { font-weight: 600; } pre { overflow-x: auto; background: var(--paper); border: 1px solid var(--line);
  border-radius: 6px; padding: 10px; margin: 8px 0; white-space: pre-wrap; word-break: break-all; }
pre span { color: var(--dim); } [hidden] { display: none !important; }
@media (max-width: 680px) { main { padding: 20px 12px 60px; } h1, p { overflow-wrap: anywhere; }
  .verdict { flex: 1; } table { font-size: 13px; } th, td { padding: 4px; }
  th:nth-child(2), td:nth-child(2) { display: none; }
  thead th:not(:first-child) { writing-mode: vertical-rl; padding-left: 12px; } details.case > summary { flex-wrap: wrap; } }
@media print { .filters { display: none; } details.case { break-inside: avoid; } }
`;

export const htmlScript = `
const cases = [...document.querySelectorAll("details.case")];
const scenarios = [...document.querySelectorAll("section.scenario")];
const buttons = [...document.querySelectorAll(".filters button")];
const search = document.querySelector(".filters input");
let shown = "all";
function apply() {
  const text = search.value.trim().toLowerCase();
  for (const one of cases) {
    const fits = shown === "all" || one.dataset.status === shown;
    one.hidden = !(fits && (text === "" || (one.id + one.textContent).toLowerCase().includes(text)));
  }
  for (const one of scenarios) one.hidden = !one.querySelector("details.case:not([hidden])");
  for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.status === shown));
}
for (const one of buttons) one.addEventListener("click", () => { shown = one.dataset.status; apply(); });
search.addEventListener("input", apply);
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) { target.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", openTarget);
openTarget();
`;
