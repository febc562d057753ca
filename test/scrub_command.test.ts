// `zot scrub`: zot's table for right and damaged layouts of a server that is stopped, and of other programs.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cp, link, mkdir, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { testedProgram, run, startZot, tempDirectory } from "./harness.ts";
import {
  config,
  content,
  descriptor,
  image,
  index,
  layer,
  pattern,
  referrer,
  type Content,
  type ManifestContent,
} from "./http/content.ts";
import { mediaTypes } from "../src/oci/media_types.ts";
import type { TempDirectory } from "./temp.ts";
import { startInTerminal } from "./terminal.ts";
import { eventually } from "./processes.ts";

const command = await testedProgram();
const scrub = (...words: string[]) => run(command, ["scrub", ...words]);
const hexOf = ({ digest }: Content): string => digest.slice("sha256:".length);

/** More than a slice. */
const large = pattern(3_000_000);
const plain = image();
const second = image({ layers: [descriptor(large, mediaTypes.ociLayer)] });
const both = index([plain, second]);
const signature = referrer(plain, 1);
const longer: ManifestContent = {
  ...plain,
  ...((): Content => {
    const members = {
      ...JSON.parse(Buffer.from(plain.bytes).toString()),
      annotations: { is: "512" },
    };
    return content(JSON.stringify(members));
  })(),
};

