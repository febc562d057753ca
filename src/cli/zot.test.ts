// bin/zot as a person runs it: real processes, from a directory that is not the package's.

import { describe, expect, test } from "bun:test";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { run } from "../../test/processes.ts";
import { tempDirectory } from "../../test/temp.ts";
import { jsonSchema } from "../config/json_schema.ts";

const zot = join(import.meta.dirname, "../../bin/zot");

/** Runs bin/zot in a directory that holds `files`. */
async function inDirectory(
  files: Readonly<Record<string, string>>,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
) {
  await using directory = await tempDirectory();
  for (const [name, text] of Object.entries(files)) {
    await Bun.write(join(directory.path, name), text);
  }
  const result = await run(zot, args, { cwd: directory.path, env });
  const local = (text: string) => text.replaceAll(directory.path, "");
  return { code: result.code, stdout: local(result.stdout), stderr: local(result.stderr) };
}

describe("bin/zot", () => {
  test("verify says what is valid, with a relative path", async () => {
    const files = { "config.yaml": "storage:\n  rootDirectory: ./data\nhttp: {port: 0}\n" };
    expect(await inDirectory(files, ["verify", "config.yaml"])).toEqual({
      code: 0,
      stdout: "config.yaml is valid: it serves /data on 127.0.0.1:0\n",
      stderr: "",
    });
  });

  test("verify prints every problem on a line of its own", async () => {
    const files = {
      "c.json":
        '{"storage": {"dedup": 1}, "http": {"port": "x", "auth": {"sessionKeysFile": "/keys"}}}',
    };
    const problems = [
      'storage.dedup: expected a key of storage, got "dedup"; did you mean storage.dedupe?',
      'http.port: expected a port from 0 to 65535 ("0" lets the kernel choose), got "x"',
      'http.auth.sessionKeysFile: login by session is not served by this version yet; remove the key or set it to ""',
    ];
    const expected = { code: 1, stdout: "", stderr: `${problems.join("\n")}\n` };
    expect(await inDirectory(files, ["verify", "c.json"])).toEqual(expected);
    // A start says the same, and ends.
    expect(await inDirectory(files, ["serve", "c.json"])).toEqual(expected);
  });

  test("verify prints warnings, and is content", async () => {
    const files = { "c.json": '{"storage": {"commit": false, "rootDirectory": "data"}}' };
    expect(await inDirectory(files, ["verify", "c.json"])).toMatchObject({
      code: 0,
      stderr:
        "warning: storage.commit: with false an acknowledged push may be lost " +
        "when the machine stops\n",
    });
  });

  test("verify reads the environment", async () => {
    const files = { "c.yaml": "http: {port: '${ZOT_TEST_PORT}'}\nstorage: {rootDirectory: /d}" };
    expect(await inDirectory(files, ["verify", "c.yaml"], { ZOT_TEST_PORT: "5000" })).toEqual({
      code: 0,
      stdout: "c.yaml is valid: it serves /d on 127.0.0.1:5000\n",
      stderr: "",
    });
  });

  test("nothing in the working directory is run or read", async () => {
    const files = {
      "bunfig.toml": 'preload = ["./preload.ts"]',
      "preload.ts": 'console.log("preloaded");',
      ".env": "ZOT_TEST_PORT=5000",
      "tsconfig.json": '{"compilerOptions": {"paths": {"zod": ["./preload.ts"]}}}',
      "c.yaml": "http: {port: '${ZOT_TEST_PORT}'}",
    };
    expect(await inDirectory(files, ["verify", "c.yaml"], { ZOT_TEST_PORT: undefined })).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "http.port: expected the environment to set ZOT_TEST_PORT, got nothing; " +
        "set it, or write ${ZOT_TEST_PORT:-default}\n",
    });
  });

  test("verify --no-files is content without the files; without it they are asked for", async () => {
    const files = {
      "c.yaml": "http: {auth: {htpasswd: {path: /none/users}}}\nstorage: {rootDirectory: /d}",
    };
    expect(await inDirectory(files, ["verify", "--no-files", "c.yaml"])).toMatchObject({ code: 0 });
    expect(await inDirectory(files, ["verify", "c.yaml"])).toMatchObject({
      code: 1,
      stderr: "/none/users: expected a file that can be read, got no such file\n",
    });
  });

  test.each([
    [
      "storage: {rootDirectory: /d}",
      0,
      "standard input is valid: it serves /d on 127.0.0.1:8080\n",
    ],
    [
      '{"storage": {"rootDirectory": "/d"}}',
      0,
      "standard input is valid: it serves /d on 127.0.0.1:8080\n",
    ],
    ["storage: {rot: /d}", 1, 'storage.rot: expected a key of storage, got "rot"'],
    ["a: [", 1, "standard input: line 1, column 5: "],
    ["", 1, "standard input: expected a configuration, got nothing\n"],
  ])("verify - reads standard input: %j", async (stdin, code, says) => {
    const result = await run(zot, ["verify", "-"], { stdin });
    expect(result.code).toBe(code);
    expect(result.stdout + result.stderr).toStartWith(says);
  });

  test("authz and openapi read standard input", async () => {
    for (const args of [
      ["authz", "-", "ann", "read", "app"],
      ["openapi", "-"],
    ]) {
      const { code, stderr } = await run(zot, args, { stdin: "storage: {rootDirectory: /d}" });
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
    }
  });

  test("docker-registry's configuration is recognised as what it is", async () => {
    const text =
      "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\nhttp: {addr: ':5000'}\n";
    const { code, stderr } = await inDirectory({ "config.yml": text }, ["serve", "config.yml"]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "config.yml: expected a configuration of zot, got one of docker-registry (version: 0.1); its keys by the names " +
        "that they have here: docs/guides/migrate.md, From docker-registry and others\n",
    );
  });

  test("schema prints the schema, whole", async () => {
    const { code, stdout, stderr } = await inDirectory({}, ["schema"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(jsonSchema())));
  });

  test("--help and --version answer on standard output", async () => {
    const help = await inDirectory({}, ["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toContain("verify <config>");
    const version = await inDirectory({}, ["--version"]);
    expect(version).toMatchObject({ code: 0, stderr: "" });
    expect(version.stdout).toStartWith(`zot ${packageJson.version}\n`);
  });

  test("a mistake is status 2", async () => {
    expect(await inDirectory({}, ["srve"])).toEqual({
      code: 2,
      stdout: "",
      stderr: "zot: expected a command, got 'srve'; did you mean serve?\n",
    });
  });

  test("colour stays off where it is forced but nobody looks", async () => {
    const { stdout } = await inDirectory({}, ["--help"], { FORCE_COLOR: "1" });
    expect(stdout).not.toContain("\u001B");
  });

  test("it may be called through a link", async () => {
    await using directory = await tempDirectory();
    const link = join(directory.path, "zot-link");
    await symlink(zot, link);
    const { code, stdout } = await run(link, ["--version"], { cwd: directory.path });
    expect(code).toBe(0);
    expect(stdout).toStartWith("zot ");
  });
});
