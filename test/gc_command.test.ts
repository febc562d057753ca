// `zot gc`: what a stopped server's root, or another program's layouts, lose; and who has a root that is in use.

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { testedProgram, run, startZot, tempDirectory } from "./harness.ts";
import { config, content, image, index, layer, type Content } from "./http/content.ts";

const command = await testedProgram();
const gc = (root: string, ...flags: string[]) => run(command, ["gc", "-r", root, ...flags]);
const lines = (text: string): string[] => text.trimEnd().split("\n");
const at = "team/app";

async function put(url: string, path: string, pushed: Content, type?: string): Promise<void> {
  const headers = type === undefined ? {} : { "content-type": type };
  const method = type === undefined ? "POST" : "PUT";
  const answer = await fetch(`${url}/v2/${at}/${path}`, {
    method,
    headers,
    body: Buffer.from(pushed.bytes),
  });
  expect(answer.status).toBe(201);
}

const tagged = image();
const untagged = image({ annotations: { is: "untagged" } });
const lone = content("nobody names it");

test("a root that was served: the dry run says what the real run does, and a second one has nothing to do", async () => {
  await using directory = await tempDirectory("zot-gc");
  const root = join(directory.path, "root");
  {
    await using zot = await startZot({ config: { storage: { rootDirectory: root, gc: false } } });
    for (const blob of [config, layer, lone]) {
      await put(zot.url, `blobs/uploads/?digest=${blob.digest}`, blob);
    }
    await put(zot.url, "manifests/v1", tagged, tagged.mediaType);
    await put(zot.url, `manifests/${untagged.digest}`, untagged, untagged.mediaType);
    const refused = await gc(root);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("found it served by another zot (process ");
    expect(await zot.stop()).toBe(0);
  }
  const files = async () => (await readdir(root, { recursive: true })).toSorted();
  const before = await files();
  const young = await gc(root, "-d", "-m", "--older-than", "24h");
  expect(lines(young.stdout)).toEqual(["0 manifests, 0 blobs, 0 uploads, 0 bytes (0 B) (dry run)"]);

  const dry = await gc(root, "-d", "-m");
  expect(dry).toMatchObject({ code: 0, stderr: "" });
  expect(await files()).toEqual(before);
  const real = await gc(root, "-m");
  expect(real).toMatchObject({ code: 0, stderr: "" });
  expect(lines(dry.stdout).map((line) => line.replace(" (dry run)", ""))).toEqual(
    lines(real.stdout),
  );
  const bytes = untagged.bytes.length + lone.bytes.length;
  expect(lines(real.stdout)).toEqual([
    `delete  ${at}  ${untagged.digest}  ${untagged.bytes.length}  didn't meet any untagged retention rule`,
    `delete  ${at}  ${lone.digest}  ${lone.bytes.length}  no manifest names it`,
    `1 manifests, 1 blobs, 0 uploads, ${bytes} bytes (${bytes} B)`,
  ]);
  const blobOf = ({ digest }: Content): string => join(root, at, "blobs/sha256", digest.slice(7));
  for (const gone of [untagged, lone]) expect(existsSync(blobOf(gone))).toBe(false);
  for (const kept of [tagged, config, layer]) expect(existsSync(blobOf(kept))).toBe(true);
  expect(await readFile(join(root, at, "index.json"), "utf8")).not.toContain(untagged.digest);
  expect(lines((await gc(root, "-m")).stdout)).toEqual([
    "0 manifests, 0 blobs, 0 uploads, 0 bytes (0 B)",
  ]);
  // One of its repositories alone is no layout of another program.
  const below = await gc(join(root, at));
  expect(below).toMatchObject({ code: 1, stdout: "" });
  expect(below.stderr).toContain("lies in the root directory");
});

test.each([
  ["goes with its directory", false, "delete  team/app  -  0  it holds nothing"],
  ["stays with a loose file", true, "keep    team/app  -  0  files that nothing names lie in it"],
])("an empty repository %s, in the dry run and in the real one", async (_, isLoose, line) => {
  await using directory = await tempDirectory("zot-gc");
  const root = join(directory.path, "root");
  {
    await using zot = await startZot({ config: { storage: { rootDirectory: root, gc: false } } });
    await put(zot.url, `blobs/uploads/?digest=${lone.digest}`, lone);
    expect(await zot.stop()).toBe(0);
  }
  const loose = join(root, at, "blobs/sha256", tagged.digest.slice(7));
  if (isLoose) await writeFile(loose, tagged.bytes);
  const dry = await gc(root, "-d");
  const real = await gc(root);
  const said = (text: string) => lines(text).map((line) => line.replace(" (dry run)", ""));
  expect(said(dry.stdout)).toEqual(said(real.stdout));
  expect(said(real.stdout).slice(0, -1)).toEqual([
    `delete  ${at}  ${lone.digest}  ${lone.bytes.length}  no manifest names it`,
    line,
  ]);
  expect([existsSync(join(root, "team")), existsSync(loose)]).toEqual([isLoose, isLoose]);
});

