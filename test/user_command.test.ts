// `zot user` as a person and as a script use it: in a pseudo-terminal that must show no password, and through a pipe.
//
// Apache's htpasswd judges what comes out, and goes on with the file.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, chown, lstat, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { requireRoot, requireTool, run, tempDirectory, testedProgram } from "./harness.ts";
import type { TempDirectory } from "./temp.ts";
import { talkInTerminal, type Talk } from "./terminal.ts";

const program = await testedProgram();
let directory: TempDirectory;
let count = 0;
beforeAll(async () => {
  directory = await tempDirectory("zot-user");
});
afterAll(() => directory[Symbol.asyncDispose]());

/** A path of a file that no other test has. */
const fresh = (): string => join(directory.path, `users${(count += 1)}`);
const piped = (input: string, ...args: string[]) =>
  run(program, ["user", ...args], { stdin: input });
const text = (path: string): Promise<string> => readFile(path, "utf8");

async function isPassword(path: string, name: string, password: string): Promise<boolean> {
  const line = (await text(path)).split("\n").find((each) => each.startsWith(`${name}:`)) ?? "";
  return await Bun.password.verify(password, line.slice(name.length + 1), "bcrypt");
}

describe("through a pipe", () => {
  test("adds, lists, changes and removes, and keeps what it does not understand", async () => {
    const path = fresh();
    expect(await piped("ann's secret\n", "add", path, "ann")).toMatchObject({
      code: 0,
      stdout: `ann is added to ${path}\n`,
      stderr: "",
    });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await writeFile(path, `# the team\n\n${await text(path)}# robots\n`);
    expect((await piped("bob's", "add", path, "bob")).code).toBe(0);
    expect((await piped("", "list", path)).stdout).toBe("ann\nbob\n");
    const before = (await text(path)).split("\n");
    expect(before.filter((line) => !line.includes("$2y$10$"))).toEqual([
      "# the team",
      "",
      "# robots",
      "",
    ]);
    expect((await piped("another\r\n", "password", path, "ann")).code).toBe(0);
    expect(await isPassword(path, "ann", "another")).toBe(true);
    expect(await isPassword(path, "bob", "bob's")).toBe(true);
    const after = (await text(path)).split("\n");
    expect(after.map((line, at) => line === before[at])).toEqual(
      before.map((line) => !line.startsWith("ann:")),
    );
    expect(await piped("", "remove", path, "ann")).toMatchObject({ code: 0 });
    expect(await text(path)).toBe(before.filter((line) => !line.startsWith("ann:")).join("\n"));
  });

  test("leaves mode, owner and a link as they are, and nothing beside the file", async () => {
    const path = fresh();
    await writeFile(path, "");
    await chmod(path, 0o640);
    if (requireRoot()) await chown(path, 12_345, 54_321);
    const link = fresh();
    await symlink(path, link);
    const before = await stat(path);
    expect((await piped("x", "add", link, "ann")).code).toBe(0);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    const { mode, uid, gid, ino } = await stat(path);
    expect({ mode, uid, gid }).toEqual({ mode: before.mode, uid: before.uid, gid: before.gid });
    expect(ino).not.toBe(before.ino);
    expect((await readdir(directory.path)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("of several at once none is lost", async () => {
    const path = fresh();
    const names = Array.from({ length: 6 }, (_, at) => `user${at}`);
    const ended = await Promise.all(names.map((name) => piped("x", "add", path, name)));
    expect(ended.map(({ code }) => code)).toEqual(names.map(() => 0));
    const { stdout } = await piped("", "list", path);
    expect(stdout.trim().split("\n").toSorted()).toEqual(names);
  }, 60_000);

  test.skipIf(!requireTool("htpasswd"))("Apache's tool verifies, and goes on with it", async () => {
    const path = fresh();
    await piped("ann's secret", "add", path, "ann");
    const verified = await run("htpasswd", ["-vb", path, "ann", "ann's secret"]);
    expect({ code: verified.code, said: verified.stderr }).toMatchObject({ code: 0 });
    expect((await run("htpasswd", ["-vb", path, "ann", "other"])).code).not.toBe(0);
    expect((await run("htpasswd", ["-bB", path, "bob", "x"])).code).toBe(0);
    expect((await piped("", "list", path)).stdout).toBe("ann\nbob\n");
  });

  const mistakes: [args: string[], input: string, code: number, says: string][] = [
    [["add", "{}", "ann"], "x", 1, "ann is there already; zot user password sets another password"],
    [["remove", "{}", "anne"], "", 1, "anne is not there; did you mean ann?"],
    [["password", "{}", "zoe"], "x", 1, "zoe is not there"],
    [["add", "{}", "bob"], "", 1, "expected a password, got none"],
    [["add", "{}", "bob"], "a\nb\n", 1, "expected one line with the password, got several"],
    [["add", "{}", "bob"], "a\tb", 1, "without control characters"],
    [
      ["add", "{}", "bob"],
      "x".repeat(73),
      1,
      "up to 72 bytes, which is all that bcrypt looks at; got 73",
    ],
    [["add", "{}", "a:b"], "x", 2, "expected a name without a colon"],
    [["add", "{}", " ann"], "x", 2, "blanks around it"],
    [["add", "{}"], "x", 2, "expected a name: zot user add <file> <name>"],
    [["list", "{}", "ann"], "", 2, "expected no name behind the file of a list"],
    [
      ["ad", "{}", "ann"],
      "x",
      2,
      "expected add, remove, list, password, got 'ad'; did you mean add?",
    ],
    [["add", "{}", "bob", "secret"], "x", 2, "too many arguments"],
    [["list", "{}.none"], "", 1, "expected a file of users, got no such file"],
    [["remove", "{}.none", "ann"], "", 1, "expected a file of users, got no such file"],
    [["add", "{}.no/file", "ann"], "x", 1, "no such file"],
    [["add", "/", "ann"], "x", 1, "got a directory"],
  ];
  test.each(mistakes)("%j with %j is told in one line: %d", async (args, input, code, says) => {
    const path = fresh();
    await piped("x", "add", path, "ann");
    const before = await text(path);
    const told = await piped(input, ...args.map((arg) => arg.replace("{}", path)));
    expect(told.code).toBe(code);
    expect(told.stderr).toContain(says);
    expect(told.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(await text(path)).toBe(before);
  });

  test("a file with a wrong line is not touched", async () => {
    const path = fresh();
    await writeFile(path, "ann:secret\n");
    const told = await piped("x", "add", path, "bob");
    expect(told).toMatchObject({ code: 1 });
    expect(told.stderr).toContain(`${path}: line 1: expected a hash of bcrypt`);
    expect(await text(path)).toBe("ann:secret\n");
  });
});

describe("in a terminal", () => {
  const typed = (args: string[], talk: Talk) => talkInTerminal([program, "user", ...args], talk);
  const once = "Password for ann: ";
  const again = "The same again: ";

  test("the password is asked for twice, and never shown", async () => {
    const path = fresh();
    // A wrong letter is taken back, and a whole line.
    const answers: Talk = [
      [once, "wrong line\u0015ann's secx\u007fret\r"],
      [again, "ann's secret\r"],
    ];
    const { shown, code } = await typed(["add", path, "ann"], answers);
    expect(code).toBe(0);
    expect(shown).toBe(`${once}\n${again}\nann is added to ${path}\n`);
    expect(await isPassword(path, "ann", "ann's secret")).toBe(true);
  });

  test("two different ones change nothing", async () => {
    const path = fresh();
    const { shown, code } = await typed(
      ["add", path, "ann"],
      [
        [once, "one\r"],
        [again, "two\r"],
      ],
    );
    expect(code).toBe(1);
    expect(shown).toContain("expected the same password twice, got two; nothing is changed");
    expect(await Bun.file(path).exists()).toBe(false);
  });

  test("Ctrl+C at the question ends it, and changes nothing", async () => {
    const path = fresh();
    const { code } = await typed(["add", path, "ann"], [[once, "secre\u0003"]]);
    expect(code).toBe(130);
    expect(await Bun.file(path).exists()).toBe(false);
  });

  test("nobody is asked where the answer could not be used", async () => {
    const path = fresh();
    await piped("x", "add", path, "ann");
    const { shown, code } = await typed(["add", path, "ann"], []);
    expect(code).toBe(1);
    expect(shown).not.toContain("Password");
  });
});
