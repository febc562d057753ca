// Checks while a server serves: the first round begins with it, what it finds is an error to readers and not there for
// pushers, and a push heals it.

import { expect, test } from "bun:test";
import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes } from "../../src/lib/bytes.ts";
import { packageDirectory, run } from "../harness.ts";
import { eventually } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { config, descriptor, image, large, layer, type Content } from "./content.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { testRows } from "./row.ts";
import { scrubRows } from "./rows/scrub.ts";
import { startWorld, type World } from "./world.ts";

testRows("checks of content", scrubRows);

const heavy = image({ layers: [descriptor(large, mediaTypes.ociLayer)] });
const light = image();

async function push(world: World, at: string, blob: Content): Promise<number> {
  const target = `/v2/${at}/blobs/uploads/?digest=${blob.digest}`;
  return (await world.send("POST", target, { body: blob.bytes })).status;
}

async function pushAll(world: World, at: string): Promise<void> {
  for (const blob of [config, layer, large]) expect(await push(world, at, blob)).toBe(201);
  for (const [tag, manifest] of [
    ["heavy", heavy],
    ["light", light],
  ] as const) {
    const headers = { "content-type": manifest.mediaType };
    const put = { body: manifest.bytes, headers };
    expect((await world.send("PUT", `/v2/${at}/manifests/${tag}`, put)).status).toBe(201);
  }
}

/** Changes one byte, as a disk does. */
async function flip(world: World, at: string, of: Content): Promise<void> {
  const path = join(world.rootDirectory, at, "blobs/sha256", of.digest.slice("sha256:".length));
  const file = await open(path, "r+");
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, 0);
  byte[0]! ^= 1;
  await file.write(byte, 0, 1, 0);
  await file.close();
}

const rounds = (world: World): number =>
  world.lines.filter((line) => line["msg"] === "a round of checks has ended").length;

/** Starts the server again, and waits for its first round. */
async function nextRound(world: World): Promise<void> {
  const before = rounds(world);
  await world.restart();
  await eventually("a round of checks has ended", () => rounds(world) > before);
}

test("a byte that a disk changed is found in the first round, never served, and healed by a push", async () => {
  await using home = await tempDirectory();
  const audit = join(home.path, "audit.log");
  await using world = await startWorld({
    log: { audit },
    extensions: { scrub: { interval: "2h" }, metrics: { enable: true } },
  });
  // A round that still ran would have checked some of it before it is damaged, and go on with the rest.
  await eventually("the round of the start has ended", () => rounds(world) > 0);
  for (const at of ["a", "b"]) await pushAll(world, at);
  for (const of of [large, layer, light]) await flip(world, "a", of);
  await nextRound(world);
  const affected = world.lines.filter((line) => line["message"] === "blobs/manifest affected");
  expect(affected.map((line) => [line["image"], line["tag"], line["error"]])).toEqual(
    ["a", "b"].flatMap((at) => ["heavy", "light"].map((tag) => [at, tag, "bad blob digest"])),
  );
  for (const at of ["a", "b"]) {
    for (const [of, headers] of [
      [large, {}],
      [large, { range: "bytes=5-9" }],
      [layer, {}],
    ] as const) {
      const path = `/v2/${at}/blobs/${of.digest}`;
      const answer = await world.send("GET", path, { headers });
      expect(answer.status).toBe(500);
      const { errors } = JSON.parse(new TextDecoder().decode(answer.body)) as {
        errors: { code: string; message: string }[];
      };
      expect(errors).toEqual([
        {
          code: "UNKNOWN",
          message: `${of.digest} is damaged on the disk of this registry; a push of it repairs it`,
        },
      ]);
      expect((await world.send("HEAD", path)).status).toBe(404);
    }
  }
  await showsDamage(world);
  expect((await auditedIn(audit)).toSorted()).toEqual(
    [
      `healed /v2/a/blobs/${light.digest}`,
      ...["a", "b"].flatMap((at) =>
        [large, layer].map((of) => `damaged /v2/${at}/blobs/${of.digest}`),
      ),
    ].toSorted(),
  );
  const early = await world.send("DELETE", `/v2/_zot/scrub/kept/${large.digest}`);
  expect([early.status, Buffer.from(early.body).toString()]).toEqual([
    409,
    expect.stringContaining("The content is still damaged in a and 1 more: push it again, or"),
  ]);
  // The manifest of b is a file of its own: that of a was healed from it.
  expect((await world.send("GET", "/v2/a/manifests/light")).status).toBe(200);
  for (const of of [large, layer]) expect(await push(world, "a", of)).toBe(201);
  for (const at of ["a", "b"]) {
    for (const of of [large, layer]) {
      const answer = await world.send("GET", `/v2/${at}/blobs/${of.digest}`);
      expect([answer.status, Buffer.from(answer.body)]).toEqual([200, Buffer.from(of.bytes)]);
    }
  }
  await letsGo(world);
  await nextRound(world);
  const last = world.lines.findLast((line) => line["msg"] === "a round of checks has ended");
  expect(last).toMatchObject({ outcome: "done", bad: 0 });
});

