// Collection by a running server: what nothing names goes while it serves, the rest stays, a changed file counts.

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { eventually, startZot, type Zot } from "./harness.ts";
import { config, content, image, index, layer, type ManifestContent } from "./http/content.ts";
import { parsePage, valueOf } from "./metrics_text.ts";
import { change } from "./reloading.ts";

const at = "team/app";

async function statusOf(zot: Zot, method: string, path: string): Promise<number> {
  const answer = await fetch(`${zot.url}${path}`, { method });
  await answer.arrayBuffer();
  return answer.status;
}

async function pushBlob(zot: Zot, bytes: Uint8Array, digest: string): Promise<void> {
  const url = `${zot.url}/v2/${at}/blobs/uploads/?digest=${digest}`;
  const answer = await fetch(url, { method: "POST", body: Buffer.from(bytes) });
  expect(answer.status).toBe(201);
}

async function putManifest(zot: Zot, pushed: ManifestContent, reference: string): Promise<void> {
  const answer = await fetch(`${zot.url}/v2/${at}/manifests/${reference}`, {
    method: "PUT",
    headers: { "content-type": pushed.mediaType },
    body: Buffer.from(pushed.bytes),
  });
  expect(answer.status).toBe(201);
}

const metric = async (zot: Zot, name: string, labels = {}): Promise<number> => {
  const page = parsePage(await (await fetch(`${zot.url}/metrics`)).text());
  return valueOf(page, name, labels) ?? 0;
};

test("what lost its last name goes with its bytes and its repository; what has one stays", async () => {
  await using zot = await startZot({
    config: {
      extensions: { metrics: {} },
      http: { workers: 1 },
      storage: { gc: false, gcDelay: "1ms", gcInterval: "1s", undo: { window: "0s" } },
    },
  });
  const kept = image();
  const child = image({ annotations: { is: "a child" } });
  const all = index([child]);
  const lone = content("nobody names it");
  for (const blob of [config, layer, lone]) await pushBlob(zot, blob.bytes, blob.digest);
  await putManifest(zot, kept, "v1");
  await putManifest(zot, child, child.digest);
  await putManifest(zot, all, "all");
  expect(await statusOf(zot, "DELETE", `/v2/${at}/manifests/all`)).toBe(202);
  await change(zot, {
    extensions: { metrics: {} },
    http: { workers: 1 },
    storage: { gcDelay: "1ms", gcInterval: "1s", undo: { window: "0s" } },
  });
  const gone = [`manifests/${all.digest}`, `manifests/${child.digest}`, `blobs/${lone.digest}`];
  for (const path of gone) {
    await eventually(`${path} is collected`, async () => {
      return (await statusOf(zot, "GET", `/v2/${at}/${path}`)) === 404;
    });
  }
  expect(await statusOf(zot, "GET", `/v2/${at}/manifests/v1`)).toBe(200);
  expect(await statusOf(zot, "GET", `/v2/${at}/blobs/${layer.digest}`)).toBe(200);
  const file = join(zot.rootDirectory, at, "blobs/sha256", lone.digest.slice("sha256:".length));
  await eventually("its bytes are gone", () => !existsSync(file));
  for (const [type, count] of [
    ["manifest", 2],
    ["blob", 1],
  ] as const) {
    await eventually(`each ${type} is counted`, async () => {
      return (await metric(zot, "zot_gc_deleted_total", { type })) === count;
    });
  }
  expect(await metric(zot, "zot_gc_runs_total", { error: "true" })).toBe(0);
  for (const said of ["removed untagged manifest", `gc successfully completed for ${at}`]) {
    await zot.waitForLog(said, ({ msg }) => msg === said);
  }

  expect(await statusOf(zot, "DELETE", `/v2/${at}/manifests/v1`)).toBe(202);
  await eventually("the repository is gone", () => !existsSync(join(zot.rootDirectory, "team")));
  const catalog = await (await fetch(`${zot.url}/v2/_catalog`)).json();
  expect(catalog).toEqual({ repositories: [] });
  // Its directory goes a moment before its name.
  await eventually("its name is gone", async () => {
    return (await statusOf(zot, "GET", `/v2/${at}/tags/list`)) === 404;
  });
});

test("a HEAD by somebody who may push starts the delay of what has waited anew; a GET does not", async () => {
  // A tenth of the delay counts as a wait.
  const waitedMs = 3_000;
  const storage = { gcDelay: "30s" };
  await using zot = await startZot({ config: { http: { workers: 1 }, storage } });
  const since = (): number => {
    const database = new Database(join(zot.rootDirectory, "_zot/metadata.db"), { readonly: true });
    const row = database.query<{ since: number }, []>("SELECT since FROM candidates").get();
    database.close();
    return row?.since ?? 0;
  };
  await pushBlob(zot, layer.bytes, layer.digest);
  const before = since();
  await eventually("it has waited", () => Date.now() > before + waitedMs);
  expect(await statusOf(zot, "GET", `/v2/${at}/blobs/${layer.digest}`)).toBe(200);
  expect(since()).toBe(before);
  expect(await statusOf(zot, "HEAD", `/v2/${at}/blobs/${layer.digest}`)).toBe(200);
  expect(since()).toBeGreaterThan(before);
});
