// What each command line prints, where, and with which exit status.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import type { Output } from "./command.ts";
import { commands } from "./commands.ts";
import { programPage } from "./help_pages.ts";
import { runCommandLine } from "./program.ts";

const root = join(import.meta.dirname, "../..");

async function run(line: string, colour = false, columns?: number) {
  let out = "";
  let error = "";
  const output: Output = {
    out: (text) => void (out += text),
    error: (text) => void (error += text),
    colour,
    columns,
  };
  const status = await runCommandLine(line.split(" ").filter(Boolean), output);
  return { status, out, error };
}

const shown = commands.filter((command) => command.hidden !== true);

describe("help", () => {
  test.each(["--help", "-h", "", "help", "help help"])(
    "zot %s explains the program",
    async (line) => {
      const { status, out, error } = await run(line);
      expect({ status, error }).toEqual({ status: 0, error: "" });
      for (const { name, summary } of shown) {
        expect(out).toMatch(new RegExp(`^  ${name} .*${summary}$`, "m"));
      }
      expect(out).toContain("Usage: zot <command> [options]");
      expect(out.match(/^ {4}(zot|skopeo) .+$/gm)).toHaveLength(3);
      expect(out).not.toContain("worker");
    },
  );

  test.each(commands.map((command) => command.name))("%s is explained", async (name) => {
    const { status, out } = await run(`help ${name}`);
    expect(status).toBe(0);
    expect(out).toStartWith(`Usage: zot ${name}`);
    expect(await run(`${name} --help`)).toEqual({ status: 0, out, error: "" });
  });

  test.each(shown)("$name has a page with examples of its own", async ({ name, help }) => {
    const { out } = await run(`help ${name}`);
    for (const title of ["Usage", "Options", "Exit status", "Examples", "See also"]) {
      expect(out).toMatch(new RegExp(`^${title}:`, "m"));
    }
    for (const example of help.examples) {
      expect(example).toMatch(new RegExp(`^([A-Z_]+=\\S+ )?zot ${name}\\b`));
      expect(out).toContain(`\n  ${example}\n`);
    }
    expect(help.examples.length).toBeGreaterThan(0);
  });

  test.each(shown)("$name: what its page refers to is there", ({ help }) => {
    for (const where of [...help.seeAlso, ...programPage.seeAlso]) {
      const command = /^zot help (\w+)$/.exec(where)?.[1];
      if (where === "zot help <command>") continue;
      if (command === undefined) expect(existsSync(join(root, where))).toBe(true);
      else expect(shown.map(({ name }) => name)).toContain(command);
    }
  });

  test("pages fit the terminal, but for what would break", async () => {
    for (const { name } of shown) {
      for (const columns of [80, 200]) {
        const { out } = await run(`help ${name}`, false, columns);
        const long = out.split("\n").filter((line) => line.length > Math.min(columns, 100));
        expect(long.filter((line) => !/^ {2}(zot|ZOT_ROOT)\b/.test(line))).toEqual([]);
      }
    }
  });

  test("colour is for terminals", async () => {
    for (const line of ["--help", "help serve"]) {
      const { out } = await run(line, true);
      expect(out).toContain("\u001B[1mUsage:\u001B[22m");
      expect(out).toContain("\u001B[1mExit status:\u001B[22m");
    }
    expect((await run("--help")).out).not.toContain("\u001B");
  });
});

describe("--version", () => {
  test.each(["--version", "-v"])("zot %s names all parts", async (line) => {
    const { status, out, error } = await run(line);
    expect({ status, error }).toEqual({ status: 0, error: "" });
    const lines = out.split("\n");
    expect(lines.slice(0, 3)).toEqual([
      `zot ${packageJson.version}`,
      "distribution-spec 1.1.1",
      `bun ${packageJson.dependencies.bun}`,
    ]);
    expect(lines.slice(3).join("\n")).toMatch(/^(commit [0-9a-f]{40,64}\n)?$/);
  });
});

describe("mistakes are one line and status 2", () => {
  test.each<[line: string, error: string]>([
    ["srve", "zot: expected a command, got 'srve'; did you mean serve?"],
    ["push", "zot: expected a command, got 'push'; see 'zot --help'"],
    ["hlep", "zot: expected a command, got 'hlep'; did you mean help?"],
    ["help verfy", "zot: expected a command, got 'verfy'; did you mean verify?"],
    ["wrker", "zot: expected a command, got 'wrker'; see 'zot --help'"],
    ["--vers", "zot: unknown option '--vers'; did you mean --version?"],
    ["-x", "zot: unknown option '-x'; see 'zot --help'"],
    ["serve --frob", "zot: unknown option '--frob'; see 'zot help serve'"],
    ["verify", "zot: missing required argument 'config'; see 'zot help verify'"],
    ["compliance --frob", "zot: unknown option '--frob'; see 'zot help compliance'"],
    ["bench --format", "zot: option '--format <format>' argument missing; see 'zot help bench'"],
    [
      "schema a",
      "zot: too many arguments for 'schema'. Expected 0 arguments but got 1; see 'zot help schema'",
    ],
  ])("zot %s", async (line, error) => {
    expect(await run(line)).toEqual({ status: 2, out: "", error: `${error}\n` });
  });
});
