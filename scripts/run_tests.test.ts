// Every test runs, once, and what the runs of folders say together is what one run would have said.

import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { eventually, packageDirectory, tempDirectory } from "../test/harness.ts";
import { failedTests } from "./failed_tests.ts";
import { type Ended, groupsOf, runGroups, summaryOf, testFiles } from "./run_tests.ts";

describe("groups", () => {
  test("are folders, those of test alone; the longest begins first", () => {
    const files = [
      "bench/a.test.ts",
      "test/a.test.ts",
      "test/b.test.ts",
      "test/http/a.test.ts",
      "test/http/rows/b.test.ts",
      "src/lib/a.test.ts",
      "src/oci/b.test.ts",
    ];
    expect(groupsOf(files)).toEqual([
      { name: "test", files: ["test/a.test.ts", "test/b.test.ts"], isAlone: false },
      {
        name: "test/http",
        files: ["test/http/a.test.ts", "test/http/rows/b.test.ts"],
        isAlone: false,
      },
      { name: "src", files: ["src/lib/a.test.ts", "src/oci/b.test.ts"], isAlone: false },
      { name: "bench", files: ["bench/a.test.ts"], isAlone: false },
    ]);
  });
});

test("what writes into the checkout runs last, and nothing beside it", async () => {
  await using marks = await tempDirectory();
  const path = join(marks.path, "order");
  const telling = (name: string): string => `
    import { appendFileSync } from "node:fs";
    import { test } from "bun:test";
    test("tells when it runs", async () => {
      appendFileSync(${JSON.stringify(path)}, "begin ${name}\\n");
      await Bun.sleep(50);
      appendFileSync(${JSON.stringify(path)}, "end ${name}\\n");
    });`;
  await runAll({
    "test/machine/a.test.ts": telling("machine"),
    "test/packages/a.test.ts": telling("packages"),
    "src/a.test.ts": telling("src"),
  });
  const order = (await Bun.file(path).text()).trim().split("\n");
  expect(order.slice(0, 2)).toEqual(["begin src", "end src"]);
  expect(order.slice(2)).toEqual([
    "begin machine",
    "end machine",
    "begin packages",
    "end packages",
  ]);
});

const passes = `import { test } from "bun:test"; test("passes", () => {}); test.skip("later", () => {});`;
const fails = `
  import { expect, test } from "bun:test";
  test("fails", () => expect(1).toBe(2));`;
const late = `
  import { test } from "bun:test";
  test("passes", () => {});
  setTimeout(() => { throw new Error("from outside"); }, 0);
  await Bun.sleep(10);`;
const dies = `import { test } from "bun:test"; test("dies", () => process.kill(process.pid, "SIGKILL"));`;
/** A folder for each file, run in two lanes. */
async function runAll(
  texts: Readonly<Record<string, string>>,
  signal = new AbortController().signal,
): Promise<{ ended: Ended[]; output: string }> {
  await using directory = await tempDirectory();
  const files = Object.keys(texts);
  for (const file of files) await Bun.write(join(directory.path, file), texts[file] ?? "");
  let output = "";
  const write = (text: string): void => void (output += text);
  const options = { directory: directory.path, lanes: 2, write, signal };
  const ended = await runGroups(groupsOf(files), options);
  return { ended, output: output + summaryOf(ended, 1.5) };
}

test("what all say together is one summary at the end", async () => {
  const texts = { "a/a.test.ts": passes, "b/b.test.ts": fails, "c/c.test.ts": late };
  const { ended, output } = await runAll(texts);
  expect(ended.map(({ exitCode }) => exitCode).toSorted((a, b) => a - b)).toEqual([0, 1, 1]);
  expect(output).toEndWith(
    " 1 pass\n 1 skip\n 0 todo\n 1 fail\n 1 error\nRan 3 tests across 3 files. [1.50s]\n",
  );
  const said = failedTests(output).join("\n");
  expect(said).toMatch(/^-- b\/b\.test\.ts\n[^]*Expected: 2\n[^]*\n\(fail\) fails/);
  expect(said).toContain("error: from outside\n");
  expect(said).not.toContain("a.test.ts");
});

test("a test runner that dies is a failure, and the others go on", async () => {
  const { ended, output } = await runAll({ "a/a.test.ts": dies, "b/b.test.ts": passes });
  expect(ended.filter(({ exitCode }) => exitCode !== 0)).toHaveLength(1);
  expect(output).toContain("(fail) a: the test runner ended with SIGKILL\n");
  expect(output).toMatch(
    /^ 1 pass\n 1 skip\n 0 todo\n 1 fail\n 0 error\nRan 3 tests across 2 files/m,
  );
});

test("what is ended in the midst has its output so far, and nothing begins after it", async () => {
  await using begun = await tempDirectory();
  const hangs = (name: string): string => `
    import { test } from "bun:test";
    test("hangs", async () => {
      await Bun.write(${JSON.stringify(join(begun.path, name))}, "");
      await new Promise(() => {});
    });`;
  const texts = { "a/a.test.ts": hangs("a"), "b/b.test.ts": hangs("b"), "c/c.test.ts": passes };
  const ending = new AbortController();
  const running = runAll(texts, ending.signal);
  await eventually("both hang", async () => (await readdir(begun.path)).length === 2);
  ending.abort();
  const { ended, output } = await running;
  expect(ended).toHaveLength(2);
  expect(output).toContain("a/a.test.ts:\n");
  expect(output).not.toContain("c.test.ts");
});

test("no test file that the test runner finds is left out", async () => {
  const all = [...new Bun.Glob("**/*.test.ts").scanSync({ cwd: packageDirectory })];
  const own = all.filter((file) => !/^(?:node_modules|dist)\//.test(file));
  expect([...testFiles.scanSync(packageDirectory)].toSorted()).toEqual(own.toSorted());
});
