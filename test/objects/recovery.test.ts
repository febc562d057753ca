// A registry that has lost its metadata comes back from its bucket: what the export names is pulled again, what is newer
// is told and removed by nobody, and metadata of before are refused.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { mkdir, writeFile } from "node:fs/promises";
import { sample } from "../contracts/store_samples.ts";
import { run, startZot, testedProgram, type Zot } from "../harness.ts";
import { requirePostgres, startPostgres, type Postgres } from "../postgres.ts";
import { eventually } from "../processes.ts";
import { reasonOf } from "../reason_of.ts";
import { runDirectory } from "../temp.ts";
import { FakeS3 } from "./fake_s3.ts";
import { driverOf } from "./object_registry.ts";
import { described, manifestOf, pushSmallImage } from "./small_push.ts";

const program = await testedProgram();
/** A dozen processes, one after another. */
const limitMs = 240_000;
const before = sample(300_000, 5);
const after = sample(310_000, 6);

async function directory(): Promise<string> {
  const path = join(await runDirectory(), crypto.randomUUID());
  await mkdir(path);
  return path;
}

async function pulls({ url }: Zot, tag: string, layer: Uint8Array): Promise<void> {
  const manifest = await fetch(`${url}/v2/team/app/manifests/${tag}`);
  expect([manifest.status, await manifest.bytes()]).toEqual([200, manifestOf(layer)]);
  const blob = await fetch(`${url}/v2/team/app/blobs/${described(layer).digest}`);
  expect([blob.status, described(await blob.bytes())]).toEqual([200, described(layer)]);
}

/** `place` gives where the metadata lie, another place each time; undefined for the root directory. */
async function story(place: () => Promise<object | undefined>): Promise<void> {
  await using fake = await FakeS3.start();
  const storageDriver = driverOf(fake);
  const placed = async () => {
    const [rootDirectory, metadata] = [await directory(), await place()];
    const storage = {
      storageDriver,
      commit: false,
      ...(metadata === undefined ? {} : { metadata }),
    };
    const file = join(await directory(), "config.json");
    await writeFile(file, JSON.stringify({ storage: { rootDirectory, ...storage } }));
    return { file, serve: () => startZot({ rootDirectory, config: { storage } }) };
  };
  const old = await placed();
  {
    await using zot = await old.serve();
    await pushSmallImage(zot, "team/app", "1.0", before);
    const backup = await run(program, ["backup", old.file]);
    expect([backup.code, backup.stderr]).toEqual([0, ""]);
    await pushSmallImage(zot, "team/app", "2.0", after);
    expect(await zot.stop()).toBe(0);
  }
  const objects = [...fake.objects.keys()].filter((key) => key.startsWith("objects/"));
  const found = await placed();
  expect(String(await reasonOf(found.serve()))).toContain("with zot restore CONFIG");
  const listed = await run(program, ["restore", found.file, "--list"]);
  expect(listed.stdout.split("\n").length).toBe(3);
  const wrong = await run(program, ["restore", found.file, "--at", "2020-01-01T00:00:00Z"]);
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("--list shows them")]);
  const restored = await run(program, ["restore", found.file]);
  expect([restored.code, restored.stderr]).toEqual([0, ""]);
  const again = await run(program, ["restore", found.file]);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("empty metadata")]);
  // It was begun, and changed nothing: the numbers of bucket and metadata are the same.
  await using zot = await found.serve();
  await pulls(zot, "1.0", before);
  expect((await fetch(`${zot.url}/v2/team/app/manifests/2.0`)).status).toBe(404);
  const audit = async (...words: string[]): Promise<{ audit: Record<string, unknown> | null }> => {
    const asked = await run(program, ["audit", ...words, "--server", zot.url, "-f", "json"]);
    return JSON.parse(asked.stdout) as { audit: Record<string, unknown> | null };
  };
  await eventually("the audit after a restore has ended", async () => {
    return (await audit()).audit?.["outcome"] === "done";
  });
  expect((await audit()).audit).toMatchObject({ lost: 0, strays: 1, removed: 0 });
  expect((await audit("run", "--remove")).audit).toMatchObject({ strays: 1, removed: 0 });
  for (const key of objects) expect(fake.objects.has(key)).toBe(true);
  const adopted = await audit("run", "--adopt", "recovered");
  expect(adopted.audit).toMatchObject({ strays: 1, adopted: 1, lost: 0 });
  const { digest, size } = described(after);
  const blob = await fetch(`${zot.url}/v2/recovered/blobs/${digest}`);
  expect([blob.status, (await blob.bytes()).length]).toEqual([200, size]);
  // Somebody starts the server that was thought to be lost.
  expect(String(await reasonOf(old.serve()))).toContain("that were restored last");
}

test("metadata in SQLite", () => story(async () => undefined), limitMs);

describe.skipIf(!requirePostgres())("PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("metadata in PostgreSQL", () => story(() => server.place()), limitMs);
});
