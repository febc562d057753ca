// Files that must stay: what is told when one of them does not.
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDirectory } from "../../test/temp.ts";
import { KeptFiles } from "./kept_files.ts";

const cases: readonly [
  what: string,
  act: (path: string, root: string) => void,
  says: string | null,
][] = [
  ["written to", (path) => writeFileSync(path, "longer than before"), null],
  ["removed", (path) => rmSync(path), "was removed"],
  ["removed with its directory", (_path, root) => rmSync(root, { recursive: true }), "was removed"],
  [
    "moved away and back",
    (path) => [renameSync(path, `${path}.x`), renameSync(`${path}.x`, path)],
    null,
  ],
  [
    "replaced by a copy",
    (path) => [copyFileSync(path, `${path}.x`), renameSync(`${path}.x`, path)],
    "was replaced by another file",
  ],
  [
    "in a directory that became a file",
    (_path, root) => [rmSync(root, { recursive: true }), writeFileSync(root, "")],
    "cannot be looked at",
  ],
];

for (const [what, act, says] of cases) {
  test(`a file that was ${what}`, async () => {
    await using directory = await tempDirectory();
    const root = join(directory.path, "root");
    mkdirSync(root);
    const [first, second] = [join(root, "first"), join(root, "second")];
    writeFileSync(first, "1");
    writeFileSync(second, "2");
    const kept = new KeptFiles([first, second]);
    expect(kept.problem()).toBeNull();
    act(second, root);
    if (says === null) expect(kept.problem()).toBeNull();
    else expect(kept.problem()).toContain(says);
  });
}
