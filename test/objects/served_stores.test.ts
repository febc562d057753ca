// A server whose content lies in each store that can be started here: pushed, pulled, found again by the next process,
// and fetched from the store itself where clients are sent there.

import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { sample } from "../contracts/store_samples.ts";
import { startZot, type Zot } from "../harness.ts";
import { runDirectory } from "../temp.ts";
import { join } from "node:path";
import { mkdir } from "node:fs/promises";
import { hasAzurite, startAzurite } from "./azurite.ts";
import { hasGcsServer, startGcsServer } from "./gcs_server.ts";
import { hasVersitygw, startVersitygw } from "./versitygw.ts";

interface Place extends AsyncDisposable {
  readonly storageDriver: object;
  /** Of the store's certificate. */
  readonly caFile?: string;
}

interface Store {
  readonly isHere: () => boolean;
  readonly start: () => Promise<Place>;
}

const stores: Readonly<Record<string, Store>> = {
  "S3 (versitygw)": {
    isHere: hasVersitygw,
    async start() {
      const gateway = await startVersitygw();
      const { bucket, url: regionendpoint, accessKey: accesskey, secretKey: secretkey } = gateway;
      const keys = { accesskey, secretkey };
      const storageDriver = { name: "s3", bucket, regionendpoint, secure: false, ...keys };
      return { storageDriver, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
    },
  },
  "Google Cloud Storage (fake-gcs-server)": {
    isHere: hasGcsServer,
    async start() {
      const server = await startGcsServer();
      const { bucket, url: endpoint, keyFile: credentialsFile } = server;
      const storageDriver = { name: "gcs", bucket, endpoint, secure: false, credentialsFile };
      return { storageDriver, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
    },
  },
  "Azure (azurite)": {
    isHere: hasAzurite,
    async start() {
      const azurite = await startAzurite();
      const { account: accountname, key: accountkey, container, url, caFile } = azurite;
      const place = { accountname, container, serviceurl: url, cafile: caFile };
      const storageDriver = { name: "azure", accountkey, ...place };
      return { storageDriver, caFile, [Symbol.asyncDispose]: () => azurite[Symbol.asyncDispose]() };
    },
  },
};

const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
// Two parts and a rest.
const layer = sample(33_000_001);
const config = sample(1_000);
const manifest = new TextEncoder().encode(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...described(config) },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...described(layer) }],
  }),
);

function described(bytes: Uint8Array): { digest: string; size: number } {
  return { digest: digestOf(bytes), size: bytes.length };
}

async function push(zot: Zot): Promise<void> {
  for (const bytes of [layer, config]) {
    const url = `${zot.url}/v2/team/app/blobs/uploads/?digest=${digestOf(bytes)}`;
    expect((await fetch(url, { method: "POST", body: bytes })).status).toBe(201);
  }
  const put = await fetch(`${zot.url}/v2/team/app/manifests/1`, {
    method: "PUT",
    headers: { "Content-Type": "application/vnd.oci.image.manifest.v1+json" },
    body: manifest,
  });
  expect(put.status).toBe(201);
}

async function pull(zot: Zot): Promise<void> {
  const tag = await fetch(`${zot.url}/v2/team/app/manifests/1`);
  expect([tag.status, await tag.bytes()]).toEqual([200, manifest]);
  for (const bytes of [layer, config]) {
    const answer = await fetch(`${zot.url}/v2/team/app/blobs/${digestOf(bytes)}`);
    expect(answer.status).toBe(200);
    expect(digestOf(await answer.bytes())).toBe(digestOf(bytes));
  }
}

for (const [name, { isHere, start }] of Object.entries(stores)) {
  describe.skipIf(!isHere())(name, () => {
    let place: Promise<Place> | null = null;
    afterAll(async () => (await place)?.[Symbol.asyncDispose]());

    test("what is pushed is pulled, also from the next process, and from the store itself", async () => {
      place = start();
      const { storageDriver, caFile } = await place;
      const rootDirectory = join(await runDirectory(), crypto.randomUUID());
      await mkdir(rootDirectory);
      {
        await using zot = await startZot({ rootDirectory, config: { storage: { storageDriver } } });
        await push(zot);
        await pull(zot);
      }
      const storage = { storageDriver, redirectBlobURL: true };
      await using zot = await startZot({ rootDirectory, config: { storage } });
      const redirected = await fetch(`${zot.url}/v2/team/app/blobs/${digestOf(layer)}`, {
        redirect: "manual",
        headers: { Range: "bytes=0-9" },
      });
      expect(redirected.status).toBe(307);
      const tls = caFile === undefined ? {} : { ca: await Bun.file(caFile).text() };
      const location = redirected.headers.get("location") ?? "";
      const answer = await fetch(location, { tls, headers: { Range: "bytes=33000000-33000000" } });
      expect([answer.status, await answer.bytes()]).toEqual([206, layer.slice(33_000_000)]);
      const deleted = await fetch(`${zot.url}/v2/team/app/manifests/1`, { method: "DELETE" });
      expect(deleted.status).toBe(202);
    });
  });
}
