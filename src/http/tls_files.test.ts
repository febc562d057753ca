// Material that follows its files: written in place, renamed, swapped by a link; in halves, spoilt, and gone.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFile, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, TestAuthority } from "../../test/certificates.ts";
import { requireTool } from "../../test/processes.ts";
import { type TempDirectory, tempDirectory } from "../../test/temp.ts";
import { systemClock } from "../lib/clock.ts";
import { TlsFiles } from "./tls_files.ts";
import type { TlsMaterial } from "./tls_material.ts";

describe.skipIf(!requireTool("openssl"))("TLS files", () => {
  let directory: TempDirectory;
  let first: Certificate;
  let second: Certificate;
  let files: TlsFiles;
  let changes: TlsMaterial[];
  let problems: string[];
  const at = (name: string): string => join(directory.path, name);

  beforeEach(async () => {
    directory = await tempDirectory("zot-tls");
    const authority = await TestAuthority.make(directory.path);
    first = await authority.issue("first");
    second = await authority.issue("second");
    // As Kubernetes lays out a volume: names that lead through a link to a directory of one version.
    await version("v1", first);
    await symlink("v1", at("..data"));
    for (const name of ["tls.crt", "tls.key"]) await symlink(`..data/${name}`, at(name));
    changes = [];
    problems = [];
    files = await TlsFiles.open({
      paths: { cert: at("tls.crt"), key: at("tls.key"), cacert: null },
      clock: systemClock,
      onWarning: () => {},
      onProblem: (problem) => problems.push(problem),
      onChange: (material) => changes.push(material),
    });
  });
  afterEach(() => directory[Symbol.asyncDispose]());

  async function version(name: string, pair: Certificate): Promise<void> {
    await mkdir(at(name));
    await copyFile(pair.cert, at(`${name}/tls.crt`));
    await copyFile(pair.key, at(`${name}/tls.key`));
  }

  /** Looks until what was found has been judged, and once more. */
  async function look(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await files.look();
  }

  test("files that stay are no change", async () => {
    await look();
    expect({ changes, problems }).toEqual({ changes: [], problems: [] });
  });

  test("a link in the middle of the path that is swapped", async () => {
    const before = files.current.fingerprint;
    await version("v2", second);
    await symlink("v2", at("..data_tmp"));
    await rename(at("..data_tmp"), at("..data"));
    await look();
    expect(changes).toEqual([files.current]);
    expect(files.current.fingerprint).not.toBe(before);
    expect(problems).toEqual([]);
  });

  test("files that are written in place, and by renaming", async () => {
    await copyFile(second.cert, at("v1/tls.crt"));
    await copyFile(second.key, at("v1/tls.key"));
    await look();
    expect(changes).toHaveLength(1);
    for (const [from, to] of [
      [first.cert, "tls.crt"],
      [first.key, "tls.key"],
    ] as const) {
      await copyFile(from, at("new"));
      await rename(at("new"), at(`v1/${to}`));
    }
    await look();
    expect(changes).toHaveLength(2);
    expect(problems).toEqual([]);
  });

  test("the key that comes a moment after the certificate is no problem", async () => {
    await copyFile(second.cert, at("v1/tls.crt"));
    await files.look();
    await copyFile(second.key, at("v1/tls.key"));
    await look();
    expect(changes).toHaveLength(1);
    expect(problems).toEqual([]);
  });

  test("a half that stays is reported once, and taken when the other comes", async () => {
    await copyFile(second.cert, at("v1/tls.crt"));
    await look();
    await look();
    expect(problems).toEqual([
      expect.stringMatching(/^http\.tls\.key: expected the private key of/),
    ]);
    expect(changes).toEqual([]);
    await copyFile(second.key, at("v1/tls.key"));
    await look();
    expect(changes).toHaveLength(1);
    expect(problems).toHaveLength(1);
  });

  test.each([
    ["spoilt", () => writeFile(at("v1/tls.crt"), "nothing of the kind")],
    ["emptied", () => writeFile(at("v1/tls.key"), "")],
    ["gone", () => rm(at("v1/tls.crt"))],
  ])("a file that is %s leaves the old one in force, and is reported once", async (_, spoil) => {
    const before = files.current;
    await spoil();
    await look();
    await look();
    expect(problems).toHaveLength(1);
    expect(files.current).toBe(before);
    await copyFile(first.cert, at("v1/tls.crt"));
    await copyFile(first.key, at("v1/tls.key"));
    await look();
    // What is in force came back: nobody has to do anything.
    expect({ changes, problems: problems.length }).toEqual({ changes: [], problems: 1 });
  });

  test("files that do not fit at the start are an error", async () => {
    await copyFile(second.key, at("v1/tls.key"));
    const opened = TlsFiles.open({
      paths: { cert: at("tls.crt"), key: at("tls.key"), cacert: null },
      clock: systemClock,
      onWarning: () => {},
      onProblem: () => {},
      onChange: () => {},
    });
    expect(opened).rejects.toThrow(/^http\.tls\.key: expected/);
  });
});
