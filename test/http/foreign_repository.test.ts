// A repository that another tool makes while the server runs: the first request for anything in it waits until it is
// read, and is answered as if it had always been there. And what a first push leaves on disk.

import { expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { startZot, type Zot } from "../harness.ts";
import { bytesOf, image, named, type Image } from "../registry/world.ts";

/** Writes a layout as other tools do: index.json last. */
async function writeLayout(zot: Zot, repository: string, images: readonly [Image, string][]) {
  const directory = join(zot.rootDirectory, repository);
  for (const [{ blobs, bytes }] of images) {
    for (const blob of [...blobs, bytes]) {
      const hex = createHash("sha256").update(blob).digest("hex");
      await mkdir(join(directory, "blobs/sha256"), { recursive: true });
      await writeFile(join(directory, "blobs/sha256", hex), blob);
    }
  }
  await mkdir(dirname(directory), { recursive: true });
  await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const manifests = images.map(([{ descriptor }, tag]) => named(descriptor, tag));
  const index = bytesOf({ schemaVersion: 2, manifests });
  await writeFile(join(directory, "index.json"), index);
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const app = image(1);
const layerDigest = digestOf("sha256", app.blobs[1]!);

const signature = image(2, { subject: app.descriptor });

interface First {
  /** Below the repository; `{there}` stands for its name, where another one is asked. */
  path: string;
  method?: string;
  status: number;
  headers?: Record<string, string>;
  body?: string;
  /** What the answer lists. */
  lists?: object;
}

/** What may be asked first, and what is answered. */
const firsts: Readonly<Record<string, First>> = {
  "a manifest by tag": { path: "manifests/v1", status: 200 },
  "a manifest by digest": { path: `manifests/${app.digest}`, status: 200 },
  "a blob": { path: `blobs/${app.descriptor.digest}`, status: 404 },
  "the tags": { path: "tags/list", status: 200, lists: { tags: ["signed", "v1"] } },
  "what refers to a manifest": {
    path: `referrers/${app.digest}`,
    status: 200,
    lists: { manifests: [{ digest: signature.digest }] },
  },
  "a mount from it": {
    path: `/v2/other/{there}/blobs/uploads/?mount=${layerDigest}&from={there}`,
    method: "POST",
    status: 201,
  },
  "a push of a tag that must be new": {
    path: "manifests/v1",
    method: "PUT",
    status: 412,
    headers: { "if-none-match": "*", "content-type": app.descriptor.mediaType },
    body: text(app.bytes),
  },
  "a push that names what is there": {
    path: "manifests/v3",
    method: "PUT",
    status: 201,
    headers: { "content-type": app.descriptor.mediaType },
    body: text(app.bytes),
  },
  "a tag's removal": { path: "manifests/v1", method: "DELETE", status: 202 },
  "a tag that is not there": { path: "manifests/v2", status: 404 },
};

test("a repository that another tool makes is served by the first request for it", async () => {
  await using zot = await startZot({ config: { http: { workers: 2 } } });
  await zot.waitForLog("it is ready", ({ msg }) => msg === "listening");
  for (const [index, [what, first]] of Object.entries(firsts).entries()) {
    const { path, method = "GET", status, headers = {}, body = null, lists } = first;
    const there = `team/made${index}`;
    await writeLayout(zot, there, [
      [app, "v1"],
      [signature, "signed"],
    ]);
    const asked = path.startsWith("/") ? path.replaceAll("{there}", there) : `/v2/${there}/${path}`;
    // Several ask at once.
    const answers = await Promise.all(
      Array.from({ length: method === "GET" ? 4 : 1 }, () =>
        fetch(`${zot.url}${asked}`, {
          method,
          headers: { accept: app.descriptor.mediaType, ...headers },
          body,
        }),
      ),
    );
    expect({ what, got: answers.map((answer) => answer.status) }).toEqual({
      what,
      got: answers.map(() => status),
    });
    if (lists !== undefined) expect(await answers[0]!.json()).toMatchObject(lists);
  }
  expect(zot.logs().filter(({ level }) => level === "error")).toEqual([]);
});

test("a first push is answered when the repository is a layout that every tool reads", async () => {
  await using zot = await startZot();
  const blob = new TextEncoder().encode("a first blob");
  const digest = `sha256:${createHash("sha256").update(blob).digest("hex")}`;
  const target = `${zot.url}/v2/team/new/blobs/uploads/?digest=${digest}`;
  const pushed = await fetch(target, { method: "POST", body: blob });
  expect(pushed.status).toBe(201);
  const read = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(join(zot.rootDirectory, "team/new", name), "utf8"));
  expect(await read("index.json")).toMatchObject({ schemaVersion: 2, manifests: [] });
  expect(await read("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
  // And nothing waits for a repository of our own that is new.
  const missing = await fetch(`${zot.url}/v2/team/new/manifests/v1`);
  expect(missing.status).toBe(404);
  const lines = zot.logs().filter(({ msg }) => String(msg).includes("took in"));
  expect(lines).toEqual([]);
});
