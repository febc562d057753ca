// A page between processes, and what becomes of its content.

import { expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../test/processes.ts";
import { tempDirectory } from "../../test/temp.ts";
import { openSharedPage } from "./shared_page.ts";

const fresh = Int32Array.from([7, -1, 0, 2 ** 31 - 1]);

test("a new page has the content that it is made with, written out", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "page");
  expect([...openSharedPage(path, fresh)]).toEqual([...fresh]);
  const { size, blocks, mode } = statSync(path);
  expect(size).toBe(16);
  expect(blocks).toBeGreaterThan(0);
  expect(mode & 0o777).toBe(0o600);
});

test("a page that is there keeps its content; one that is too short is made anew", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "page");
  Atomics.store(openSharedPage(path, fresh), 1, 5);
  expect([...openSharedPage(path, fresh)]).toEqual([7, 5, 0, 2 ** 31 - 1]);
  await Bun.write(path, "short");
  expect([...openSharedPage(path, fresh)]).toEqual([...fresh]);
});

test("other processes see what is stored, and lose nothing that is added at once", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "page");
  const page = openSharedPage(path, fresh);
  const script = `
    const { openSharedPage } = await import(${JSON.stringify(join(import.meta.dir, "shared_page.ts"))});
    const page = openSharedPage(${JSON.stringify(path)}, new Int32Array(4));
    for (let count = 0; count < 100_000; count += 1) Atomics.add(page, 2, 1);
    console.log(page[1]);`;
  const others = await Promise.all(
    Array.from({ length: 2 }, () => run(process.execPath, ["-e", script])),
  );
  expect(others.map(({ stdout }) => stdout)).toEqual(["-1\n", "-1\n"]);
  expect(page[2]).toBe(200_000);
});

test("processes that make a page at the same moment make one, and lose nothing of each other's", async () => {
  await using directory = await tempDirectory();
  const at = (name: string | number): string => join(directory.path, String(name));
  const rounds = 60;
  openSharedPage(at("arrived"), new Int32Array(rounds));
  const script = `
    const { openSharedPage } = await import(${JSON.stringify(join(import.meta.dir, "shared_page.ts"))});
    const at = (name) => ${JSON.stringify(directory.path)} + "/" + name;
    const arrived = openSharedPage(at("arrived"), new Int32Array(${rounds}));
    for (let round = 0; round < ${rounds}; round += 1) {
      Atomics.add(arrived, round, 1);
      while (Atomics.load(arrived, round) < 2) Bun.sleepSync(0);
      Atomics.add(openSharedPage(at(round), new Int32Array(4096)), 0, 1);
    }`;
  const ended = await Promise.all(
    Array.from({ length: 2 }, () => run(process.execPath, ["-e", script])),
  );
  expect(ended.map(({ code }) => code)).toEqual([0, 0]);
  const counts = Array.from({ length: rounds }, (_, round) => openSharedPage(at(round), fresh)[0]);
  expect(counts).toEqual(Array.from({ length: rounds }, () => 2));
  expect(readdirSync(directory.path)).toHaveLength(rounds + 1);
});
