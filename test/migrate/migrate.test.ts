// `zot migrate` as people run it: configurations, servers and stores are real; what the new place shows is compared with
// what the old one showed.

import { expect, test } from "bun:test";
import { cp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { run, startService, tempDirectory } from "../harness.ts";
import { checkObjects } from "../objects/check_objects.ts";
import { FakeS3 } from "../objects/fake_s3.ts";
import { driverOf } from "../objects/object_registry.ts";
import { hasVersitygw, startVersitygw } from "../objects/versitygw.ts";
import { fill, fillMore, migrate, program, serve, shown, writeConfig } from "./moved_registry.ts";

const testMs = 240_000;

interface Report {
  readonly isMoved: boolean;
  readonly amounts: Readonly<Record<string, { contents: number; bytes: number }>>;
  readonly lost: readonly { readonly repository: string; readonly tags: readonly string[] }[];
}

function reportOf(stdout: string): Report {
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Report;
}

const contentsOf = ({ amounts }: Report): Record<string, number> =>
  Object.fromEntries(Object.entries(amounts).map(([how, { contents }]) => [how, contents]));

/** Names and sizes of all files below, but those that the kernel and SQLite touch when somebody reads. */
async function filesIn(directory: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const name of (await readdir(directory, { recursive: true })).toSorted()) {
    if (/metadata\.db-(shm|wal)$|lock$|lock\.probe$|^_zot$/.test(name)) continue;
    const { size, mtimeMs } = await stat(join(directory, name));
    found[name] = size + mtimeMs;
  }
  return found;
}

test(
  "from a directory to a bucket while it is served, and on to another directory: all is as it was",
  async () => {
    await using store = await FakeS3.start();
    await using directory = await tempDirectory();
    const at = (name: string): string => join(directory.path, name);
    const storage = {
      old: { rootDirectory: at("old") },
      bucket: { rootDirectory: at("bucket"), storageDriver: driverOf(store) },
      back: { rootDirectory: at("back") },
    };
    const old = await writeConfig(directory.path, "old-config", storage.old);
    const bucket = await writeConfig(directory.path, "bucket-config", storage.bucket);
    const back = await writeConfig(directory.path, "back-config", storage.back);
    let before: object;
    let gone: string;
    {
      await using zot = await serve(storage.old);
      gone = await fill(zot);

      const prepared = await migrate("--prepare", old, bucket);
      expect(prepared).toMatchObject({ code: 0, stderr: "" });
      expect(prepared.stdout).toContain(`zot migrate ${old} ${bucket}`);
      const served = await migrate(old, bucket);
      expect(served).toMatchObject({ code: 1, stdout: "" });
      expect(served.stderr).toContain("to be free, found it served by another zot");
      await fillMore(zot);
      before = await shown(zot);
      expect(await zot.stop()).toBe(0);
    }
    // What is half is not served.
    const early = await run(program, ["serve", bucket]);
    expect(early.code).toBe(1);
    expect(early.stderr + early.stdout).toContain("expected a registry that is whole");

    const files = await filesIn(at("old"));
    const moved = await migrate(old, bucket, "--format", "json");
    expect(moved).toMatchObject({ code: 0, stderr: "" });
    // The blob and the manifest of the later day; the rest went before.
    expect(contentsOf(reportOf(moved.stdout))).toEqual({ sent: 2, shared: 0, there: 9, lost: 0 });
    expect(await filesIn(at("old"))).toEqual(files);
    {
      await using zot = await serve(storage.bucket);
      expect(await shown(zot)).toEqual(before);
      const undeleted = await run(program, ["undelete", `${zot.host}/team/app@${gone}`]);
      expect(undeleted).toMatchObject({ code: 0 });
      const pulled = await fetch(`${zot.url}/v2/team/app/manifests/${gone}`);
      expect(pulled.status).toBe(200);
      expect(await zot.stop()).toBe(0);
      expect(checkObjects(at("bucket"), store)).toEqual([]);
    }
    const again = await migrate(bucket, back);
    expect(again).toMatchObject({ code: 0, stderr: "" });
    {
      await using zot = await serve(storage.back);
      expect(await shown(zot)).toEqual(before);
      await fillMore(zot);
      expect(await zot.stop()).toBe(0);
    }
    // Files are a layout again, and what repositories share is one file.
    const index = (await Bun.file(at("back/team/app/index.json")).json()) as {
      manifests: { annotations?: Record<string, string> }[];
    };
    const tags = index.manifests.flatMap(({ annotations }) => Object.values(annotations ?? {}));
    expect(tags.toSorted()).toEqual(["1", "2"]);
    const blobs = at("back/team/app/blobs/sha256");
    const links = await Promise.all(
      (await readdir(blobs)).map(async (name) => (await stat(join(blobs, name))).nlink),
    );
    expect(links).toContain(2);
  },
  testMs,
);

