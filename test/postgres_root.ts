// Suites of whole servers over PostgreSQL and a store of objects: `ZOT_TEST_POSTGRES=postgres://…` names a database, in
// which each server of `http/world.ts` has a schema of its own, with a fake store beside it.

import { SQL } from "bun";
import { FakeS3 } from "./objects/fake_s3.ts";

export interface ChosenStorage extends AsyncDisposable {
  readonly storage: object;
}

/** Nothing beyond what `given` says, unless the environment chooses. */
export async function chosenStorage(given: object): Promise<ChosenStorage> {
  const url = process.env["ZOT_TEST_POSTGRES"];
  if (url === undefined || "storageDriver" in given || "subPaths" in given || "shared" in given) {
    return { storage: {}, [Symbol.asyncDispose]: async () => undefined };
  }
  const schema = `world_${crypto.randomUUID().replaceAll("-", "")}`;
  await runSql(url, `CREATE SCHEMA ${schema}`);
  const fake = await FakeS3.start();
  const keys = { accesskey: "fake", secretkey: "x" };
  const place = { bucket: "bucket", regionendpoint: fake.url, secure: false };
  const storageDriver = { name: "s3", ...place, ...keys };
  return {
    storage: { storageDriver, metadata: { url, schema }, commit: false },
    [Symbol.asyncDispose]: async () => {
      await fake[Symbol.asyncDispose]();
      await runSql(url, `DROP SCHEMA ${schema} CASCADE`);
    },
  };
}

async function runSql(url: string, text: string): Promise<void> {
  const client = new SQL({ url: `${url}?sslmode=disable`, max: 1 });
  await client.unsafe(text);
  await client.close({ timeout: 0 });
}
