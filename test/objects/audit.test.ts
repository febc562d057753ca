// Audits of a bucket that a server serves: an object that is gone is told by its tag, one that nothing knows stays until
// somebody says what becomes of it.

import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { mkdir } from "node:fs/promises";
import { sample } from "../contracts/store_samples.ts";
import { run, startZot, testedProgram, type Zot } from "../harness.ts";
import { runDirectory } from "../temp.ts";
import { openS3Store } from "./open_store.ts";
import { described, pushSmallImage } from "./small_push.ts";
import { hasVersitygw, startVersitygw, type Gateway } from "./versitygw.ts";

const program = await testedProgram();
const layer = sample(300_000, 5);

describe.skipIf(!hasVersitygw())("versitygw", () => {
  let gateway: Promise<Gateway> | null = null;
  afterAll(async () => (await gateway)?.[Symbol.asyncDispose]());

  async function open(rootdirectory: string) {
    gateway ??= startVersitygw();
    const { bucket, url: regionendpoint, accessKey, secretKey } = await gateway;
    const keys = { accesskey: accessKey, secretkey: secretKey };
    const driver = { bucket, regionendpoint, rootdirectory, ...keys };
    const rootDirectory = join(await runDirectory(), crypto.randomUUID());
    await mkdir(rootDirectory);
    const storageDriver = { name: "s3", secure: false, ...driver };
    const { store } = openS3Store(driver);
    const serve = (): Promise<Zot> =>
      startZot({ rootDirectory, config: { storage: { storageDriver } } });
    return { store, serve };
  }

  const audit = (zot: Zot, ...given: string[]) =>
    run(program, ["audit", ...given, "--server", zot.url, "--format", "json"]);

  test("an object that is gone is told by its tag, and a push repairs it", async () => {
    const { store, serve } = await open("/lost");
    await using zot = await serve();
    await pushSmallImage(zot, "team/app", "1.0", layer);
    const { objects } = await store.list("objects/", null);
    const lost = objects.find(({ sizeBytes }) => sizeBytes === layer.length);
    await store.remove(lost?.key ?? "");
    const told = await audit(zot, "run");
    expect(told.code).toBe(3);
    const found = JSON.parse(told.stdout) as { audit: object };
    expect(found.audit).toMatchObject({ outcome: "done", lost: 1, marked: 1, strays: 0 });
    expect(JSON.stringify(zot.logs())).toContain('"tags":["1.0"]');
    const { digest } = described(layer);
    const head = await fetch(`${zot.url}/v2/team/app/blobs/${digest}`, { method: "HEAD" });
    expect(head.status).toBe(404);
    await pushSmallImage(zot, "team/app", "1.0", layer);
    const pulled = await fetch(`${zot.url}/v2/team/app/blobs/${digest}`);
    expect([pulled.status, (await pulled.bytes()).length]).toEqual([200, layer.length]);
    expect((await audit(zot, "run")).code).toBe(0);
    const shown = await run(program, ["audit", "--server", zot.url]);
    expect(shown.stdout).toContain("lost        0");
  });

  test("an object that nothing knows and that is young is left alone", async () => {
    const { store, serve } = await open("/young");
    await using zot = await serve();
    await pushSmallImage(zot, "team/app", "1.0", layer);
    const key = "objects/ab/abababababababababababababababab";
    await store.put(key, layer);
    const told = await audit(zot, "run", "--remove");
    expect(told.code).toBe(0);
    expect(JSON.parse(told.stdout)).toMatchObject({ audit: { strays: 0, removed: 0 } });
    expect(await store.size(key)).toBe(layer.length);
  });
});