test.skipIf(!hasVersitygw())(
  "into a bucket of a strict store, and back",
  async () => {
    await using gateway = await startVersitygw();
    await using directory = await tempDirectory();
    const at = (name: string): string => join(directory.path, name);
    const {
      bucket: name,
      url: regionendpoint,
      accessKey: accesskey,
      secretKey: secretkey,
    } = gateway;
    const place = { name: "s3", bucket: name, regionendpoint, secure: false, accesskey, secretkey };
    const storage = {
      old: { rootDirectory: at("old") },
      bucket: { rootDirectory: at("bucket"), storageDriver: place },
      back: { rootDirectory: at("back") },
    };
    const old = await writeConfig(directory.path, "old-config", storage.old);
    const bucket = await writeConfig(directory.path, "bucket-config", storage.bucket);
    const back = await writeConfig(directory.path, "back-config", storage.back);
    let before: object;
    {
      await using zot = await serve(storage.old);
      await fill(zot);
      before = await shown(zot);
      expect(await zot.stop()).toBe(0);
    }
    expect(await migrate(old, bucket)).toMatchObject({ code: 0, stderr: "" });
    expect(await migrate(bucket, back)).toMatchObject({ code: 0, stderr: "" });
    await using zot = await serve(storage.back);
    expect(await shown(zot)).toEqual(before);
  },
  testMs,
);

test(
  "a run that was killed goes on: what is there is not sent again",
  async () => {
    await using store = await FakeS3.start();
    await using directory = await tempDirectory();
    const at = (name: string): string => join(directory.path, name);
    const storage = {
      old: { rootDirectory: at("old") },
      bucket: { rootDirectory: at("bucket"), storageDriver: driverOf(store) },
    };
    const old = await writeConfig(directory.path, "old-config", storage.old);
    const bucket = await writeConfig(directory.path, "bucket-config", storage.bucket);
    let before: object;
    {
      await using zot = await serve(storage.old);
      await fill(zot);
      await fillMore(zot);
      before = await shown(zot);
      expect(await zot.stop()).toBe(0);
    }
    // Killed while it waits for the third write of the store, the third of what is left, and the second.
    for (const number of [3, 3, 2]) {
      let begun = 0;
      const reached = Promise.withResolvers<void>();
      store.fault = ({ operation, key }) => {
        if (operation !== "put" && operation !== "part") return null;
        // Neither the try of the store nor its mark are bytes of content.
        if (key === "registry.json" || key.startsWith("probe/")) return null;
        begun += 1;
        if (begun < number) return null;
        reached.resolve();
        return { silent: true };
      };
      await using killed = startService([program, "migrate", old, bucket, "--parallel", "1"]);
      await Promise.race([reached.promise, killed.exited]);
      expect(killed.running()).toBe(true);
      process.kill(killed.pid, "SIGKILL");
      await killed.exited;
      store.fault = () => null;
      const early = await run(program, ["serve", bucket]);
      expect(early.stderr + early.stdout).toContain("run 'zot migrate' again");
    }
    const moved = await migrate(old, bucket, "--format", "json");
    expect(moved).toMatchObject({ code: 0, stderr: "" });
    const counts = contentsOf(reportOf(moved.stdout));
    expect(counts["there"]).toBeGreaterThan(4);
    expect(counts["lost"]).toBe(0);
    await using zot = await serve(storage.bucket);
    expect(await shown(zot)).toEqual(before);
    expect(await zot.stop()).toBe(0);
    expect(checkObjects(at("bucket"), store)).toEqual([]);
  },
  testMs,
);

