// The documents say what is there: links lead somewhere, files that they name exist, configurations on them would be
// served, limits are the code's own.
//
// For pages that people write; printed ones are checked where they are printed.

import { describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parse } from "yaml";
import { checkConfig } from "../src/config/load.ts";
import { packageDirectory } from "../test/harness.ts";

const lineLengthMax = 120;
const written = ["*.md", "docs/*.md", "docs/guides/*.md", "docs/decisions/*.md"]
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(packageDirectory)])
  // Printed by benchmarks.
  .filter((file) => !file.startsWith("docs/benchmarks"))
  .sort();

const textOf = (file: string) => Bun.file(join(packageDirectory, file)).text();
/** A page without its code blocks. */
const proseOf = async (file: string) => (await textOf(file)).replaceAll(/^```[^]*?^```$/gm, "");

describe.each(written)("%s", (file) => {
  test(`no line is longer than ${lineLengthMax}, but for tables`, async () => {
    const lines = (await textOf(file)).split("\n");
    const isLong = (line: string) => line.length > lineLengthMax && !line.startsWith("|");
    const long = lines.flatMap((line, index) => (isLong(line) ? [index + 1] : []));
    expect(long).toEqual([]);
  });

  test("links lead to files and headings that exist", async () => {
    const broken: string[] = [];
    for (const [, target = ""] of (await proseOf(file)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", heading] = target.split("#");
      const page =
        path === ""
          ? file
          : relative(packageDirectory, resolve(packageDirectory, dirname(file), path));
      if (!existsSync(join(packageDirectory, page))) broken.push(target);
      else if (heading !== undefined && !(await headings(page)).has(heading)) broken.push(target);
    }
    expect(broken).toEqual([]);
  });

  test("files that it names exist", async () => {
    const named = [
      ...(await proseOf(file)).matchAll(
        /`((?:[\w.]+\/)+[\w.]+\.(?:ts|json|yaml|md)|(?:[a-z_]+\/)+)`/g,
      ),
    ];
    const missing = named
      .map(([, path = ""]) => path)
      .filter((path) => !isOnDisk(path) && !isAnExample(path))
      .filter(
        (path) =>
          !["", "src", dirname(file)].some((base) =>
            existsSync(join(packageDirectory, base, path)),
          ),
      );
    expect(missing).toEqual([]);
  });
});

/** What lies in a root directory, not in the repository. */
function isOnDisk(path: string): boolean {
  return /^(_zot|blobs|dist|a)\/|^node_modules/.test(path);
}

/** Files that a reader makes: `x.ts` of a recipe. */
function isAnExample(path: string): boolean {
  return /(^|\/)x(_\w+)?\.ts$/.test(path);
}

async function headings(page: string): Promise<Set<string>> {
  if (statSync(join(packageDirectory, page)).isDirectory()) return new Set();
  const found = (await proseOf(page)).matchAll(/^#+ (.+)$/gm);
  return new Set([...found].map(([, text = ""]) => anchorOf(text)));
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

describe("configurations on pages", () => {
  const sections = new Set(["storage", "http", "log", "extensions"]);
  test.each(written)("%s: each is one that serves", async (file) => {
    for (const [, text = ""] of (await textOf(file)).matchAll(/^```yaml[^\n]*\n([^]*?)^```$/gm)) {
      const value: unknown = parse(text);
      const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
      if (!keys.every((key) => sections.has(key))) continue;
      const checked = checkConfig(value, { HOME: packageDirectory });
      // Who may come in is another section's matter.
      const warnings = "warnings" in checked ? checked.warnings : null;
      const others = warnings?.filter((warning) => !warning.includes("everybody who reaches"));
      expect({ text, checked, others }).toMatchObject({ others: [] });
    }
  });
});

describe("docs/ARCHITECTURE.md", () => {
  test("names every limit with the value that the code has", async () => {
    const rows = [
      ...(await textOf("docs/ARCHITECTURE.md")).matchAll(
        /^\| `(\w+)` \| `([^`]+)` \| `([^`]+)` \|/gm,
      ),
    ];
    expect(rows.length).toBeGreaterThan(20);
    for (const [, name = "", value = "", file = ""] of rows) {
      const source = await textOf(join("src", file));
      const [, actual] = new RegExp(`const ${name} = ([^;]+);`).exec(source) ?? [];
      expect({ file, name, value }).toEqual({ file, name, value: actual ?? "(not there)" });
    }
  });

  test("names every folder of src in its table of layers", async () => {
    const text = await textOf("docs/ARCHITECTURE.md");
    const files = new Bun.Glob("*/*.ts").scanSync(join(packageDirectory, "src"));
    const folders = new Set([...files].map((file) => dirname(file)));
    for (const folder of folders) expect(text).toContain(`| \`${folder}\` |`);
  });
});

test("docs/guides/operate.md: every line of the log that it explains is one that the code writes", async () => {
  const [, section = ""] = (await textOf("docs/guides/operate.md")).split("\n## Logs\n");
  const [table = ""] = section.split("\n### ");
  const messages = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = ""]) => [
    ...cell.matchAll(/`([^`]+)`/g),
  ]);
  const files = [...new Bun.Glob("src/**/*.ts").scanSync(packageDirectory)];
  const sources = files.filter((file) => !file.endsWith(".test.ts"));
  const code = (await Promise.all(sources.map(textOf))).join("\n");
  const unknown = messages.map(([, text = ""]) => text).filter((text) => !code.includes(text));
  expect(unknown).toEqual([]);
  expect(messages.length).toBeGreaterThan(20);
});

test("docs/README.md links every page", async () => {
  const index = await textOf("docs/README.md");
  const pages = written.filter((file) => file.startsWith("docs/") && file !== "docs/README.md");
  const missing = pages.filter((file) => !index.includes(`(${relative("docs", file)})`));
  expect(missing).toEqual([]);
});
