// Archives as tar programs write them, and archives that somebody made to do harm.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDirectory, type TempDirectory } from "../../test/temp.ts";
import { openArchive } from "./archive_files.ts";
import { openLayoutSource } from "./layout_source.ts";
import { fileHeader, paddingOf, parsePax, tarEnd } from "../lib/tar_format.ts";

let directory: TempDirectory;
let serial = 0;
beforeAll(async () => void (directory = await tempDirectory()));
afterAll(() => directory[Symbol.asyncDispose]());

const layout = '{"imageLayoutVersion":"1.0.0"}';
const index = '{"schemaVersion":2,"manifests":[]}';

function file(name: string, content: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(content);
  return Buffer.concat([
    fileHeader(name, bytes.length),
    bytes,
    new Uint8Array(paddingOf(bytes.length)),
  ]);
}

/** A header of another type, or with other fields, and the right sum. */
function header(name: string, change: (block: Uint8Array) => void): Uint8Array {
  const block = Uint8Array.from(fileHeader(name, 0));
  change(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

const put =
  (text: string, at: number) =>
  (block: Uint8Array): void =>
    block.set(Buffer.from(text), at);

async function archive(...parts: readonly (Uint8Array | string)[]): Promise<string> {
  serial += 1;
  const path = join(directory.path, `archive${serial}.tar`);
  await writeFile(path, Buffer.concat(parts.map((part) => Buffer.from(part))));
  return path;
}

async function opened(path: string): Promise<string> {
  try {
    const source = await openLayoutSource(await openArchive(path, "it"));
    const tags = await source.tags();
    await source.close();
    return `fine: ${tags.length}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const good = [file("oci-layout", layout), file("index.json", index), tarEnd()];
const blob = `blobs/sha256/${"a".repeat(64)}`;

const rows: readonly [string, () => readonly (Uint8Array | string)[], RegExp][] = [
  ["a layout", () => good, /^fine: 0$/],
  [
    "names that lead elsewhere are passed over",
    () => [
      file("../../etc/passwd", "x"),
      file("/etc/passwd", "x"),
      file("blobs/sha256/../../x", "x"),
      ...good,
    ],
    /^fine/,
  ],
  [
    "names with ./ before them",
    () => [file("./oci-layout", layout), file("././index.json", index), tarEnd()],
    /^fine/,
  ],
  ["an empty file", () => [], /no tar archive/],
  ["garbage", () => ["x".repeat(2048)], /checksum/],
  ["nothing but its end", () => [tarEnd()], /expected an OCI layout/],
  ["gzip", () => [Buffer.from([0x1f, 0x8b]), "x".repeat(2048)], /compressed with gzip/],
  ["zstd", () => [Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), "x".repeat(2048)], /compressed with zstd/],
  ["no end", () => good.slice(0, 2), /cut off/],
  [
    "a file without its last byte",
    () => [Buffer.concat(good.slice(0, 2)).subarray(0, -1)],
    /cut off/,
  ],
  ["index.json twice", () => [file("index.json", index), ...good], /holds index.json twice/],
  ["a blob twice", () => [file(blob, "x"), file(blob, "y"), ...good], /twice/],
  ["a blob that is a symbolic link", () => [header(blob, put("2", 156)), ...good], /is a link/],
  [
    "index.json that is a hard link",
    () => [file("oci-layout", layout), header("index.json", put("1", 156)), tarEnd()],
    /is a link/,
  ],
  [
    "a blob that is sparse",
    () => [header(blob, put("S", 156)), ...good],
    /is a link, or no plain file/,
  ],
  [
    "a size beyond the archive",
    () => [header(blob, put("77777777777\0", 124)), ...good],
    /cut off/,
  ],
  [
    "a size that is no number",
    () => [header(blob, put("zzzzzzzzzzz\0", 124)), ...good],
    /size that is no number/,
  ],
  [
    "a size of 2^80",
    () => [
      header(blob, (block) => {
        block.fill(0xff, 124, 136);
        block[124] = 0x80;
      }),
      ...good,
    ],
    /size that is no number/,
  ],
  [
    "a wrong checksum",
    () => [Uint8Array.from(fileHeader("x", 0), (byte, at) => (at === 0 ? 0x79 : byte)), ...good],
    /checksum/,
  ],
  [
    "a pax header with a size that is none",
    () => [pax("11 size=-5\n"), file(blob, ""), ...good],
    /size that is no number/,
  ],
  [
    "a pax header that cannot be read",
    () => [pax("99999 path=x\n"), file(blob, ""), ...good],
    /pax header cannot be read/,
  ],
  ["a pax header of 2 MiB", () => [pax("x".repeat(2 * 1024 * 1024)), ...good], /is more than/],
  [
    "an index of another version",
    () => [file("oci-layout", layout), file("index.json", '{"schemaVersion":1}'), tarEnd()],
    /no index of version 2/,
  ],
  [
    "an index that is no JSON",
    () => [file("oci-layout", layout), file("index.json", "{"), tarEnd()],
    /JSON/,
  ],
  [
    "a layout of another version",
    () => [
      file("oci-layout", '{"imageLayoutVersion":"2.0.0"}'),
      file("index.json", index),
      tarEnd(),
    ],
    /version 1/,
  ],
  [
    "an old archive of docker save",
    () => [file("manifest.json", "[]"), tarEnd()],
    /old 'docker save'/,
  ],
];

function pax(records: string): Uint8Array {
  const bytes = Buffer.from(records);
  const size = bytes.length.toString(8).padStart(11, "0");
  const own = header("PaxHeader", (block) => {
    put("x", 156)(block);
    put(`${size}\0`, 124)(block);
  });
  return Buffer.concat([own, bytes, new Uint8Array(paddingOf(bytes.length))]);
}

describe("an archive with", () => {
  for (const [what, parts, says] of rows) {
    test(what, async () => {
      expect(await opened(await archive(...parts()))).toMatch(says);
    });
  }
});

test("what tar writes is read, in each of its formats", async () => {
  const tree = join(directory.path, "tree");
  const long = `blobs/sha512/${"b".repeat(128)}`;
  await mkdir(join(tree, "blobs", "sha512"), { recursive: true });
  await mkdir(join(tree, "blobs", "sha256"), { recursive: true });
  await writeFile(join(tree, "oci-layout"), layout);
  await writeFile(join(tree, "index.json"), index);
  await writeFile(join(tree, blob), "short");
  await writeFile(join(tree, long), "long name");
  await symlink("index.json", join(tree, "another"));
  for (const format of ["gnu", "pax", "oldgnu", "posix"]) {
    const path = join(directory.path, `${format}.tar`);
    const made = Bun.spawnSync(["tar", `--format=${format}`, "-cf", path, "-C", tree, "."]);
    expect(made.exitCode, made.stderr.toString()).toBe(0);
    const files = await openArchive(path, "it");
    expect(await files.size(blob)).toBe(5);
    expect(await files.size(long)).toBe(9);
    const pieces: Uint8Array[] = [];
    for await (const piece of files.read(long, 5)) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe("name");
    await files.close();
    expect(await opened(path)).toBe("fine: 0");
  }
});

test("what is written is read by tar, long names and large sizes included", async () => {
  const long = `blobs/sha512/${"c".repeat(128)}`;
  const path = await archive(file("oci-layout", layout), file(long, "content"), tarEnd());
  const listed = Bun.spawnSync(["tar", "-tvf", path]);
  expect(listed.exitCode).toBe(0);
  expect(listed.stdout.toString()).toContain(long);
  const sizeBytes = 9 * 1024 ** 3;
  const large = fileHeader("large", sizeBytes);
  expect(
    parsePax(large.subarray(512, 512 + 20).subarray(0, large.indexOf(0x0a, 512) - 511))?.get(
      "size",
    ),
  ).toBe(String(sizeBytes));
});
