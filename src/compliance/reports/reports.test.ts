// The forms of a report hold what happened, and nothing of the registry's gets to run in them.
import { describe, expect, test } from "bun:test";
import type { CaseResult, Report } from "../report.ts";
import { countStatuses } from "../report.ts";
import { statuses } from "../suite.ts";
import { escapeXml } from "./junit.ts";
import { isReportFormat, reportFormats } from "./reports.ts";
import { textReport, wrap } from "./text.ts";

const hostile = `<script>alert("x")</script> & 'quoted' \u0000`;

const cases: CaseResult[] = statuses.map((status) => ({
  id: `tags/${status}`,
  group: "tags",
  scenario: "tags",
  title: `A case that is ${status}`,
  polarity: status === "failed" ? "negative" : "positive",
  level: "must",
  since: "1.0",
  clause: {
    name: "tags",
    source: "distribution-spec",
    section: "Listing Tags",
    sentence: "It MUST <work>.",
    url: "https://example.com/#tags",
  },
  status,
  message: status === "passed" ? null : `Because ${hostile}`,
  durationMs: 12,
  exchanges: [
    {
      method: "GET",
      url: "http://127.0.0.1/v2/a/tags/list",
      requestHeaders: [["Accept", hostile]],
      requestBody: "",
      status: 200,
      reason: "OK",
      responseHeaders: [["X", hostile]],
      responseBody: hostile,
      error: null,
      durationMs: 1,
    },
  ],
}));
const totals = countStatuses(cases.map(({ status }) => status));
const report: Report = {
  formatVersion: 1,
  tool: "zot/1",
  registry: "http://127.0.0.1:5000",
  name: "A registry",
  startedAt: "2024-01-01T00:00:00Z",
  durationMs: 1234,
  readOnly: false,
  seed: "abc",
  repositories: ["a", "b"],
  versions: [{ version: "1.1", compliant: false, totals }],
  totals,
  positive: totals,
  negative: totals,
  groups: [{ name: "tags", title: "Tag lists", summary: { status: "failed", totals } }],
  scenarios: [
    { id: "tags", group: "tags", title: "Listing tags", summary: { status: "failed", totals } },
  ],
  cases,
  leftBehind: { manifests: 1, tags: 0, blobs: 2, uploads: 0 },
  aborted: null,
};

describe("text", () => {
  const plain = textReport(report, { colour: false, columns: 100 });
  test("says what is wrong, by which sentence, and the verdict", () => {
    expect(plain).toContain("✘ tags/failed  A case that is failed");
    expect(plain).toContain("distribution-spec, Listing Tags: It MUST <work>.");
    expect(plain).toContain(
      "Distribution specification 1.1: not compliant (1 failed, 1 not judged)",
    );
    expect(plain).toContain(
      "Left behind, not deleted by the registry: 1 manifests, 0 tags, 2 blobs",
    );
    expect(plain).not.toContain("\u001B");
  });
  test("colours only when asked", () => {
    expect(textReport(report, { colour: true, columns: 100 })).toContain("\u001B[31m✘");
  });
  test("the table fits a narrow terminal", () => {
    const narrow = textReport(report, { colour: false, columns: 80 }).split("\n");
    expect(
      narrow
        .filter((line) => /^..(Group|Tag lists|All)/.test(line))
        .every((line) => line.length <= 80),
    ).toBe(true);
    expect(plain).toContain("unsupported");
    expect(narrow.join("\n")).toContain("unsup.");
  });
  test("wrap breaks at spaces and keeps long words whole", () => {
    expect(wrap("aa bb cc", 5)).toEqual(["aa bb", "cc"]);
    expect(wrap("a".repeat(9), 5)).toEqual(["a".repeat(9)]);
    expect(wrap("", 5)).toEqual([]);
  });
});

test("json is the report", () => {
  expect(JSON.parse(reportFormats.json(report))).toEqual(JSON.parse(JSON.stringify(report)));
});

describe("junit", () => {
  const xml = reportFormats.junit(report);
  test("counts, and has an element for what did not pass", () => {
    expect(xml).toContain('tests="5" failures="1" errors="1" skipped="2"');
    expect(xml.match(/<testcase /g)).toHaveLength(5);
    expect(xml.match(/<failure /g)).toHaveLength(1);
    expect(xml.match(/<error /g)).toHaveLength(1);
    expect(xml.match(/<skipped /g)).toHaveLength(2);
  });
  test("is well-formed whatever the registry sent", () => {
    expect(xml).not.toContain("<script>");
    // Every tag that is opened is closed, and no bare ampersand is left.
    const tags = xml.match(/<\/?[a-z]+(?:\s[^<>]*?)?\/?>/g) ?? [];
    let open = 0;
    for (const tag of tags) open += tag.startsWith("</") ? -1 : tag.endsWith("/>") ? 0 : 1;
    expect(open).toBe(0);
    expect(xml).not.toMatch(/&(?!(amp|lt|gt|quot|#39|#10);)/);
    expect(xml).not.toContain("\u0000");
  });
});

describe("html", () => {
  const html = reportFormats.html(report);
  test("stands alone and runs nothing of the registry's", async () => {
    const found: string[] = [];
    const rewriter = new HTMLRewriter()
      .on("script", { element: () => void found.push("script") })
      .on("[src], link, img, iframe", { element: (element) => void found.push(element.tagName) })
      .on("details.case", {
        element: (element) => void found.push(element.getAttribute("data-status") ?? ""),
      });
    await rewriter.transform(new Response(html)).text();
    expect(found.filter((name) => name !== "script").toSorted()).toEqual([...statuses].toSorted());
    expect(found.filter((name) => name === "script")).toHaveLength(1);
    expect(html).not.toContain("<script>alert");
  });
  test("has the verdict, the sentence and the exchange of a case", () => {
    expect(html).toContain("not compliant");
    expect(html).toContain("It MUST &lt;work&gt;.");
    expect(html).toContain("GET http://127.0.0.1/v2/a/tags/list");
    expect(html).toContain('href="https://example.com/#tags"');
  });
});

test("formats are known by name", () => {
  expect(["text", "json", "junit", "html"].every(isReportFormat)).toBe(true);
  expect(isReportFormat("toString")).toBe(false);
  expect(escapeXml('a<b>"\n')).toBe("a&lt;b&gt;&quot;&#10;");
});
