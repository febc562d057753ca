// Names in directories of any size, with names of any kind, as the runtime's own `readdir` has them.

import { expect, test } from "bun:test";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../../../test/reason_of.ts";
import { tempDirectory } from "../../../test/temp.ts";
import { directoryNames } from "./directory_names.ts";

test("are those of readdir, each once", async () => {
  await using directory = await tempDirectory();
  const odd = ["a", ".hidden", "...", "ü ñ 漢字 🐳", "a\nb", "x".repeat(255), "-", "a b"];
  const many = Array.from({ length: 3_000 }, (_, index) => `${index}`.padStart(64, "0"));
  for (const [name, files] of Object.entries({ none: [], one: ["a"], odd, many })) {
    const path = join(directory.path, name);
    await mkdir(path);
    for (const file of files) await writeFile(join(path, file), "");
    if (files.length > 0) await mkdir(join(path, "folder"));
    const pages = await Array.fromAsync(directoryNames(path));
    const found = pages.flat();
    expect(found.toSorted()).toEqual((await readdir(path)).toSorted());
    expect(new Set(found).size).toBe(found.length);
    if (process.platform === "linux") {
      for (const page of pages) expect(page.length).toBeLessThan(1_500);
      expect(pages.length > 1).toBe(name === "many");
    }
  }
});

test("of no directory is readdir's error, and leaves no descriptor open", async () => {
  await using directory = await tempDirectory();
  const file = join(directory.path, "file");
  await writeFile(file, "");
  const descriptors = () =>
    readdir("/proc/self/fd").then(
      ({ length }) => length,
      () => 0,
    );
  const before = await descriptors();
  for (const path of [file, join(directory.path, "absent"), join(file, "below")]) {
    const expected = (await reasonOf(readdir(path))) as { code: string };
    const error = await reasonOf(Array.fromAsync(directoryNames(path)));
    expect(error).toMatchObject({ code: expected.code });
  }
  await mkdir(join(directory.path, "left"));
  for (const name of ["a", "b"]) await writeFile(join(directory.path, "left", name), "");
  for await (const names of directoryNames(join(directory.path, "left"))) {
    expect(names.toSorted()).toEqual(["a", "b"]);
    break;
  }
  expect(await descriptors()).toBe(before);
});
