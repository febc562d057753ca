// Several worker processes on one port: whatever one has acknowledged, every other one knows.
//
// Each request opens a connection of its own, so that the kernel spreads them over the workers; the test proves from
// the log that it did. Nothing here may depend on which worker answers.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Exchange } from "../../src/client/exchange.ts";
import { RegistryClient } from "../../src/client/registry_client.ts";
import { startZot, type Zot } from "../harness.ts";
import { eventually } from "../processes.ts";
import { config, descriptor, image, layer, pattern, referrer } from "./content.ts";

const workers = 3;
/** So many requests that all of three workers get some, but for once in a few hundred million runs. */
const requests = 50;

let zot: Zot;
let client: RegistryClient;
beforeAll(async () => {
  zot = await startZot({ config: { http: { workers } } });
  client = new RegistryClient({ url: zot.url });
});
afterAll(async () => {
  client.close();
  await zot[Symbol.asyncDispose]();
});

function send(
  method: string,
  target: string,
  options: { body?: Uint8Array; headers?: Record<string, string> } = {},
): Promise<Exchange> {
  const { body, headers = {} } = options;
  return client.exchange({
    method,
    url: target,
    login: "none",
    headers: Object.entries({ ...headers, connection: "close" }),
    ...(body === undefined ? {} : { body }),
  });
}

/** Fails when one of many same requests is not answered so. */
async function everywhere(status: number, method: string, target: string): Promise<void> {
  const answers = await Promise.all(Array.from({ length: requests }, () => send(method, target)));
  const others = answers.filter((answer) => answer.status !== status);
  const shown = others.map((answer) => `${answer.status} ${Buffer.from(answer.body).toString()}`);
  expect(shown, `${method} ${target} is not ${status} everywhere`).toEqual([]);
}

async function put(tag: string, of: { bytes: Uint8Array; mediaType: string }): Promise<number> {
  const headers = { "content-type": of.mediaType };
  return (await send("PUT", `/v2/shared/manifests/${tag}`, { body: of.bytes, headers })).status;
}

test("an upload goes on at whichever worker its requests reach", async () => {
  const blob = pattern(3_000_000);
  const opened = await send("POST", "/v2/shared/blobs/uploads/");
  const at = opened.headers.get("location") ?? "";
  for (let from = 0; from < blob.bytes.length; from += 150_000) {
    const part = blob.bytes.subarray(from, from + 150_000);
    const headers = { "content-range": `${from}-${from + part.length - 1}` };
    expect((await send("PATCH", at, { body: part, headers })).status).toBe(202);
    await everywhere(204, "GET", at);
  }
  expect((await send("PUT", `${at}?digest=${blob.sha512}`)).status).toBe(201);
  await everywhere(404, "GET", at);
  await everywhere(200, "HEAD", `/v2/shared/blobs/${blob.sha512}`);
});

test("a push, a move of a tag and a delete are known everywhere when they are acknowledged", async () => {
  for (const blob of [config, layer]) {
    const target = `/v2/shared/blobs/uploads/?digest=${blob.digest}`;
    await everywhere(404, "HEAD", `/v2/shared/blobs/${blob.digest}`);
    expect((await send("POST", target, { body: blob.bytes })).status).toBe(201);
    await everywhere(200, "HEAD", `/v2/shared/blobs/${blob.digest}`);
  }
  const latest = "/v2/shared/manifests/latest";
  await everywhere(404, "GET", latest);
  for (let version = 1; version <= 5; version += 1) {
    const manifest = image({ annotations: { version: `${version}` } });
    expect(await put("latest", manifest)).toBe(201);
    const answers = await Promise.all(Array.from({ length: requests }, () => send("GET", latest)));
    const digests = new Set(answers.map(({ headers }) => headers.get("docker-content-digest")));
    expect([...digests]).toEqual([manifest.digest]);
  }
  expect((await send("DELETE", latest)).status).toBe(202);
  await everywhere(404, "GET", latest);
});

test("lists are known everywhere when a push is acknowledged", async () => {
  const subject = image({ annotations: { subject: "yes" } });
  const path = `/v2/shared/referrers/${subject.digest}`;
  const counts = async (): Promise<number[]> => {
    const answers = await Promise.all(Array.from({ length: requests }, () => send("GET", path)));
    const found = answers.map(({ body }) => {
      const { manifests } = JSON.parse(Buffer.from(body).toString()) as { manifests: unknown[] };
      return manifests.length;
    });
    return [...new Set(found)];
  };
  expect(await counts()).toEqual([0]);
  for (let n = 1; n <= 4; n += 1) {
    const signature = referrer(subject, n, { subject: descriptor(subject, subject.mediaType) });
    expect(await put(`signature-${n}`, signature)).toBe(201);
    expect(await counts()).toEqual([n]);
  }
});

test("of pushes to one tag at all workers at once one stands, everywhere the same", async () => {
  const manifests = Array.from({ length: 24 }, (_, n) => image({ annotations: { n: `${n}` } }));
  const statuses = await Promise.all(manifests.map((manifest) => put("contested", manifest)));
  expect(new Set(statuses)).toEqual(new Set([201]));
  const answers = await Promise.all(
    Array.from({ length: requests }, () => send("HEAD", "/v2/shared/manifests/contested")),
  );
  const digests = [...new Set(answers.map(({ headers }) => headers.get("docker-content-digest")))];
  expect(digests).toHaveLength(1);
  expect(manifests.map(({ digest }) => digest)).toContain(digests[0] ?? "");
});

test("all workers have answered", async () => {
  await eventually("the log shows every worker", () => {
    const answered = new Set(
      zot
        .logs()
        .filter(({ msg }) => msg === "request")
        .map(({ worker }) => worker),
    );
    return answered.size === workers;
  });
});
