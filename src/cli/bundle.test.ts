// A bundle counts only while its sources are what it was made from; a write cannot go unseen.

import { describe, expect, test } from "bun:test";
import {
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { tempDirectory } from "../../test/temp.ts";
import {
  bundleDirectory,
  freshBundle,
  recordFile,
  runtime,
  scriptOf,
  stampIn,
  type BundleRecord,
} from "./bundle.ts";

const source = "src/main.ts";
const packaged = "node_modules/some/index.js";
const inputs = [source, packaged, "tsconfig.json"];

/** A package with a bundle that was made just now. */
function packageIn(path: string, change: Partial<BundleRecord> = {}): string {
  const root = join(path, "package");
  for (const input of inputs.slice(0, 2)) write(root, input, "one");
  const script = scriptOf(join(root, bundleDirectory, "made"), "serve");
  write(root, join(bundleDirectory, "made/serve/main.js"), "");
  const record: BundleRecord = {
    root,
    runtime,
    directory: "made",
    inputs: inputs.map((input) => [input, stampIn(root, input)]),
    ...change,
  };
  write(root, join(bundleDirectory, recordFile), JSON.stringify(record));
  expect(script.startsWith(root)).toBe(true);
  return root;
}

function write(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

test("it counts while everything is as it was, for what it was made for", async () => {
  await using directory = await tempDirectory();
  const root = packageIn(directory.path);
  expect(freshBundle(root, "serve")).toBe(scriptOf(join(root, bundleDirectory, "made"), "serve"));
  // A hard link of an installed package changes nothing in it.
  linkSync(join(root, packaged), join(root, "linked"));
  expect(freshBundle(root, "serve")).not.toBeNull();
  for (const command of ["worker", "verify", "constructor", undefined]) {
    expect(freshBundle(root, command)).toBeNull();
  }
});

/** Writes in place, and gives the file its old times back, as an archive does. */
function writeUnseen(path: string): void {
  const { atime, mtime } = statSync(path);
  writeFileSync(path, "two");
  utimesSync(path, atime, mtime);
}

const changes: Readonly<Record<string, (root: string) => void>> = {
  "a source that was written": (root) => write(root, source, "three"),
  "a source of the same length and time": (root) => writeUnseen(join(root, source)),
  "a source that is gone": (root) => rmSync(join(root, source)),
  "a package that was replaced": (root) => {
    const { atime, mtime } = statSync(join(root, packaged));
    write(root, `${packaged}.new`, "one");
    utimesSync(join(root, `${packaged}.new`), atime, mtime);
    renameSync(join(root, `${packaged}.new`), join(root, packaged));
  },
  "a file that was not there": (root) => write(root, "tsconfig.json", "{}"),
  "a script that is gone": (root) =>
    rmSync(join(root, bundleDirectory, "made"), { recursive: true }),
  "a record that was cut off": (root) => write(root, join(bundleDirectory, recordFile), '{"root":'),
  "no record": (root) => rmSync(join(root, bundleDirectory, recordFile)),
};

describe("it does not count after", () => {
  test.each(Object.entries(changes))("%s", async (_, change) => {
    await using directory = await tempDirectory();
    const root = packageIn(directory.path);
    change(root);
    expect(freshBundle(root, "serve")).toBeNull();
  });

  test("the package was moved, or the runtime is another one", async () => {
    await using directory = await tempDirectory();
    const root = packageIn(directory.path, { runtime: "1.0.0" });
    expect(freshBundle(root, "serve")).toBeNull();
    await using other = await tempDirectory();
    const moved = join(other.path, "moved");
    renameSync(packageIn(other.path), moved);
    expect(freshBundle(moved, "serve")).toBeNull();
  });
});
