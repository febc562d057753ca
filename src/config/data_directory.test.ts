// The first directory that this user can write to, in the order that is promised.

import { expect, test } from "bun:test";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tempDirectory } from "../../test/temp.ts";
import { dataDirectory } from "./data_directory.ts";

const temporary = { path: expect.stringContaining(join(tmpdir(), "zot-")), lasting: false };

test("XDG's directory comes before the home directory", async () => {
  await using home = await tempDirectory();
  const env = { HOME: home.path, XDG_DATA_HOME: join(home.path, "xdg") };
  expect(dataDirectory(env)).toEqual({ path: join(home.path, "xdg/zot"), lasting: true });
  expect(dataDirectory({ ...env, XDG_DATA_HOME: "" })).toEqual({
    path: join(home.path, ".local/share/zot"),
    lasting: true,
  });
  // Relative paths are to be ignored (XDG Base Directory Specification, "Basics").
  expect(dataDirectory({ ...env, XDG_DATA_HOME: "xdg" }).path).toStartWith(home.path);
});

test("nothing is made by looking", async () => {
  await using home = await tempDirectory();
  dataDirectory({ HOME: home.path });
  expect(await Array.fromAsync(new Bun.Glob("**").scan({ cwd: home.path, dot: true }))).toEqual([]);
});

test("a home that is not there can be made, a home that is a file cannot", async () => {
  await using directory = await tempDirectory();
  const home = join(directory.path, "not/yet");
  expect(dataDirectory({ HOME: home })).toEqual({
    path: join(home, ".local/share/zot"),
    lasting: true,
  });
  await writeFile(join(directory.path, "file"), "");
  expect(dataDirectory({ HOME: join(directory.path, "file") })).toEqual(temporary);
  expect(dataDirectory({ HOME: "" })).toEqual(temporary);
  expect(dataDirectory({})).toEqual(temporary);
});

test.skipIf(process.getuid?.() === 0)("a home that may not be written is passed over", async () => {
  await using directory = await tempDirectory();
  const home = join(directory.path, "home");
  await mkdir(home);
  await chmod(home, 0o555);
  expect(dataDirectory({ HOME: home })).toEqual(temporary);
});
