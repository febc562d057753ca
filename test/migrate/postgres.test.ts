// `zot migrate` into a database of PostgreSQL with a bucket, on to another one, and back to one directory.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { run, tempDirectory } from "../harness.ts";
import { FakeS3 } from "../objects/fake_s3.ts";
import { driverOf } from "../objects/object_registry.ts";
import { requirePostgres, startPostgres, type Postgres } from "../postgres.ts";
import { fill, fillMore, migrate, program, serve, shown, writeConfig } from "./moved_registry.ts";

const testMs = 240_000;

describe.skipIf(!requirePostgres())("PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test(
    "from a directory to a database and a bucket, to another such place, and back: all is as it was",
    async () => {
      await using one = await FakeS3.start();
      await using other = await FakeS3.start();
      await using directory = await tempDirectory();
      const at = (name: string): string => join(directory.path, name);
      const inDatabase = async (name: string, store: FakeS3) => ({
        rootDirectory: at(name),
        storageDriver: driverOf(store),
        metadata: await server.place(),
        commit: false,
      });
      const storage = {
        old: { rootDirectory: at("old") },
        first: await inDatabase("first", one),
        second: await inDatabase("second", other),
        back: { rootDirectory: at("back") },
      };
      const config = (name: keyof typeof storage): Promise<string> =>
        writeConfig(directory.path, `${name}-config`, storage[name]);
      const [old, first, second, back] = [
        await config("old"),
        await config("first"),
        await config("second"),
        await config("back"),
      ];
      let before: object;
      let gone: string;
      {
        await using zot = await serve(storage.old);
        gone = await fill(zot);
        before = await shown(zot);
        expect(await zot.stop()).toBe(0);
      }
      expect(await migrate("--prepare", old, first)).toMatchObject({ code: 0, stderr: "" });
      const early = await run(program, ["serve", first]);
      expect(early.stderr + early.stdout).toContain("expected a registry that is whole");
      expect(await migrate(old, first)).toMatchObject({ code: 0, stderr: "" });
      {
        await using zot = await serve(storage.first);
        expect(await shown(zot)).toEqual(before);
        const undeleted = await run(program, ["undelete", `${zot.host}/team/app@${gone}`]);
        expect(undeleted).toMatchObject({ code: 0 });
        await fillMore(zot);
        before = await shown(zot);
        // Also a server elsewhere is in the way, which shares the database alone.
        const elsewhere = await writeConfig(directory.path, "elsewhere", {
          ...storage.first,
          rootDirectory: at("elsewhere"),
        });
        expect(await migrate("--prepare", elsewhere, second)).toMatchObject({ code: 0 });
        const served = await migrate(elsewhere, second);
        expect(served.code).toBe(1);
        expect(served.stderr).toContain("to be free, found it served; stop its servers");
        const into = await migrate(old, elsewhere);
        expect(into.code).toBe(1);
        expect(into.stderr).toContain("expected an empty registry that nobody serves");
        expect(await zot.stop()).toBe(0);
      }
      expect(await migrate(first, second)).toMatchObject({ code: 0, stderr: "" });
      expect(await migrate(second, back)).toMatchObject({ code: 0, stderr: "" });
      await using zot = await serve(storage.back);
      expect(await shown(zot)).toEqual(before);
    },
    testMs,
  );
});
