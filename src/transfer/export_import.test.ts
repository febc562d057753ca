// Exports that cross a gap: only what is new goes, an import lands all tags of a repository at once, and an archive that
// is wrong in any way changes nothing and says what is wrong.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { testRetries } from "../../test/contracts/image_places.ts";
import { serveRegistry, type ServedRegistry } from "../../test/served_registry.ts";
import { tempDirectory, type TempDirectory } from "../../test/temp.ts";
import { MemorySource, someBytes } from "../../test/transfer/memory_source.ts";
import { RegistryClient } from "../client/registry_client.ts";
import type { Digest } from "../oci/digest.ts";
import { openArchive } from "./archive_files.ts";
import { copyImages } from "./copy_images.ts";
import {
  checkpointFile,
  exportFile,
  parseCheckpoint,
  parseExport,
  type Checkpoint,
} from "./export_format.ts";
import { exportImages, type ExportReport } from "./export_images.ts";
import { proveExport } from "./import_archive.ts";
import { importImages, type ImportReport } from "./import_images.ts";
import { readWhole } from "./layout_files.ts";
import { openSource, openTarget } from "./open_place.ts";
import { parsePlaceName } from "./place_name.ts";
import { fileHeader, paddingOf, tarEnd } from "../lib/tar_format.ts";

let outside: ServedRegistry;
let directory: TempDirectory;
let serial = 0;

