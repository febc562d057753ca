// What each command line prints, where, and with which exit status.

import { describe, expect, test } from "bun:test";
import packageJson from "../../package.json" with { type: "json" };
import type { Output } from "./command.ts";
import { commands } from "./commands.ts";
import { runCommandLine } from "./program.ts";

async function run(line: string, colour = false) {
  let out = "";
  let error = "";
  const output: Output = {
    out: (text) => void (out += text),
    error: (text) => void (error += text),
    colour,
    columns: undefined,
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

  test.each(shown)("$name has an example that names it", ({ name, help }) => {
    expect(help).toMatch(new RegExp(`\\nExamples?:\\n  zot ${name}\\b`));
  });

  test("colour is for terminals", async () => {
    expect((await run("--help", true)).out).toContain("\u001B[1mUsage:\u001B[22m");
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

describe("mistakes are one line and status 1", () => {
  test.each([
    ["srve", "zot: expected a command, got 'srve'; did you mean serve?"],
    ["push", "zot: expected a command, got 'push'; see 'zot --help'"],
    ["hlep", "zot: expected a command, got 'hlep'; did you mean help?"],
    ["help verfy", "zot: expected a command, got 'verfy'; did you mean verify?"],
    ["wrker", "zot: expected a command, got 'wrker'; see 'zot --help'"],
    ["--vers", "zot: unknown option '--vers'; did you mean --version?"],
    ["-x", "zot: unknown option '-x'; see 'zot --help'"],
    ["serve --frob", "zot: unknown option '--frob'; see 'zot help serve'"],
    ["verify", "zot: missing required argument 'config'; see 'zot help verify'"],
    [
      "schema a",
      "zot: too many arguments for 'schema'. Expected 0 arguments but got 1; see 'zot help schema'",
    ],
  ])("zot %s", async (line, error) => {
    expect(await run(line)).toEqual({ status: 1, out: "", error: `${error}\n` });
  });
});
