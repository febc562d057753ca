// Listings of layers: every form of tar that tools write, and what strangers make of it.

import { describe, expect, test } from "bun:test";
import { mkdir, symlink, link, writeFile, chmod } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { fileHeader, paddingOf, tarEnd } from "../../lib/tar_format.ts";
import { requireTool, runOk } from "../../../test/harness.ts";
import { tarOf, type TarEntry } from "../../../test/inspected_images.ts";
import { tempDirectory } from "../../../test/temp.ts";
import { pieces, someBytes } from "../../../test/transfer/memory_source.ts";
import {
  layerEntriesMax,
  listLayer,
  namesBytesMax,
  pathBytesMax,
  type LayerEntry,
} from "./layer_listing.ts";
import { ratioMax } from "./plain_bytes.ts";

const MiB = 1024 * 1024;
const testMs = 120_000;

async function list(
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
  { bytesLeft = 1024 * MiB, signal = new AbortController().signal } = {},
): Promise<LayerEntry[]> {
  const blob = bytes instanceof Uint8Array ? pieces(bytes, 777) : bytes;
  return listLayer(blob, { budget: { bytesLeft }, signal });
}

/** What a listing fails with; "" where it does not. */
async function problem(
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
  options = {},
): Promise<string> {
  try {
    await list(bytes, options);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const some: readonly TarEntry[] = [
  { name: "./" },
  { name: "./etc/", type: "5", mode: 0o755 },
  { name: "/etc/a", content: "hello", mode: 0o4755 },
  { name: "etc//b", content: "x".repeat(5_000) },
  { name: "etc/link", type: "2", target: "../a" },
  { name: "etc/hard", type: "1", target: "etc/a" },
  { name: "../out", content: "never" },
  { name: "dev/null", type: "3" },
  { name: "run/pipe", type: "6" },
];

describe("what is listed", () => {
  const tar = tarOf(some);
  test.each([
    ["plain", tar],
    ["gzip", gzipSync(tar)],
    [
      "gzip in several members",
      Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
    ],
    ["zstd", zstdCompressSync(tar)],
  ] as const)("%s", async (_name, bytes) => {
    const entries = await list(bytes);
    const shown = entries.map(({ path, type, mode, sizeBytes, target }) => [
      path,
      type,
      mode,
      sizeBytes,
      target,
    ]);
    expect(shown).toEqual([
      ["etc", "directory", 0o755, 0, null],
      ["etc/a", "file", 0o4755, 5, null],
      ["etc/b", "file", 0o644, 5_000, null],
      ["etc/link", "symlink", 0o644, 0, "../a"],
      ["etc/hard", "hardlink", 0o644, 0, "etc/a"],
      ["dev/null", "device", 0o644, 0, null],
      ["run/pipe", "fifo", 0o644, 0, null],
    ]);
    const sha = new Bun.CryptoHasher("sha256").update("hello").digest("hex");
    expect(entries[1]?.hash).toBe(sha.slice(0, 32));
    expect(entries[0]?.hash).toBeNull();
  });

  test("byte by byte, and in one piece", async () => {
    const bytes = gzipSync(tarOf(some));
    const whole = await list(pieces(bytes, bytes.length));
    expect(await list(pieces(bytes, 1))).toEqual(whole);
  });

  test("an end without its empty blocks is an end", async () => {
    const one = Buffer.concat([fileHeader("a", 0)]);
    expect(await list(one)).toHaveLength(1);
  });

  test.skipIf(!requireTool("tar"))(
    "what tar writes in each of its forms",
    async () => {
      await using directory = await tempDirectory();
      const at = (name: string): string => join(directory.path, "files", name);
      const long = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(90)}`;
      await mkdir(at(long), { recursive: true });
      await writeFile(at(`${long}/name`), "deep");
      await writeFile(at("small"), "small");
      await chmod(at("small"), 0o640);
      await symlink(`${long}/name`, at("symbolic"));
      await link(at("small"), at("zhard"));
      await writeFile(at("ümlaut"), "ü");
      for (const format of ["gnu", "pax", "posix", "oldgnu"]) {
        const file = join(directory.path, `${format}.tar`);
        const args = [
          `--format=${format}`,
          "--sort=name",
          "-cf",
          file,
          "-C",
          join(directory.path, "files"),
          ".",
        ];
        await runOk("tar", args);
        const entries = await list(new Uint8Array(await Bun.file(file).arrayBuffer()));
        const by = new Map(entries.map((entry) => [entry.path, entry]));
        expect(by.get(`${long}/name`)?.sizeBytes, format).toBe(4);
        expect(by.get("symbolic"), format).toMatchObject({
          type: "symlink",
          target: `${long}/name`,
        });
        expect(by.get("small"), format).toMatchObject({ type: "file", mode: 0o640, sizeBytes: 5 });
        expect(by.get("zhard"), format).toMatchObject({ type: "hardlink", target: "./small" });
        expect(by.get("ümlaut")?.sizeBytes, format).toBe(2);
      }
    },
    testMs,
  );
});

describe("what strangers send", () => {
  const tar = tarOf(some);
  const rows: readonly (readonly [name: string, bytes: () => Uint8Array, says: string])[] = [
    ["nothing", () => new Uint8Array(0), "it is no tar archive"],
    ["a text", () => Buffer.from("no tar at all".repeat(100)), "it is no tar archive"],
    ["JSON in gzip", () => gzipSync("{}"), "it is no tar archive"],
    ["xz", () => Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2]), "it is compressed with xz"],
    ["bzip2", () => Buffer.from("BZh91AY&SY"), "it is compressed with bzip2"],
    [
      "broken gzip",
      () => Buffer.concat([gzipSync(tar).subarray(0, 60), Buffer.alloc(50, 7)]),
      "its gzip data is broken",
    ],
    [
      "gzip that is cut off",
      () => gzipSync(tar).subarray(0, 100),
      "its gzip data is broken or cut off",
    ],
    ["zstd that is cut off", () => zstdOf(tar).subarray(0, -300_000), "its tar archive is cut off"],
    [
      "zstd that ends between two files",
      () => zstdCompressSync(tarOf([{ name: "a" }]).subarray(0, 512)),
      "its tar archive is cut off",
    ],
    [
      "a header that is damaged",
      () => Buffer.concat([tar.subarray(0, 512), Buffer.alloc(512, 1)]),
      "a header in it is damaged",
    ],
    [
      "a tar that ends in a file",
      () => tarOf([{ name: "a", content: "x".repeat(2_000) }]).subarray(0, 1_024),
      "its tar archive is cut off",
    ],
    [
      "a size that is no number",
      () => tarOf([{ name: "x", type: "x", content: "12 size=abc\n" }, { name: "a" }]),
      "a file in it has a size that is no number",
    ],
    [
      "a name of megabytes",
      () => extra("L", MiB),
      "a name or header in it has more than 65536 bytes",
    ],
    [
      "a path that is too long",
      () => named("x".repeat(pathBytesMax + 1)),
      `a name in it has more than ${pathBytesMax} bytes`,
    ],
    ["a sparse file", () => tarOf([{ name: "a", type: "S" }]), "it has a sparse file"],
    [
      "a pax header of garbage",
      () => tarOf([{ name: "x", type: "x", content: "9999 path=a\n" }]),
      "a pax header in it cannot be read",
    ],
  ];
  test.each([...rows])("%s", async (_name, bytes, says) => {
    expect(await problem(bytes())).toStartWith(says);
  });

  test("an owner that is no number is that of the header", async () => {
    const record = (text: string): string => {
      const length = text.length + 7;
      return `${String(length).padStart(5, "0")} ${text}\n`;
    };
    const content = record(`uid=${"9".repeat(50_000)}`) + record(`gid=${"x".repeat(5_000)}`);
    const [entry] = await list(tarOf([{ name: "x", type: "x", content }, { name: "a" }]));
    expect(entry?.path).toBe("a");
    expect(entry?.owner).toMatch(/^\d{1,7}:\d{1,7}$/);
  });

  test("a tar that is cut off anywhere is an error, or ends before its end", async () => {
    const bytes = tarOf([
      { name: "a", content: "x".repeat(600) },
      { name: "b", content: "y" },
    ]);
    for (let length = 1; length < bytes.length; length += 97) {
      const said = await problem(bytes.subarray(0, length));
      const isEnd = length >= bytes.length - tarEnd().length;
      if (isEnd || length === 512 + 1_024) continue;
      expect(said, String(length)).toMatch(/cut off|no tar/);
    }
  });

  test(
    "a bomb of gzip, and one of zstd, end soon",
    async () => {
      const zeros = Buffer.concat([fileHeader("zeros", 400 * MiB), Buffer.alloc(400 * MiB)]);
      for (const bomb of [gzipSync(zeros), zstdCompressSync(zeros)]) {
        expect(await problem(bomb)).toStartWith(`it holds more than ${ratioMax} times the bytes`);
      }
    },
    testMs,
  );

  test("what was allowed to be read is all that is read", async () => {
    const bytes = tarOf([{ name: "a", content: new Uint8Array(2 * MiB) }]);
    expect(await problem(bytes, { bytesLeft: MiB })).toBe("it holds more bytes than are read");
    expect(await problem(bytes, { bytesLeft: 3 * MiB })).toBe("");
  });

  test(
    "too many files",
    async () => {
      const header = fileHeader("a", 0);
      const said = await problem(repeated(header, layerEntriesMax + 1));
      expect(said).toBe(`it has more than ${layerEntriesMax} files`);
    },
    testMs,
  );

  test(
    "headers without files count, too",
    async () => {
      const header = tarOf([{ name: "g", type: "g", content: "" }]).subarray(0, 512);
      expect(await problem(repeated(header, 3 * layerEntriesMax + 10))).toContain("more than");
    },
    testMs,
  );

  test(
    "names that are too much together",
    async () => {
      const one = named("n".repeat(4_000)).subarray(0, -1_024);
      const said = await problem(repeated(one, namesBytesMax / 4_000 + 10));
      expect(said).toBe("its names have more than 32 MiB together");
    },
    testMs,
  );

  test("a reading ends with its signal, also in the middle of a file", async () => {
    const abort = new AbortController();
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield fileHeader("a", 2 ** 32);
      for (let at = 0; ; at += 1) {
        if (at === 10) abort.abort(new Error("time is up"));
        yield new Uint8Array(1_024);
      }
    };
    expect(await problem(endless(), { signal: abort.signal })).toBe("time is up");
  });

  test("an error of the source is told as it is, and the source is closed", async () => {
    let isClosed = false;
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield gzipSync(tarOf(some)).subarray(0, 50);
        throw new Error("the disk failed");
      } finally {
        isClosed = true;
      }
    };
    expect(await problem(broken())).toBe("the disk failed");
    expect(isClosed).toBe(true);
  });
});

/** Of content that does not compress, so that its end is that of the tar. */
function zstdOf(tar: Uint8Array): Uint8Array {
  const noise = someBytes(1_024 * 1_024, 3);
  const file = tarOf([{ name: "noise", content: noise }]);
  return zstdCompressSync(Buffer.concat([tar.subarray(0, -1_024), file]));
}

function extra(type: string, size: number): Uint8Array {
  return tarOf([{ name: "x", type, content: new Uint8Array(size) }]);
}

/** A file with a long name, as GNU tar writes it. */
function named(name: string): Uint8Array {
  const header = tarOf([{ name: "././@LongLink", type: "L", content: `${name}\0` }]);
  return Buffer.concat([header.subarray(0, -1_024), tarOf([{ name: "short" }])]);
}

async function* repeated(bytes: Uint8Array, times: number): AsyncGenerator<Uint8Array> {
  const many = 200;
  const block = Buffer.concat(Array.from({ length: many }, () => bytes));
  for (let left = times; left > 0; left -= many) {
    yield left >= many ? block : block.subarray(0, left * bytes.length);
  }
  yield new Uint8Array(paddingOf(1));
}
