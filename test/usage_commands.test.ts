// `zot du` against a server, as a person types it.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { testedProgram, run, startZot, tempDirectory, type Zot } from "./harness.ts";
import {
  config,
  image,
  layer,
  pattern,
  type Content,
  type ManifestContent,
} from "./http/content.ts";
import type { TempDirectory } from "./temp.ts";

const program = await testedProgram();
const small = image({ annotations: { name: "small" } });
const big = pattern(3 * 1024 * 1024);
let directory: TempDirectory;
let zot: Zot;

beforeAll(async () => {
  directory = await tempDirectory();
  zot = await startZot({ config: { storage: { gc: false } } });
  const large = image({
    layers: [
      {
        mediaType: "application/vnd.oci.image.layer.v1.tar",
        digest: big.digest,
        size: big.bytes.length,
      },
    ],
  });
  await push("team/large", "v1", large, [config, big]);
  await push("team/small", "v1", small, [config, layer]);
  await push("other", "v1", small, [config, layer]);
  await push("other", "v2", image({ annotations: { name: "v2" } }), [config, layer]);
});
afterAll(async () => {
  await zot[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

async function push(
  repository: string,
  tag: string,
  { bytes, mediaType }: ManifestContent,
  blobs: readonly Content[],
) {
  for (const { bytes: body, digest } of blobs) {
    const target = `${zot.url}/v2/${repository}/blobs/uploads/?digest=${digest}`;
    expect((await fetch(target, { method: "POST", body })).status).toBe(201);
  }
  const headers = { "content-type": mediaType };
  const target = `${zot.url}/v2/${repository}/manifests/${tag}`;
  expect((await fetch(target, { method: "PUT", body: bytes, headers })).status).toBe(201);
}

async function typed(...args: string[]) {
  const env = { ...process.env, ZOT_SERVER: zot.url };
  return await run(program, ["du", ...args], { cwd: directory.path, env });
}

test("all repositories, those with the most of their own first, and what lies on the disk", async () => {
  const { code, stdout, stderr } = await typed();
  expect([code, stderr]).toEqual([0, ""]);
  const [head, first, second, third, all, disk] = stdout.split("\n");
  expect(head).toMatch(/^OWN +SHARED +LINKED +TAGS +MANIFESTS +NAME$/);
  expect(first).toMatch(/^3 MiB +2 B +3 MiB +1 +1 +█{10} +team\/large$/);
  expect(second).toMatch(/^\d+ B +\d+ B +\d+ B +2 +2 +░{10} +other$/);
  expect(third).toMatch(/^0 B +(\d+ B) +\1 +1 +1 +░{10} +team\/small$/);
  expect(all).toMatch(/^3 MiB +0 B +3 MiB +4 +4 +all \(3 repositories\)$/);
  expect(disk).toMatch(
    /^on disk 3 MiB: held for an undo 0 B, uploads 0 B, waiting for collection 0 B$/,
  );
});

test("a prefix, a repository, and the sum alone", async () => {
  const below = (await typed("team/")).stdout.split("\n");
  expect(below.map((line) => line.split(" ").at(-1))).toEqual([
    "NAME",
    "team/large",
    "team/small",
    "repositories)",
    "",
  ]);
  expect((await typed("team/large")).stdout).toMatch(/team\/large \(1 repositories\)/);
  const { stdout } = await typed("-s", `${zot.host}/team/`);
  expect(stdout.trimEnd().split("\n")).toHaveLength(2);
  expect(stdout).toMatch(/team\/ \(2 repositories\)/);
});

test("what goes with each tag", async () => {
  const { stdout } = await typed("--tags", "other");
  const [head, first, second] = stdout.split("\n");
  expect(head).toMatch(/^FREED +FREED HERE +SIZE +TAG$/);
  expect(first).toMatch(/^(\d+ B) +\1 +\d+ B +v2$/);
  expect(second).toMatch(/^0 B +\d+ B +\d+ B +v1$/);
});

test("the same as JSON", async () => {
  const all = JSON.parse((await typed("-f", "json")).stdout);
  expect(all).toMatchObject({ prefix: "", total: { repositories: 3 }, quotas: [] });
  expect(all.repositories[0]).toMatchObject({ name: "team/large", manifests: 1 });
  const { name, tags } = JSON.parse((await typed("--tags", "other", "-f", "json")).stdout);
  expect([name, tags.map(({ tag }: { tag: string }) => tag)]).toEqual(["other", ["v2", "v1"]]);
});

for (const [args, status, says] of [
  [["none/"], 2, "expected a repository or a prefix, got 'none/': nothing is there"],
  [
    ["Team"],
    2,
    "expected [HOST[:PORT]/]REPOSITORY or a prefix of names, such as team/; got 'Team'",
  ],
  [["--tags"], 2, "expected a repository beside --tags, got ''"],
  [["--tags", "team/"], 2, "expected a repository beside --tags, got 'team/'"],
  [["-s", "--tags", "other"], 2, "expected --summary or --tags, got both"],
  [["--tags", "none"], 1, /repository .*\(NAME_UNKNOWN\)/i],
] as const) {
  test(`a mistake: zot du ${args.join(" ")}`, async () => {
    const { code, stdout, stderr } = await typed(...args);
    expect([code, stdout]).toEqual([status, ""]);
    if (typeof says === "string") expect(stderr).toBe(`zot: ${says}\n`);
    else expect(stderr).toMatch(says);
  });
}
