// What shells offer after a part of a command line: asked of the shells themselves.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, packageDirectory, requireTool, run, runOk } from "./harness.ts";
import { tempDirectory, type TempDirectory } from "./temp.ts";
import { startInTerminal } from "./terminal.ts";

let directory: TempDirectory;
const at = (name: string): string => join(directory.path, name);
beforeAll(async () => {
  directory = await tempDirectory();
  await writeFile(at("my config.yaml"), "");
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout } = await runOk(join(packageDirectory, "bin/zot"), ["completion", shell]);
    await writeFile(at(shell), stdout);
  }
});
afterAll(() => directory[Symbol.asyncDispose]());

/** The words of a command line, the last one unfinished, and what is offered for it. */
const rows: readonly [words: readonly string[], offered: readonly string[]][] = [
  [["ver"], ["verify", "version"]],
  [["wor"], []],
  [["help", "aut"], ["authz"]],
  [
    ["completion", ""],
    ["bash", "fish", "zsh"],
  ],
  [["verify", "my"], ["my config.yaml"]],
  [["verify", "--no"], ["--no-files"]],
  [["authz", "c.yaml", "ann", "de"], ["delete"]],
  [
    ["user", ""],
    ["add", "list", "password", "remove"],
  ],
  [["user", "add", "my"], ["my config.yaml"]],
  [
    ["bench", "--comp"],
    ["--compare", "--compare-pid"],
  ],
  [["bench", "--ca", "my"], ["my config.yaml"]],
  [["insp"], ["inspect"]],
  [["inspect", "--pl"], ["--platform"]],
  [["ls", "--q"], ["--quiet"]],
  [["bench", "--user", "my"], []],
];

describe("bash", () => {
  test.each(rows)("zot %j: %j", async (words, offered) => {
    const script = [
      `source ${at("bash")}`,
      'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))',
      "_zot",
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ].join("\n");
    const args = ["--norc", "-c", script, "bash", "zot", ...words];
    const { stdout, stderr } = await run("bash", args, { cwd: directory.path });
    expect(stderr).toBe("");
    expect(stdout.split("\n").filter(Boolean).toSorted()).toEqual([...offered]);
  });
});

describe.skipIf(!requireTool("fish"))("fish", () => {
  const placed = new Set<string | undefined>(["authz", "user"]);
  // Where in a line a word stands is not told to fish: it offers what any place takes.
  const known = rows.filter(([[command], offered]) => !placed.has(command) && offered.length > 0);
  test.each(known)("zot %j: %j", async (words, offered) => {
    const script = `source ${at("fish")}; complete -C "zot ${words.join(" ")}"`;
    const args = ["--no-config", "-c", script];
    const { stdout, stderr } = await run("fish", args, { cwd: directory.path });
    expect(stderr).toBe("");
    const found = stdout.split("\n").map((line) => line.split("\t")[0] ?? "");
    const unescaped = found.map((word) => word.replaceAll("\\", ""));
    expect(unescaped.filter(Boolean).toSorted()).toEqual([...offered]);
  });
});

describe.skipIf(!requireTool("zsh"))("zsh", () => {
  test.each<[typed: string, completed: string]>([
    ["zot verif\t", "zot verify "],
    ["zot help aut\t", "zot help authz "],
    ["zot completion fi\t", "zot completion fish "],
    ["zot verify my\t", "zot verify my\\ config.yaml "],
    ["zot verify --no\t", "zot verify --no-files "],
    ["zot authz c.yaml ann de\t", "zot authz c.yaml ann delete "],
    ["zot user pass\t", "zot user password "],
  ])("%j becomes %j", async (typed, completed) => {
    await using terminal = startInTerminal(["zsh", "-f", "-i"], { TERM: "dumb" });
    const here = `cd ${directory.path}; source ${at("zsh")}; PS1='ready> '`;
    terminal.type(`autoload -U compinit; compinit -u -D; ${here}\n`);
    const shown = (): string => Bun.stripANSI(terminal.text());
    await eventually("it is set up", () => /^\s*ready> /m.test(shown()));
    terminal.type(typed);
    await eventually(`${JSON.stringify(typed)} is completed`, () =>
      shown().includes(`ready> ${completed}`),
    );
  });
});