beforeAll(async () => {
  outside = await serveRegistry();
  directory = await tempDirectory();
});
afterAll(async () => {
  await outside[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const options = { retries: testRetries, client: {} };

/** Puts images of memory into a repository, under all their tags. */
async function push(from: MemorySource, served: ServedRegistry, repository: string): Promise<void> {
  const place = parsePlaceName(`${served.url}/${repository}`);
  const target = await openTarget(place, {
    ...options,
    source: parsePlaceName("oci:none"),
    isDryRun: false,
  });
  const images = (await from.tags()).map((tag) => ({ reference: tag, tag }));
  const report = await copyImages({
    source: from,
    target,
    images,
    platforms: [],
    withReferrers: true,
    parallel: 4,
    retries: testRetries,
  });
  await target.close();
  expect(report.failed).toEqual([]);
}

function newPath(): string {
  serial += 1;
  return join(directory.path, `export${serial}.tar`);
}

async function exported(
  served: ServedRegistry,
  prefix: string,
  { since = new Map(), path = newPath() }: { since?: Checkpoint; path?: string | null } = {},
): Promise<{ path: string; report: ExportReport }> {
  const client = new RegistryClient({ url: served.url });
  const report = await exportImages({
    client,
    server: "outside.example",
    isChosen: (name) => name.startsWith(prefix),
    since,
    path,
    parallel: 4,
    retries: testRetries,
  });
  client.close();
  return { path: path ?? "", report };
}

async function imported(
  path: string,
  served: ServedRegistry,
  more: { expected?: Digest; isForced?: boolean; isDryRun?: boolean } = {},
): Promise<ImportReport> {
  const files = await openArchive(path, "archive");
  const client = new RegistryClient({ url: served.url });
  try {
    const proven = await proveExport(files, {
      expected: more.expected ?? null,
      signal: testRetries.signal,
    });
    return await importImages({
      files,
      proven,
      client,
      server: "inside.example",
      retries: testRetries,
      parallel: 4,
      isDryRun: more.isDryRun ?? false,
      isForced: more.isForced ?? false,
    });
  } finally {
    client.close();
    await files.close();
  }
}

async function expectSame(
  from: MemorySource,
  served: ServedRegistry,
  repository: string,
): Promise<void> {
  const source = await openSource(parsePlaceName(`${served.url}/${repository}`), options);
  for (const [tag, digest] of from.names) expect(await source.head(tag)).toBe(digest);
  for (const { digest, bytes } of from.manifests.values()) {
    const read = await source.manifest(digest);
    expect(Buffer.from(read?.bytes ?? []).equals(Buffer.from(bytes))).toBe(true);
  }
  await source.close();
}

function world(): MemorySource {
  const from = new MemorySource();
  const image = from.image(["shared layer", someBytes(40_000)], "1");
  from.index([image, from.image(["shared layer", "other"])], "multi");
  from.referrer(image, "signature");
  from.image(["sig"], `${image.digest.replace(":", "-")}.sig`);
  return from;
}

test("all of it first, then only what is new, and a second import changes nothing", async () => {
  await using inside = await serveRegistry();
  const from = world();
  await push(from, outside, "first/app");
  const other = new MemorySource();
  other.image(["shared layer", "own"], "x");
  await push(other, outside, "first/tool");
  const first = await exported(outside, "first/");
  expect(first.report.tags).toBe(4);
  const all = await imported(first.path, inside);
  expect(all.tags).toEqual({ set: 4, there: 0 });
  expect(all.blobs.mounted.count).toBe(1);
  expect(all.oneByOne).toEqual([]);
  await expectSame(from, inside, "first/app");
  await expectSame(other, inside, "first/tool");

  const again = await imported(first.path, inside);
  expect(again.tags).toEqual({ set: 0, there: 4 });
  expect(again.manifests.sent.count + again.blobs.sent.count).toBe(0);

  const nothing = await exported(outside, "first/", { since: first.report.checkpoint });
  expect(nothing.report.digest).toBeNull();
  expect(await Bun.file(nothing.path).exists()).toBe(false);

  from.image(["shared layer", "news"], "1");
  from.referrer(from.image(["shared layer", "other"]), "late signature");
  await push(from, outside, "first/app");
  // A blob that the other side has in another repository is not carried again.
  other.image([someBytes(40_000)], "y");
  await push(other, outside, "first/tool");
  const news = await exported(outside, "first/", { since: first.report.checkpoint });
  expect(news.report.tags).toBe(2);
  expect(news.report.blobs.sizeBytes).toBeLessThan(1_000);
  await imported(news.path, inside);
  await expectSame(from, inside, "first/app");
  await expectSame(other, inside, "first/tool");

  // The first one again would take tags back.
  const late = await failure(imported(first.path, inside));
  expect(late).toContain("it is older than what is here");
  await expectSame(from, inside, "first/app");
  await imported(first.path, inside, { isForced: true });
  const source = await openSource(parsePlaceName(`${inside.url}/first/app`), options);
  expect(await source.head("1")).not.toBe(from.names.get("1") ?? "");
  await source.close();
});

test("the checkpoint is in the archive, and that of a side is told by the side", async () => {
  await using inside = await serveRegistry();
  await push(world(), outside, "told/app");
  const { path, report } = await exported(outside, "told/");
  const files = await openArchive(path, "archive");
  const held = parseCheckpoint(
    (await readWhole(files, checkpointFile, 1e6)) ?? new Uint8Array(),
    "it",
  );
  await files.close();
  expect(held).toEqual(report.checkpoint);
  await imported(path, inside);
  const own = await exported(inside, "told/", { path: null });
  const plain = (checkpoint: Checkpoint) =>
    [...checkpoint].map(([name, { tags, manifests, blobs }]) => [
      name,
      new Map([...tags].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      new Set([...manifests].toSorted()),
      new Set([...blobs].toSorted()),
    ]);
  expect(plain(own.report.checkpoint)).toEqual(plain(report.checkpoint));
});

test("other tools find the images of a whole export in it", async () => {
  const from = world();
  await push(from, outside, "layout/app");
  const { path } = await exported(outside, "layout/");
  const source = await openSource(parsePlaceName(`oci-archive:${path}`), options);
  expect((await source.tags()).toSorted().slice(0, 2)).toEqual([
    "layout/app:1",
    "layout/app:multi",
  ]);
  expect(await source.head("layout/app:1")).toBe(from.names.get("1") ?? "");
  await source.close();
});

test("a reader during an import sees the old tags or the new ones", async () => {
  await using inside = await serveRegistry();
  const from = new MemorySource();
  const tags = Array.from({ length: 20 }, (_, at) => `t${at}`);
  for (const tag of tags) from.image([`old ${tag}`], tag);
  await push(from, outside, "moving/app");
  const before = await exported(outside, "moving/");
  await imported(before.path, inside);
  const old = new Map(from.names);
  for (const tag of tags) from.image([`new ${tag}`], tag);
  await push(from, outside, "moving/app");
  const after = await exported(outside, "moving/", { since: before.report.checkpoint });

  const state = { isDone: false };
  const importing = imported(after.path, inside).finally(() => (state.isDone = true));
  const passes: string[] = [];
  const client = new RegistryClient({ url: inside.url });
  try {
    while (!state.isDone) {
      let pass = "";
      for (const tag of tags) {
        const { headers } = await client.manifestHead("moving/app", tag);
        pass += headers.get("Docker-Content-Digest") === old.get(tag) ? "o" : "n";
      }
      passes.push(pass);
    }
  } finally {
    client.close();
    await importing;
  }
  // Tags that were set one after the other, in this order, would be read as new before old ones.
  expect(passes.filter((pass) => !/^o*n*$/.test(pass))).toEqual([]);
  await expectSame(from, inside, "moving/app");
});

test("an export of another side is refused before anything changes", async () => {
  await using inside = await serveRegistry();
  const from = new MemorySource();
  from.image(["base", "one"], "1");
  await push(from, outside, "gap/app");
  const first = await exported(outside, "gap/");
  from.image(["base", "two"], "2");
  await push(from, outside, "gap/app");
  const second = await exported(outside, "gap/", { since: first.report.checkpoint });
  // The first one never arrived.
  expect(await failure(imported(second.path, inside))).toContain(
    "export anew with the checkpoint of this side",
  );
  const source = await openSource(parsePlaceName(`${inside.url}/gap/app`), options);
  expect(await source.tags()).toEqual([]);
  await source.close();
});

async function failure(work: Promise<unknown>): Promise<string> {
  const outcome: unknown = await work.then(
    () => "it was done",
    (error: unknown) => error,
  );
  return outcome instanceof Error ? outcome.message : String(outcome);
}

interface ArchiveFile {
  name: string;
  bytes: Uint8Array;
}

async function filesOf(path: string): Promise<ArchiveFile[]> {
  const files = await openArchive(path, "archive");
  const found: ArchiveFile[] = [];
  for (const { name } of files.entries) {
    found.push({ name, bytes: (await readWhole(files, name, 1e8)) ?? new Uint8Array() });
  }
  await files.close();
  return found;
}

async function archiveOf(files: readonly ArchiveFile[]): Promise<string> {
  const path = newPath();
  const parts = files.flatMap(({ name, bytes }) => [
    fileHeader(name, bytes.length),
    bytes,
    new Uint8Array(paddingOf(bytes.length)),
  ]);
  await writeFile(path, Buffer.concat([...parts, tarEnd()]));
  return path;
}

/** What tests change in a document. */
interface LooseDocument {
  format: string;
  source: string;
  repositories: {
    name: string;
    tags: { tag: string; digest: string }[];
    manifests: unknown[];
    blobs: { from: string | null }[];
  }[];
  files: { digest: string; sizeBytes: number }[];
}

/** The document of an export with something changed in it. */
function changed(file: ArchiveFile, change: (body: LooseDocument) => void): ArchiveFile {
  const body: LooseDocument = JSON.parse(new TextDecoder().decode(file.bytes));
  change(body);
  return { ...file, bytes: new TextEncoder().encode(JSON.stringify(body)) };
}

describe("archives that are wrong change nothing", () => {
  let good: ArchiveFile[] = [];
  let path = "";
  let digest: Digest | null = null;
  let inside: ServedRegistry;

  beforeAll(async () => {
    inside = await serveRegistry();
    await push(world(), outside, "hostile/app");
    const made = await exported(outside, "hostile/");
    ({ path } = made);
    ({ digest } = made.report);
    good = await filesOf(path);
  });
  afterAll(() => inside[Symbol.asyncDispose]());

  const withDocument = (change: (body: LooseDocument) => void) => (files: ArchiveFile[]) =>
    files.map((file) => (file.name === exportFile ? changed(file, change) : file));

  const rows: readonly [string, (files: ArchiveFile[]) => ArchiveFile[], RegExp][] = [
    ["a byte of a blob is another", (files) => flip(files, 1, 0), /does not have its digest/],
    [
      "a byte of a manifest is another",
      (files) =>
        flip(
          files,
          files.findIndex(
            ({ bytes }) => bytes[0] === 0x7b && bytes.length > 300 && bytes.length < 900,
          ),
          200,
        ),
      /does not have its digest/,
    ],
    [
      "a blob is shorter",
      (files) =>
        files.map((file, at) => (at === 2 ? { ...file, bytes: file.bytes.subarray(1) } : file)),
      /bytes; expected/,
    ],
    ["a blob is missing", (files) => files.toSpliced(1, 1), /is missing/],
    [
      "two blobs change places",
      (files) => [files[0]!, files[2]!, files[1]!, ...files.slice(3)],
      /not in their order/,
    ],
    [
      "a blob stands twice",
      (files) => [files[0]!, files[1]!, files[1]!, ...files.slice(2)],
      /twice/,
    ],
    [
      "a blob is there that nobody named",
      (files) => [
        ...files.slice(0, 2),
        { name: `blobs/sha256/${"a".repeat(64)}`, bytes: new Uint8Array(3) },
        ...files.slice(2),
      ],
      /not in their order|is missing/,
    ],
    [
      "the document is missing",
      (files) => files.filter(({ name }) => name !== exportFile),
      /no export, or only the beginning/,
    ],
    [
      "the document comes first",
      (files) => [files.at(-1)!, ...files.slice(0, -1)],
      /not in their order/,
    ],
    [
      "the document is no JSON",
      (files) =>
        files.map((file) =>
          file.name === exportFile ? { ...file, bytes: new Uint8Array(10) } : file,
        ),
      /JSON/,
    ],
    [
      "the document is of another format",
      withDocument((body) => (body.format = "zot-export-9")),
      /expected the format/,
    ],
    [
      "a tag names another manifest that is not there",
      withDocument((body) => (body.repositories[0]!.tags[0]!.digest = `sha256:${"1".repeat(64)}`)),
      /lacks sha256:1111/,
    ],
    [
      "a tag is no tag",
      withDocument((body) => (body.repositories[0]!.tags[0]!.tag = "../../etc")),
      /as a tag/,
    ],
    [
      "a tag stands twice",
      withDocument((body) => body.repositories[0]!.tags.push(body.repositories[0]!.tags[0]!)),
      /stand twice/,
    ],
    [
      "a repository is no name",
      withDocument((body) => (body.repositories[0]!.name = "../secret")),
      /as the name of a repository/,
    ],
    [
      "a manifest is left out",
      withDocument((body) => body.repositories[0]!.manifests.splice(0, 1)),
      /lacks sha256|named by no repository/,
    ],
    [
      "a file is named by no repository",
      (files) => {
        const name = `blobs/sha256/${sha256("extra")}`;
        const extra = { name, bytes: new TextEncoder().encode("extra") };
        const last = { digest: `sha256:${sha256("extra")}`, sizeBytes: 5 };
        const changedFiles = withDocument((body) => body.files.push(last))(files);
        return [...changedFiles.slice(0, -3), extra, ...changedFiles.slice(-3)];
      },
      /named by no repository/,
    ],
    [
      "the manifests are in another order",
      withDocument((body) => body.repositories[0]!.manifests.reverse()),
      /stands behind the index/,
    ],
    [
      "a blob is said to be elsewhere",
      withDocument((body) => (body.repositories[0]!.blobs[0]!.from = "other/app")),
      /not in the archive as it says/,
    ],
    [
      "a size is another",
      withDocument((body) => (body.files[0]!.sizeBytes += 1)),
      /bytes; expected/,
    ],
    ["a size is no number", withDocument((body) => (body.files[0]!.sizeBytes = -1)), /as a size/],
    [
      "a blob is left out",
      withDocument((body) => body.repositories[0]!.blobs.splice(0, 1)),
      /lacks sha256|named by no repository/,
    ],
    [
      "members have other types",
      withDocument((body) => (body.repositories = {} as unknown as [])),
      /no list of repositories/,
    ],
  ];
  for (const [what, change, says] of rows) {
    test(what, async () => {
      const error = await failure(imported(await archiveOf(change(good)), inside));
      expect(error).toMatch(says);
      expect(error).not.toContain("it was done");
      const tags = await fetch(`${inside.url}/v2/hostile/app/tags/list`);
      expect(tags.status).toBe(404);
    });
  }

  test("an archive that is cut off anywhere is refused", async () => {
    const bytes = await readFile(path);
    const end = bytes.length - 1024;
    for (const length of [0, 100, 5_000, Math.floor(end / 2), end - 512, end - 1, end]) {
      const cut = newPath();
      await writeFile(cut, bytes.subarray(0, length));
      expect(await failure(imported(cut, inside))).toMatch(/cut off|no tar archive/);
    }
  });

  test("an archive with another digest than was told is refused", async () => {
    const files = withDocument((body) => (body.source = "evil.example"))(good);
    const forged = await archiveOf(files);
    const told = digest ?? undefined;
    expect(told).toBeDefined();
    const error = await failure(
      imported(forged, inside, told === undefined ? {} : { expected: told }),
    );
    expect(error).toContain(`expected the export ${digest}`);
    expect(
      (
        await imported(path, inside, {
          isDryRun: true,
          ...(told === undefined ? {} : { expected: told }),
        })
      ).tags.set,
    ).toBe(3);
    expect((await fetch(`${inside.url}/v2/hostile/app/tags/list`)).status).toBe(404);
  });

  test("the archive as it was is taken", async () => {
    const copied = await archiveOf(good);
    expect((await imported(copied, inside)).tags.set).toBe(3);
    expect(parseExport(good.at(-1)?.bytes ?? new Uint8Array(), "it").repositories).toHaveLength(1);
  });
});

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

function flip(files: readonly ArchiveFile[], at: number, byte: number): ArchiveFile[] {
  return files.map((file, place) => {
    if (place !== at) return file;
    const bytes = Uint8Array.from(file.bytes);
    bytes[byte] = (bytes[byte] ?? 0) ^ 1;
    return { ...file, bytes };
  });
}

test("a registry that cannot set tags at once gets them one by one", async () => {
  const from = world();
  await push(from, outside, "plain/app");
  const { path } = await exported(outside, "plain/");
  await using inside = await serveRegistry();
  const proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      if (pathname.includes("/_zot/")) return new Response("404 page not found", { status: 404 });
      const body =
        request.method === "GET" || request.method === "HEAD" ? null : await request.arrayBuffer();
      const headers = new Headers(request.headers);
      headers.delete("host");
      return fetch(`${inside.url}${pathname}${search}`, { method: request.method, headers, body });
    },
  });
  const report = await imported(path, { ...inside, url: proxy.url.origin });
  expect(report.oneByOne).toEqual(["plain/app"]);
  await expectSame(from, inside, "plain/app");
  await proxy.stop(true);
});
