// With `log.output` set a terminal still hears where the log goes, and why the server ended.

import { expect, test } from "bun:test";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, packageDirectory, startService, tempDirectory } from "./harness.ts";

async function start(directory: string) {
  const file = join(directory, "config.json");
  const log = join(directory, "zot.log");
  const root = join(directory, "root");
  const config = {
    storage: { rootDirectory: root },
    http: { address: "127.0.0.1", port: "0", workers: 1 },
    log: { output: log },
  };
  await writeFile(file, JSON.stringify(config));
  const service = startService([join(packageDirectory, "bin/zot"), "serve", file]);
  await eventually("it listens", async () =>
    (await readFile(log, "utf8").catch(() => "")).includes('"msg":"listening"'),
  );
  return { service, root, log };
}

test("one line says where the log goes, and nothing else is said", async () => {
  await using directory = await tempDirectory();
  const { service, log } = await start(directory.path);
  await using zot = service;
  expect(await zot.stop()).toBe(0);
  expect(zot.stdout()).toEqual([]);
  expect(zot.stderr()).toEqual([`zot: the log goes to ${log}`]);
});

test("what ends the server is said there, too", async () => {
  await using directory = await tempDirectory();
  const { service, root } = await start(directory.path);
  await using zot = service;
  await rm(join(root, "_zot/metadata.db"));
  expect(await zot.exited).toBe(1);
  expect(zot.stderr().at(-1)).toMatch(
    /^zot: files of the running server were removed.*metadata\.db/,
  );
});
