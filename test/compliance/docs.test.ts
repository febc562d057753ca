// docs/compliance/README.md says what the reports beside it say, and how many mutants there are.

import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { allScenarios } from "../../src/compliance/cases/cases.ts";
import { htmlStyle } from "../../src/compliance/reports/html_style.ts";
import { packageDirectory } from "../harness.ts";
import { mutants } from "./mutants/mutants.ts";

const directory = join(packageDirectory, "docs", "compliance");
const read = (name: string): Promise<string> => readFile(join(directory, name), "utf8");

const reports = ["zot-registry", "docker-registry", "distribution", "olareg", "zot-go"];

test.each(reports)("the table has the figures of %s", async (name) => {
  const text = await read(`${name}.txt`);
  const row =
    (await read("README.md")).split("\n").find((line) => line.includes(`(${name}.txt)`)) ?? "";
  const [, , , one, two, draft, passed, unsupported, failed, skipped] = row
    .split("|")
    .map((cell) => cell.trim());
  const all = /^ {2}All +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$/m.exec(text);
  expect([passed, skipped, unsupported, failed]).toEqual(all?.slice(1, 5) ?? []);
  for (const [version, cell] of [
    ["1.0", one],
    ["1.1", two],
    ["dev", draft],
  ] as const) {
    const verdict = new RegExp(
      `specification ${version}: (not )?compliant(?: \\((\\d+) failed)?`,
    ).exec(text);
    expect(cell).toBe(verdict?.[1] === undefined ? "✔" : `✘ ${verdict[2] ?? ""}`);
  }
});

test("pages are there and name no path of a machine", async () => {
  for (const name of reports) {
    const page = await read(`${name}.html`);
    expect(page).toStartWith("<!doctype html>");
    // Made again by scripts/compliance_report.sh, or this part replaced: an older one does not fit a phone.
    expect(page).toContain(`<style>${htmlStyle}</style>`);
    expect(page + (await read(`${name}.txt`))).not.toMatch(/\/(tmp|home|root|work)\//);
  }
});

test("the numbers of cases and mutants are those of the tables", async () => {
  const text = await read("README.md");
  const cases = allScenarios("docs").reduce((sum, one) => sum + one.cases.length, 0);
  expect(text).toContain(`${cases.toLocaleString("en")} cases.`);
  expect(text).toContain(`**Mutants made: ${mutants.length}. Mutants named: ${mutants.length}.**`);
});
