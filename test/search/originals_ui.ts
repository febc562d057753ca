// zot's own web interface, zui, played against this registry: the folder that its build makes is served in front of a
// server of ours, its pages and tabs are opened in a real Chromium, and every query that they send is checked for an
// answer without errors.
//
//   scripts/bun test/search/originals_ui.ts --zui DIRECTORY [--queries FILE]
//
// The folder is built from zui's sources elsewhere; nothing in CI runs this. `--queries` writes the queries, for
// `corpus.json`. It exits with 1 where a page shows not what it should, says an error, or gets one.

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import { parseArgs } from "node:util";
import { startZot } from "../harness.ts";
import { openBrowser, openPage } from "../ui/browser.ts";
import { pushCorpus } from "./corpus_data.ts";
import { SearchWorld, searchPath } from "./search_world.ts";
import { worldAt } from "./world_at.ts";

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: { zui: { type: "string" }, queries: { type: "string" } },
});
const { zui } = values;
if (zui === undefined || !existsSync(join(zui, "index.html"))) {
  console.error(
    "test/search/originals_ui.ts: expected --zui DIRECTORY, with the index.html of zui's build",
  );
  process.exit(2);
}

/** What a page shows when it has what it asked for; what is clicked, in turn, and shows then. */
interface Visit {
  readonly path: string;
  readonly shows: string;
  readonly clicks?: readonly (readonly [click: string, shows: string])[];
}

const visits: readonly Visit[] = [
  { path: "/home", shows: "library/alpine" },
  { path: "/explore", shows: "charts/web" },
  { path: "/explore?search=app", shows: "team/app" },
  { path: "/image/team%2Fapp", shows: "v2" },
  {
    path: "/image/team%2Fapp/tag/v2",
    shows: "team/app",
    clicks: [
      ["Layers", "COPY"],
      ["Uses", "alpine"],
      ["Used by", "No"],
      ["Vulnerabilities", "Vulnerabilities"],
      ["Referred By", "Referred"],
    ],
  },
  {
    path: "/image/team%2Fsigned/tag/1.0",
    shows: "team/signed",
    clicks: [["Referred By", "sarif"]],
  },
  { path: "/image/team%2Fmulti/tag/1.0", shows: "team/multi" },
  { path: "/image/library%2Falpine/tag/3.20", shows: "alpine", clicks: [["Used by", "team/app"]] },
  { path: "/image/no%2Fsuch", shows: "library/alpine" },
];

await using zot = await startZot({ config: { extensions: { search: {} } } });
await pushCorpus(new SearchWorld(worldAt(zot.url)));
const queries = new Map<string, string>();
const faults: string[] = [];
const front = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => {
    const { pathname, search, searchParams } = new URL(request.url);
    if (pathname.startsWith("/v2/") || pathname.startsWith("/zot/")) {
      const at = request.url.indexOf(pathname);
      const answer = await fetch(`${zot.url}${request.url.slice(at)}`, {
        method: request.method,
        headers: request.headers,
        body: request.body,
      });
      const text = await answer.text();
      const query = searchParams.get("query");
      if (pathname === searchPath && query !== null) noteQuery(query, answer.status, text);
      return new Response(text, {
        status: answer.status,
        headers: { "content-type": "application/json" },
      });
    }
    const file = Bun.file(join(zui, normalize(pathname)));
    const isFile = pathname !== "/" && search === "" && (await file.exists());
    return new Response(isFile ? file : Bun.file(join(zui, "index.html")));
  },
});

/** By the place where it was sent. */
let visiting = "";

function noteQuery(query: string, status: number, text: string): void {
  queries.set(query, visiting);
  const isError = status !== 200 || text.startsWith('{"errors"');
  // Nothing scans here, and a repository that is not there is told so.
  const isMeant = text.includes("cve search is disabled") || visiting.includes("no%2Fsuch");
  if (isError && !isMeant) faults.push(`${visiting}: ${status} ${text.slice(0, 200)} to ${query}`);
}

const url = `http://127.0.0.1:${front.port}`;
await using browser = await openBrowser();
for (const { path, shows, clicks = [] } of visits) {
  visiting = path;
  await using opened = await openPage(browser, url);
  const { page } = opened;
  // As after a first look at a registry without logins.
  await page.addInitScript("localStorage.setItem('authConfig', '{}')");
  await page.goto(`${url}${path}`);
  const sees = async (text: string): Promise<void> => {
    const found = page.getByText(text).first();
    await found.waitFor({ timeout: 20_000 }).catch(() => faults.push(`${path}: no “${text}”`));
  };
  await sees(shows);
  for (const [click, then] of clicks) {
    const tab = page.getByRole("tab", { name: new RegExp(`^${click}`, "i") }).first();
    await tab.click({ timeout: 20_000 }).catch(() => faults.push(`${path}: no tab “${click}”`));
    await sees(then);
  }
  await page.waitForLoadState("networkidle");
  faults.push(...opened.faults.map((fault) => `${path}: ${fault}`));
  console.log(`visited ${path}`);
}
await front.stop(true);
if (values.queries !== undefined) {
  await writeFile(values.queries, `${JSON.stringify([...queries.keys()], null, 2)}\n`);
}
for (const fault of new Set(faults)) console.log(`FAULT ${fault}`);
console.log(
  `${visits.length} pages, ${queries.size} different queries, ${new Set(faults).size} faults`,
);
process.exitCode = faults.length > 0 ? 1 : 0;