/** What checks wrote into the audit log. */
async function auditedIn(path: string): Promise<string[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ subject }) => subject === ":scrub")
    .map(({ action, object }) => `${action} ${object}`);
}

/** Files of damaged content stay until a person lets them go. */
async function letsGo(world: World): Promise<void> {
  const path = join(world.rootDirectory, "_zot/damaged");
  expect(await readdir(path)).toHaveLength(3);
  const answer = await world.send("GET", "/v2/_zot/scrub");
  const { kept } = JSON.parse(Buffer.from(answer.body).toString());
  expect([kept.files, kept.list.map((each: { isDamaged: boolean }) => each.isDamaged)]).toEqual([
    3,
    [false, false, false],
  ]);
  const program = join(packageDirectory, "bin/zot");
  const ask = (...args: string[]) => run(program, ["scrub", ...args, "-s", world.url]);
  expect((await ask("status")).stdout).toMatch(/^kept +3 files, /m);
  const gone = await ask("forget", large.digest);
  expect([gone.code, gone.stdout]).toEqual([
    0,
    `removed 1 files, ${formatBytes(large.bytes.length)}, that were kept of ${large.digest}\n`,
  ]);
  expect((await readdir(path)).filter((name) => name.startsWith(large.digest))).toEqual([]);
  const again = await ask("forget", large.digest);
  expect([again.code, again.stderr]).toEqual([
    1,
    expect.stringContaining("Nothing is kept of damaged content with this digest"),
  ]);
  expect(await readdir(path)).toHaveLength(2);
}

/** The damage of four copies, page by page and as a person asks. */
async function showsDamage(world: World): Promise<void> {
  const found: string[] = [];
  for (let path = "/v2/_zot/scrub?n=3"; ;) {
    const answer = await world.send("GET", path);
    const { state, coverage, rounds, damaged } = JSON.parse(Buffer.from(answer.body).toString());
    expect([state, damaged.copies, coverage[0].percent]).toEqual(["waiting", 4, 100]);
    expect(rounds[0]).toMatchObject({ outcome: "done", bad: 4, healed: 1, failed: 0 });
    for (const each of damaged.list) {
      found.push(`${each.repository} ${each.digest} ${each.how} ${each.tags}`);
      expect(each.kept).toStartWith(each.digest);
    }
    const link = answer.headers.get("link");
    if (link === null) break;
    path = /<([^>]+)>/.exec(link)![1]!.replace(/^https?:\/\/[^/]+/, "");
  }
  const expected = ["a", "b"].flatMap((at) => [
    `${at} ${large.digest} wrong heavy`,
    `${at} ${layer.digest} wrong light`,
  ]);
  expect(found.toSorted()).toEqual(expected.toSorted());
  const page = await world.send("GET", "/metrics");
  const metrics = new TextDecoder().decode(page.body);
  expect(metrics).toContain("\nzot_scrub_damaged 4\n");
  expect(metrics).toContain("\nzot_scrub_stopped 0\n");
  expect(metrics).toMatch(/\nzot_scrub_bytes\{state="read"\} [1-9]\d*\n/);
  expect(metrics).toMatch(/\nzot_scrub_ended_seconds [1-9][\d.]*\n/);
  const program = join(packageDirectory, "bin/zot");
  const { code, stdout } = await run(program, ["scrub", "status", "-s", world.url]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^state +waiting; the next round begins at 20/);
  expect(stdout).toContain("100 % of bytes checked within 30 days");
  expect(stdout).toMatch(/^damaged +4 copies, /m);
  expect(stdout).toMatch(/^20\S+Z +20\S+Z +done +\d+ +\S+ \S+ +4 +1 +0$/m);
  for (const each of expected) {
    const [at, digest, how, tags] = each.split(" ");
    expect(stdout).toMatch(new RegExp(`^${at} +${digest} +${how} +20\\S+ +${tags}$`, "m"));
  }
}
