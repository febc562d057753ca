// Whose the root, `_zot` and its files must be: what stops a start, what is a warning, and what is nobody's concern.

import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireRoot } from "../../test/harness.ts";
import { tempDirectory } from "../../test/temp.ts";
import { distrust } from "../lib/file_trust.ts";
import { checkRootTrust } from "./root_trust.ts";

describe("who may have written a file", () => {
  const me = { uid: 1000, gids: [1000, 2000] };
  const rows: [says: string, stats: [uid: number, gid: number, mode: number], by: string | null][] =
    [
      ["mine alone", [1000, 1000, 0o100600], null],
      ["mine, for others to read", [1000, 5, 0o100644], null],
      ["root's", [0, 0, 0o100644], null],
      ["another user's", [1001, 1000, 0o100600], "owner"],
      ["everybody's", [1000, 1000, 0o100666], "everybody"],
      ["a directory for everybody, sticky", [1000, 1000, 0o41777], "everybody"],
      ["root's, everybody's", [0, 0, 0o100602], "everybody"],
      ["my group's", [1000, 2000, 0o42770], "group"],
      ["another group's", [1000, 3000, 0o100660], "group"],
    ];
  test.each(rows)("%s", (_, [uid, gid, mode], by) => {
    expect(distrust({ uid, gid, mode }, me)?.by ?? null).toBe(by as never);
  });
  test("a group is mine or not", () => {
    expect(distrust({ uid: 0, gid: 2000, mode: 0o770 }, me)).toMatchObject({ isOurs: true });
    expect(distrust({ uid: 0, gid: 3000, mode: 0o770 }, me)).toMatchObject({ isOurs: false });
  });
});

describe.skipIf(!requireRoot())("a root", () => {
  const stranger = 12_345;
  const names = ["metadata.db", "metadata.db-wal", "token_key.json", "epochs", "lock"];

  async function made(): Promise<AsyncDisposable & { root: string; own: string }> {
    const directory = await tempDirectory("zot-trust");
    const root = join(directory.path, "root");
    const own = join(root, "_zot");
    mkdirSync(own, { recursive: true, mode: 0o700 });
    chmodSync(root, 0o755);
    for (const name of names) writeFileSync(join(own, name), "", { mode: 0o600 });
    return Object.assign(directory, { root, own });
  }

  test("of this user is fine, and nothing is left in it", async () => {
    await using at = await made();
    expect(checkRootTrust(at.root)).toEqual([]);
    expect(readdirSync(at.own).toSorted()).toEqual(names.toSorted());
  });

  test.each(["", ...names])("with _zot/%s of another user stops the start", async (name) => {
    await using at = await made();
    const path = name === "" ? at.own : join(at.own, name);
    chownSync(path, stranger, stranger);
    expect(() => checkRootTrust(at.root)).toThrow(
      `expected ${path} to be this user's alone, but user ${stranger} owns it; look at`,
    );
  });

  test("with a _zot that others may write stops the start; of its own group it warns", async () => {
    await using at = await made();
    chmodSync(at.own, 0o757);
    expect(() => checkRootTrust(at.root)).toThrow("everybody may write it (757)");
    chmodSync(at.own, 0o770);
    expect(checkRootTrust(at.root)).toEqual([expect.stringContaining("may log in as anybody")]);
    chownSync(at.own, 0, stranger);
    expect(() => checkRootTrust(at.root)).toThrow(`group ${stranger} may write it`);
  });

  test("with a database that others may write stops the start where they can reach it", async () => {
    await using at = await made();
    const path = join(at.own, "metadata.db");
    chmodSync(path, 0o666);
    expect(checkRootTrust(at.root)).toEqual([
      `storage.rootDirectory: ${path}: everybody may write it (666); chmod go-w it`,
    ]);
    chmodSync(at.own, 0o711);
    expect(() => checkRootTrust(at.root)).toThrow(`expected ${path} to be this user's alone`);
    chmodSync(path, 0o664);
    expect(checkRootTrust(at.root)).toEqual([expect.stringContaining("group 0 may write it")]);
    chownSync(path, 0, stranger);
    expect(() => checkRootTrust(at.root)).toThrow(`group ${stranger} may write it`);
    // Behind a closed door the umask of SQLite's files is nobody's concern.
    chmodSync(at.own, 0o700);
    expect(checkRootTrust(at.root)).toEqual([]);
  });

  test("that others own or may write is told of, and served", async () => {
    await using at = await made();
    chmodSync(at.root, 0o777);
    expect(checkRootTrust(at.root)).toEqual([
      `storage.rootDirectory: ${at.root}: everybody may write it (777), and so may change what this registry serves`,
    ]);
    chmodSync(at.root, 0o2770);
    expect(checkRootTrust(at.root)).toEqual([]);
    chownSync(at.root, stranger, 0);
    expect(checkRootTrust(at.root)).toEqual([expect.stringContaining(`user ${stranger} owns it`)]);
  });
});