test(
  "damaged and missing content is told by the tags that lead to it, and a push repairs it",
  async () => {
    await using directory = await tempDirectory();
    const at = (name: string): string => join(directory.path, name);
    const storage = { old: { rootDirectory: at("old") }, new: { rootDirectory: at("new") } };
    const old = await writeConfig(directory.path, "old-config", storage.old);
    const fresh = await writeConfig(directory.path, "new-config", storage.new);
    {
      await using zot = await serve(storage.old);
      await fill(zot);
      expect(await zot.stop()).toBe(0);
    }
    const blobs = at("old/team/app/blobs/sha256");
    const sizes = await Promise.all(
      (await readdir(blobs)).map(async (name) => ({
        name,
        size: (await stat(join(blobs, name))).size,
      })),
    );
    const largest = sizes.toSorted((one, other) => other.size - one.size)[0];
    await rm(join(blobs, largest?.name ?? ""));
    const moved = await migrate(old, fresh);
    expect(moved.code).toBe(3);
    expect(moved.stderr).toContain(
      `team/app@sha256:${largest?.name} is damaged or missing: tags 1\n`,
    );
    expect(moved.stdout).toContain("Moved. Start it:");
    await using zot = await serve(storage.new);
    const address = `${zot.url}/v2/team/app/blobs/sha256:${largest?.name}`;
    expect((await fetch(address, { method: "HEAD" })).status).toBe(404);
    expect((await fetch(`${zot.url}/v2/team/app/manifests/1`)).status).toBe(200);
    await fill(zot);
    expect((await fetch(address, { method: "HEAD" })).status).toBe(200);
  },
  testMs,
);

test(
  "what it will not do, in one line each; nothing is changed",
  async () => {
    await using directory = await tempDirectory();
    const at = (name: string): string => join(directory.path, name);
    const config = (name: string): Promise<string> =>
      writeConfig(directory.path, `${name}-config`, { rootDirectory: at(name) });
    const [old, full, empty, third] = [
      await config("old"),
      await config("full"),
      await config("empty"),
      await config("third"),
    ];
    for (const name of ["old", "full"]) {
      await using zot = await serve({ rootDirectory: at(name) });
      await fill(zot);
      expect(await zot.stop()).toBe(0);
    }
    await cp(at("full/team"), at("layouts/team"), { recursive: true });
    const layouts = await config("layouts");
    const before = await filesIn(at("full"));
    const rows: readonly (readonly [args: readonly string[], code: number, says: string])[] = [
      [[old, full], 1, `expected an empty registry to move into, found content in ${at("full")}`],
      [[old, layouts], 1, "expected an empty registry to move into"],
      [[old, old], 1, "expected another directory for the registry to move into"],
      [[empty, third], 1, `expected a registry in ${at("empty")}, found no metadata there`],
      [[old, at("none.json")], 1, "none.json"],
      [[old], 2, "to"],
      [[old, full, "--parallel", "0"], 2, "expected --parallel from 1 to 64, got '0'"],
    ];
    for (const [args, code, says] of rows) {
      const ran = await migrate(...args);
      expect({ args, code: ran.code, stdout: ran.stdout }).toEqual({ args, code, stdout: "" });
      expect(ran.stderr).toContain(says);
    }
    expect(await filesIn(at("full"))).toEqual(before);
    // One that is being filled from elsewhere.
    expect(await migrate("--prepare", old, third)).toMatchObject({ code: 0 });
    const half = await migrate("--prepare", third, empty);
    expect(half.code).toBe(1);
    expect(half.stderr).toContain(`found ${at("third")} being filled from ${at("old")}`);
    const other = await migrate("--prepare", full, third);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain(`found one that is being filled from ${at("old")}`);
    // Finished, it is a registry as any other.
    expect(await migrate(old, third)).toMatchObject({ code: 0 });
    expect((await migrate(old, third)).stderr).toContain("expected an empty registry to move into");
  },
  testMs,
);
