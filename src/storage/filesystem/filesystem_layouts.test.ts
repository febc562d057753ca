// Directories of layouts on the file system pass their contract; and what makes a repository's directory a layout.

import { expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layoutDirectoryContract } from "../../../test/contracts/layout_directory.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { systemClock } from "../../lib/clock.ts";
import { isOciLayout } from "../../oci/layout_index.ts";
import { markerKey } from "../layout.ts";
import { openFilesystem } from "./open_filesystem.ts";

async function openLayouts() {
  const directory = await memoryDirectory("zot-layouts");
  const root = directory.path;
  const stores = openFilesystem({ rootDirectory: root, durable: false, clock: systemClock });
  await stores.prepare();
  return {
    root,
    layouts: stores.layouts,
    [Symbol.asyncDispose]: async () => {
      await stores.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

layoutDirectoryContract("file system", openLayouts);

test("repositories are made layouts once, and a marker of another tool stays as it is", async () => {
  await using opened = await openLayouts();
  const { root, layouts } = opened;
  await layouts.ensureRepository("team/app");
  expect(isOciLayout(await readFile(join(root, markerKey("team/app")), "utf8"))).toBe(true);
  const theirs = '{ "imageLayoutVersion": "1.0.0" }\n';
  await mkdir(join(root, "theirs"));
  await writeFile(join(root, markerKey("theirs")), theirs);
  await layouts.ensureRepository("theirs");
  expect(await readFile(join(root, markerKey("theirs")), "utf8")).toBe(theirs);
});
