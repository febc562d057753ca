// README.md does what it says: its blocks are run as they stand, against a fresh server.
//
// The first push runs with every test; `ZOT_TEST_README=1` and CI run all blocks of README.md and of the guides, for
// the tools that the machine has.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { packageDirectory, requireTool, tempDirectory } from "../test/harness.ts";
import { checkFresh, checkPage, readBlocks } from "./check_readme.ts";
import { runnableBlocks } from "./readme_blocks.ts";

const pageMs = 600_000;
const all = process.env["ZOT_TEST_README"] === "1" || process.env["CI"] === "true";

test("README.md starts with the two commands, and names its blocks' tools", async () => {
  const blocks = await readBlocks("README.md");
  expect(blocks[0]).toMatchObject({ text: "npm ci && npm start", kind: "start" });
  expect(new Set(blocks.flatMap((block) => block.needs))).toEqual(
    new Set(["skopeo", "podman", "docker"]),
  );
});

// With every test; where all blocks run, this one is among them.
test.skipIf(all || !requireTool("skopeo"))(
  "README.md: a push",
  async () => {
    const { ran, skipped } = await checkPage("README.md", ({ needs }) => needs.includes("skopeo"));
    expect(skipped).toEqual([]);
    expect(ran).toHaveLength(1);
  },
  pageMs,
);

const guides = [...new Bun.Glob("docs/guides/*.md").scanSync(packageDirectory)].sort();

describe.skipIf(!all)("every block that this machine has the tools for", () => {
  test.each(["README.md", ...guides])(
    "%s",
    async (file) => {
      const { ran, skipped } = await checkPage(file);
      for (const block of skipped) {
        console.log(`skipped: ${block.file}:${block.line} needs ${block.needs.join(", ")}`);
      }
      expect(ran.length + skipped.length).toBe(
        (await readBlocks(file)).filter(({ kind }) => kind !== "start").length,
      );
    },
    pageMs,
  );
});

const fresh = process.env["ZOT_TEST_FRESH"] === "1" && requireTool("git", "npm");

test.skipIf(!fresh)(
  "README.md in a fresh clone, as it is typed, on its own port",
  async () => {
    if (await isTaken(8080)) {
      console.log("skipped: something listens on port 8080");
      return;
    }
    const { ran } = await checkFresh("README.md");
    expect(ran[0]).toMatchObject({ kind: "start" });
    expect(ran.length).toBeGreaterThanOrEqual(3);
  },
  pageMs,
);

async function isTaken(port: number): Promise<boolean> {
  const url = `http://127.0.0.1:${port}/`;
  return (await fetch(url).catch(() => null)) !== null;
}

describe("runnableBlocks", () => {
  const page = (marks: string) => `text\n\`\`\`${marks}\necho 1\necho 2\n\`\`\`\nmore\n`;

  test("takes marked blocks, with their line and their tools", () => {
    expect(runnableBlocks("a.md", page("sh run needs=skopeo,podman"))).toEqual([
      {
        file: "a.md",
        line: 3,
        text: "echo 1\necho 2",
        kind: "run",
        serves: false,
        path: null,
        needs: ["skopeo", "podman"],
        on: null,
      },
    ]);
    expect(runnableBlocks("a.md", page("sh run=start"))).toMatchObject([{ kind: "start" }]);
    expect(runnableBlocks("a.md", page("yaml serve file=a.yaml"))).toMatchObject([
      { kind: "configuration", serves: true, path: "a.yaml" },
    ]);
    const step = "1. do it\n   ```sh on=server\n   echo 1\n     echo 2\n   ```\n";
    expect(runnableBlocks("a.md", step)).toMatchObject([
      { line: 3, text: "echo 1\n  echo 2", on: "server" },
    ]);
  });

  test("leaves blocks without a mark, and refuses a mark that is mistyped", () => {
    expect(runnableBlocks("a.md", page("sh"))).toEqual([]);
    expect(runnableBlocks("a.md", page(""))).toEqual([]);
    expect(() => runnableBlocks("a.md", page("sh runn"))).toThrow("a.md:3: expected run");
  });
});

test("a block that fails is an error that shows it", async () => {
  await using directory = await tempDirectory();
  const broken = join(directory.path, "broken.md");
  await Bun.write(broken, "```sh run\necho before\nfalse\n```\n");
  const outcome = await checkPage(broken).catch(String);
  expect(outcome).toContain(`${broken}:2: exit code 1`);
});