/** Files of a layout, and the entries that its index.json has. */
async function writeLayout(
  directory: string,
  contents: readonly Content[],
  entries: readonly [of: ManifestContent, tag: string | null, digest?: string][],
): Promise<void> {
  for (const algorithm of ["sha256", "sha512"])
    await mkdir(join(directory, "blobs", algorithm), { recursive: true });
  for (const each of [...contents, ...entries.map(([of]) => of)]) {
    await writeFile(fileOf(directory, each), each.bytes);
  }
  const manifests = entries.map(([of, tag, digest = of.digest]) => ({
    ...descriptor(of, of.mediaType),
    digest,
    ...(tag === null ? {} : { annotations: { "org.opencontainers.image.ref.name": tag } }),
  }));
  await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

const fileOf = (directory: string, of: Content): string =>
  join(directory, "blobs/sha256", hexOf(of));

/** Each row of the JSON, but for the name of the repository. */
async function rowsOf(root: string): Promise<{ code: number; rows: string[] }> {
  const { code, stdout } = await scrub("-r", root, "-f", "json");
  const { scrubResults } = JSON.parse(stdout) as {
    scrubResults: Record<"imageName" | "tag" | "status" | "affectedBlob" | "error", string>[];
  };
  const rows = scrubResults.map(({ tag, status, affectedBlob, error }) =>
    [tag, status, affectedBlob, error].join(" ").trim(),
  );
  return { code, rows };
}

let directory: TempDirectory;
beforeAll(async () => {
  directory = await tempDirectory("zot-scrub");
});
afterAll(() => directory[Symbol.asyncDispose]());

let roots = 0;
/** A layout with an image, an index and a signature. */
async function sample(): Promise<string> {
  roots += 1;
  const root = join(directory.path, `root ${roots}`);
  await writeLayout(
    join(root, "team/app"),
    [config, layer, large, second],
    [
      [plain, "1"],
      [both, "all"],
      [signature, null],
    ],
  );
  return root;
}

describe("a layout with an image, an index of it and a signature", () => {
  const right = ["1 ok", "all ok", "ok"];
  const bad = (of: Content, error: string): string => `affected ${hexOf(of)} ${error}`;
  const wrong = (of: Content): string => bad(of, "bad blob digest");
  const gone = (of: Content): string => bad(of, "blob not found");
  const cases: readonly [what: string, (at: string) => Promise<unknown>, string[]][] = [
    [
      "a layer with one other byte",
      (at) => writeFile(fileOf(at, layer), "A layer"),
      [`1 ${wrong(layer)}`, `all ${wrong(layer)}`, wrong(layer)],
    ],
    [
      "a byte in the last slice of a large layer",
      (at) => {
        const bytes = new Uint8Array(large.bytes);
        bytes[bytes.length - 1]! ^= 1;
        return writeFile(fileOf(at, large), bytes);
      },
      ["1 ok", `all ${wrong(large)}`, "ok"],
    ],
    [
      "an empty layer",
      (at) => truncate(fileOf(at, layer), 0),
      [`1 ${wrong(layer)}`, `all ${wrong(layer)}`, wrong(layer)],
    ],
    [
      "a layer that is gone",
      (at) => rm(fileOf(at, layer)),
      [`1 ${gone(layer)}`, `all ${gone(layer)}`, gone(layer)],
    ],
    [
      "a directory in the place of a layer",
      async (at) => {
        await rm(fileOf(at, layer));
        await mkdir(fileOf(at, layer));
      },
      [
        `1 ${bad(layer, "blob cannot be read")}`,
        `all ${bad(layer, "blob cannot be read")}`,
        bad(layer, "blob cannot be read"),
      ],
    ],
    [
      "a config with other bytes",
      (at) => writeFile(fileOf(at, config), "[]"),
      [`1 ${wrong(config)}`, `all ${wrong(config)}`, wrong(config)],
    ],
    [
      "a manifest with other bytes",
      (at) => writeFile(fileOf(at, plain), "{}"),
      [`1 ${wrong(plain)}`, `all ${wrong(plain)}`, wrong(plain)],
    ],
    ["a child that is not there, which an index may lack", (at) => rm(fileOf(at, second)), right],
    [
      "an index with other bytes",
      (at) => truncate(fileOf(at, both), 9),
      ["1 ok", `all ${wrong(both)}`, "ok"],
    ],
    ["an index that is gone", (at) => rm(fileOf(at, both)), ["1 ok", `all ${gone(both)}`, "ok"]],
    [
      "a signature with other bytes",
      (at) => truncate(fileOf(at, signature), 9),
      ["1 ok", "all ok", wrong(signature)],
    ],
    ["nothing wrong", async () => undefined, right],
  ];
  for (const [what, damage, expected] of cases) {
    test(what, async () => {
      const root = await sample();
      await damage(join(root, "team/app"));
      const { code, rows } = await rowsOf(root);
      expect(rows).toEqual(expected);
      expect(code).toBe(expected === right ? 0 : 3);
    });
  }
});

test("digests of sha512, a manifest that is no JSON, and a config that should be some", async () => {
  const root = join(directory.path, "kinds");
  const app = join(root, "app");
  const text = content("no JSON");
  const noManifest: ManifestContent = { ...text, mediaType: mediaTypes.ociImage };
  const odd = image({ config: descriptor(text, mediaTypes.ociConfig) });
  const artifact = image({ config: descriptor(text, "application/vnd.example.text") });
  await writeLayout(
    app,
    [config, layer],
    [
      [noManifest, "text"],
      [odd, "odd"],
      [artifact, "artifact"],
      [longer, "long", longer.sha512],
    ],
  );
  await writeFile(join(app, "blobs/sha512", longer.sha512.slice("sha512:".length)), longer.bytes);
  const { code, rows } = await rowsOf(root);
  expect(code).toBe(3);
  expect(rows).toEqual([
    `text affected ${hexOf(text)} invalid manifest content`,
    `odd affected ${hexOf(text)} invalid server config`,
    "artifact ok",
    "long ok",
  ]);
});

test("the table has zot's columns, and each repository its rows", async () => {
  const root = await sample();
  await writeLayout(join(root, "b"), [config, layer], [[plain, "1"]]);
  await rm(fileOf(join(root, "b"), layer));
  const { code, stdout, stderr } = await scrub("-r", root);
  expect([code, stderr]).toEqual([3, ""]);
  const cell = (text: string, width: number): string => text.padEnd(width);
  const row = (...[name = "", tag = "", status = "", blob = "", error = ""]: string[]): string =>
    [cell(name, 32), cell(tag, 24), cell(status, 8), cell(blob, 64), error].join("  ").trimEnd();
  expect(stdout.trimEnd().split("\n")).toEqual([
    row("REPOSITORY", "TAG", "STATUS", "AFFECTED BLOB", "ERROR"),
    row("b", "1", "affected", hexOf(layer), "blob not found"),
    row("team/app", "1", "ok"),
    row("team/app", "all", "ok"),
    row("team/app", "", "ok"),
  ]);
});

test("a file that two repositories share is read once, and both are affected", async () => {
  const root = await sample();
  const other = join(root, "other");
  await writeLayout(other, [config], [[plain, "1"]]);
  await writeFile(fileOf(join(root, "team/app"), layer), "A layer");
  await link(fileOf(join(root, "team/app"), layer), fileOf(other, layer));
  const { rows } = await rowsOf(root);
  expect(rows[0]).toBe(`1 affected ${hexOf(layer)} bad blob digest`);
  expect(rows[1]).toEqual(rows[0]);
});

test("an index.json that is none is affected; a directory that cannot be one is a failure", async () => {
  const root = await sample();
  await writeFile(join(root, "team/app/index.json"), "{");
  const { code, rows } = await rowsOf(root);
  expect([code, rows]).toEqual([3, ["affected  invalid index.json"]]);
  await mkdir(join(root, "b/index.json"), { recursive: true });
  await mkdir(join(root, "b/blobs"));
  const failed = await scrub("-r", root);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toStartWith("scrub: b: ");
});

test("a configuration names the root; while a server has it, its process is named; nothing is changed", async () => {
  const root = join(directory.path, "served");
  const file = join(directory.path, "config.json");
  await writeFile(file, JSON.stringify({ storage: { rootDirectory: root } }));
  {
    await using zot = await startZot({ config: { storage: { rootDirectory: root } } });
    for (const blob of [config, layer]) {
      const target = `${zot.url}/v2/a/blobs/blobs/uploads/?digest=${blob.digest}`;
      const body = Buffer.from(blob.bytes);
      expect((await fetch(target, { method: "POST", body })).status).toBe(201);
    }
    const put = { method: "PUT", body: Buffer.from(plain.bytes) };
    const headers = { "content-type": plain.mediaType };
    const answer = await fetch(`${zot.url}/v2/a/blobs/manifests/1`, { ...put, headers });
    expect(answer.status).toBe(201);
    const refused = await scrub(file);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toStartWith("scrub: server is running: ");
    expect(refused.stderr).toContain(`process ${zot.pid}`);
    expect(await zot.stop()).toBe(0);
  }
  const files = async () => (await readdir(root, { recursive: true })).toSorted();
  const before = await files();
  const { code, stdout } = await scrub(file);
  expect(code).toBe(0);
  expect(stdout).toContain("a/blobs ");
  expect(await files()).toEqual(before);
});

test("mistakes are told in one line", async () => {
  for (const [words, status, line] of [
    [[], 2, "zot: expected a configuration file, or a directory with -r DIR"],
    [["c.json", "-r", "d"], 2, "zot: expected a configuration file, or a directory with -r DIR"],
    [["-r", "/nowhere/at/all"], 1, "scrub: /nowhere/at/all: there is no such directory"],
    [["-r", ".", "-f", "xml"], 2, "zot: expected --format text or json, got 'xml'"],
  ] as const) {
    expect(await scrub(...words)).toMatchObject({ code: status, stdout: "", stderr: `${line}\n` });
  }
});

test("a terminal sees how far it is, and nothing of that stays", async () => {
  const root = await sample();
  const most = pattern(60_000_000);
  const heavy = image({ layers: [descriptor(most, mediaTypes.ociLayer)] });
  await writeLayout(join(root, "z"), [config, most], [[heavy, "1"]]);
  await using terminal = startInTerminal([command, "scrub", "-r", root]);
  expect(await terminal.exited).toBe(0);
  await eventually("all is shown", () => terminal.text().includes("z   "));
  expect(terminal.text()).toMatch(/[█░]{24} \d+ %  \S+ \S+ of 60\.\d MiB/);
  expect(terminal.text()).toContain("\r\u001B[K");
});

test("a copy of a root without its metadata is checked as well", async () => {
  const root = await sample();
  const copy = join(directory.path, "a copy");
  await cp(root, copy, { recursive: true });
  expect((await stat(dirname(fileOf(join(copy, "team/app"), layer)))).isDirectory()).toBe(true);
  expect((await rowsOf(copy)).code).toBe(0);
});
