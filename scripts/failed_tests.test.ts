// What is taken out of the output of the real test runner, which ran tests that fail in each way.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { packageDirectory, run, tempDirectory } from "../test/harness.ts";
import { failedTests } from "./failed_tests.ts";

const files = {
  "a.test.ts": `
    import { expect, test } from "bun:test";
    test("passes", () => console.log("a word of one that passes"));
    test("compares", () => {
      for (let count = 0; count < 100; count += 1) console.log("noise");
      console.log("the last word");
      expect({ a: 1 }).toEqual({ a: 2 });
    });
    test("waits", () => new Promise(() => {}), 50);
    test.skip("is left out", () => {});
  `,
  "b.test.ts": `
    import { expect, test } from "bun:test";
    test("throws", () => { throw new Error("not today"); });
    test("goes on", async () => {
      setTimeout(() => Promise.reject(new Error("from outside")), 1);
      await Bun.sleep(20);
    });
    test("says much", () => expect("x\\n".repeat(500)).toBe("y\\n".repeat(500)));
  `,
  "c.test.ts": `
    import { test } from "bun:test";
    test("all is well", () => {});
    setTimeout(() => { throw new Error("too late"); }, 0);
    await Bun.sleep(10);
  `,
};

async function outputOf(tests: Readonly<Record<string, string>>): Promise<string> {
  await using directory = await tempDirectory();
  for (const [name, text] of Object.entries(tests)) {
    await Bun.write(join(directory.path, name), text);
  }
  const bun = join(packageDirectory, "scripts/bun");
  const { stdout } = await run("sh", ["-c", 'exec "$0" test 2>&1', bun], {
    cwd: directory.path,
    env: { NO_COLOR: "1", CI: "true" },
  });
  return stdout;
}

describe("of tests that fail", () => {
  test("the whole reason is said, each below its file, and nothing of the others", async () => {
    const text = failedTests(await outputOf(files)).join("\n");
    expect(text).toContain("-- a.test.ts\n");
    expect(text).toContain("the last word\n");
    expect(text).toMatch(/-   "a": 2,\n\+   "a": 1,\n[^]*a\.test\.ts:7[^]*\n\(fail\) compares/);
    expect(text).toMatch(/\(fail\) waits .*\n +\^ this test timed out after 50ms\./);
    expect(text).toMatch(/error: not today\n[^]*\n\(fail\) throws/);
    expect(text).toContain("error: from outside\n");
    expect(text).toContain("error: too late\n");
    expect(text).toContain("(fail) says much");
    expect(text).not.toMatch(/^(a word of one|\((pass|skip)\))/m);
    expect(text.split("\nnoise").length).toBeLessThan(10);
    expect(text.match(/^\(fail\)/gm)?.length).toBe(5);
  });

  test("no more is said than fits on a few pages", async () => {
    const many = Array.from({ length: 60 }, (_, at) => `test("${at}", () => expect(1).toBe(2));`);
    const tests = {
      "many.test.ts": `import { expect, test } from "bun:test";\n${many.join("\n")}`,
    };
    const lines = failedTests(await outputOf(tests));
    expect(lines).toHaveLength(151);
    expect(lines.at(-1)).toMatch(/^\.\.\. and \d+ more lines$/);
  });

  test("nothing is said where all is well", async () => {
    const tests = { "well.test.ts": `import { test } from "bun:test"; test("x", () => {});` };
    expect(failedTests(await outputOf(tests))).toEqual([]);
  });
});