test("without -m a manifest without a tag stays, and the line says why", async () => {
  await using directory = await tempDirectory("zot-gc");
  const root = join(directory.path, "root");
  {
    await using zot = await startZot({ config: { storage: { rootDirectory: root, gc: false } } });
    for (const blob of [config, layer]) {
      await put(zot.url, `blobs/uploads/?digest=${blob.digest}`, blob);
    }
    await put(zot.url, `manifests/${untagged.digest}`, untagged, untagged.mediaType);
    expect(await zot.stop()).toBe(0);
  }
  expect(lines((await gc(root)).stdout)).toEqual([
    `keep    ${at}  ${untagged.digest}  0  deleteUntagged is off`,
    "0 manifests, 0 blobs, 0 uploads, 0 bytes (0 B)",
  ]);
});

/** A layout as another program writes it. */
async function writePlain(path: string): Promise<(one: Content) => string> {
  const child = image({ annotations: { is: "a child" } });
  const all = index([child]);
  const entry = (pushed: Content & { mediaType: string }, name?: string) => ({
    mediaType: pushed.mediaType,
    digest: pushed.digest,
    size: pushed.bytes.length,
    ...(name === undefined
      ? {}
      : { annotations: { "org.opencontainers.image.ref.name": name, "of.another.tool": "kept" } }),
  });
  const blobOf = ({ digest }: Content): string => join(path, "blobs/sha256", digest.slice(7));
  for (const one of [config, layer, lone, tagged, untagged, child, all]) {
    await mkdir(dirname(blobOf(one)), { recursive: true });
    await writeFile(blobOf(one), one.bytes);
  }
  const manifests = [entry(tagged, "v1"), entry(all, "all"), entry(child), entry(untagged)];
  await writeFile(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  return blobOf;
}

test("layouts of another program: unreached files go, with -m entries that nothing needs; the rest stays as it is", async () => {
  await using directory = await tempDirectory("zot-gc");
  const layout = join(directory.path, "one");
  const blobOf = await writePlain(layout);
  await mkdir(join(directory.path, "bad/blobs"), { recursive: true });
  await writeFile(join(directory.path, "bad/index.json"), "{");
  const written = await readFile(join(layout, "index.json"), "utf8");
  const files = async () => (await readdir(layout, { recursive: true })).toSorted();
  const before = await files();

  const dry = await gc(directory.path, "-d", "-m");
  expect(await files()).toEqual(before);
  const plain = await gc(layout);
  expect(plain).toMatchObject({ code: 0, stderr: "" });
  expect(lines(plain.stdout).at(-1)).toStartWith("0 manifests, 1 blobs, 0 uploads, ");
  expect(await readFile(join(layout, "index.json"), "utf8")).toBe(written);
  expect(existsSync(blobOf(lone))).toBe(false);
  expect(existsSync(blobOf(untagged))).toBe(true);

  const real = await gc(directory.path, "-m");
  expect(real.code).toBe(1);
  expect(real.stderr).toContain("bad: left as it is");
  expect(lines(dry.stdout).filter((line) => line.startsWith("delete"))).toEqual([
    `delete  one  ${untagged.digest}  ${untagged.bytes.length}  no name, and nothing needs it`,
    `delete  one  ${lone.digest}  ${lone.bytes.length}  nothing reaches it`,
  ]);
  expect(existsSync(blobOf(untagged))).toBe(false);
  for (const kept of [tagged, config, layer]) expect(existsSync(blobOf(kept))).toBe(true);
  const left = JSON.parse(await readFile(join(layout, "index.json"), "utf8")) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  expect(left.manifests.map(({ digest }) => digest)).not.toContain(untagged.digest);
  expect(left.manifests).toHaveLength(3);
  expect(left.manifests[0]?.annotations?.["of.another.tool"]).toBe("kept");
  // What a manifest named that is damaged or gone is not known.
  for (const spoil of [
    () => writeFile(blobOf(tagged), tagged.bytes.toReversed()),
    () => rm(blobOf(tagged)),
  ]) {
    await spoil();
    const spoilt = await gc(layout);
    expect(spoilt.code).toBe(1);
    expect(spoilt.stderr).toContain(`left as it is: Error: ${tagged.digest} is `);
    for (const kept of [config, layer]) expect(existsSync(blobOf(kept))).toBe(true);
  }
  // Nothing of ours was left there.
  expect((await readdir(directory.path)).toSorted()).toEqual(["bad", "one"]);
});
