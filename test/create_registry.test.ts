// The registry as a function inside another program: no port, no process, no signal.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createRegistry, type Registry } from "../src/create_registry.ts";
import { manualClock } from "../src/lib/clock.ts";
import { passwordOf, usersFile } from "./auth/world.ts";
import { tempDirectory } from "./harness.ts";

const base = "http://registry.example";
const sha256 = (bytes: Uint8Array | string): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

function send(registry: Registry, method: string, path: string, init: RequestInit = {}) {
  return registry.fetch(new Request(`${base}${path}`, { method, ...init }));
}

/** Pushes an image of one layer as a client does; gives its manifest. */
async function push(registry: Registry, repository: string, layer: Uint8Array): Promise<string> {
  const config = new TextEncoder().encode("{}");
  for (const blob of [config, layer]) {
    const started = await send(registry, "POST", `/v2/${repository}/blobs/uploads/`);
    expect(started.status).toBe(202);
    const location = started.headers.get("location") ?? "";
    const appended = await send(registry, "PATCH", location, { body: blob });
    expect(appended.status).toBe(202);
    const next = appended.headers.get("location") ?? "";
    const mark = next.includes("?") ? "&" : "?";
    const finished = await send(registry, "PUT", `${next}${mark}digest=${sha256(blob)}`);
    expect(finished.status).toBe(201);
  }
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: sha256(config),
      size: config.length,
    },
    layers: [
      {
        mediaType: "application/vnd.oci.image.layer.v1.tar",
        digest: sha256(layer),
        size: layer.length,
      },
    ],
  });
  const put = await send(registry, "PUT", `/v2/${repository}/manifests/v1`, {
    body: manifest,
    headers: { "content-type": mediaType },
  });
  expect(put.status).toBe(201);
  return manifest;
}

/** Why a registry was not opened. */
function outcomeOf(opening: Promise<Registry>): Promise<string> {
  return opening.then(
    () => "opened",
    (error: unknown) => String(error),
  );
}

describe("a registry in this process", () => {
  test("takes a push and gives it back, and leaves a layout when it is closed", async () => {
    await using directory = await tempDirectory();
    const registry = await createRegistry({ rootDirectory: directory.path });
    const layer = crypto.getRandomValues(new Uint8Array(300_000).subarray(0, 60_000));
    const manifest = await push(registry, "team/app", layer);
    const pulled = await send(registry, "GET", "/v2/team/app/manifests/v1");
    expect(await pulled.text()).toBe(manifest);
    const blob = await send(registry, "GET", `/v2/team/app/blobs/${sha256(layer)}`);
    expect(sha256(await blob.bytes())).toBe(sha256(layer));
    await registry.close();
    const index = await readFile(join(directory.path, "team/app/index.json"), "utf8");
    expect(index).toContain(sha256(manifest));
  });

  test("takes a body of unknown length, larger than what is kept in memory", async () => {
    await using directory = await tempDirectory();
    const registry = await createRegistry({ rootDirectory: directory.path });
    const piece = crypto.getRandomValues(new Uint8Array(60_000));
    const pieces = Array.from({ length: 20 }, () => piece);
    const whole = Buffer.concat(pieces);
    const started = await send(registry, "POST", "/v2/a/blobs/uploads/");
    const body = new ReadableStream<Uint8Array>({
      start: (to) => {
        for (const each of pieces) to.enqueue(each);
        to.close();
      },
    });
    const location = started.headers.get("location") ?? "";
    const mark = location.includes("?") ? "&" : "?";
    const put = await send(registry, "PUT", `${location}${mark}digest=${sha256(whole)}`, { body });
    expect(put.status).toBe(201);
    const got = await send(registry, "GET", `/v2/a/blobs/${sha256(whole)}`);
    expect(sha256(await got.bytes())).toBe(sha256(whole));
    await registry.close();
  });

  test("knows its callers, and logs what it is told to", async () => {
    await using directory = await tempDirectory();
    const path = join(directory.path, "users");
    await Bun.write(path, await usersFile(["alice"]));
    const lines: string[] = [];
    const registry = await createRegistry({
      rootDirectory: join(directory.path, "root"),
      config: { http: { externalUrl: base, auth: { htpasswd: { path } } } },
      log: (line) => lines.push(line),
    });
    expect((await send(registry, "GET", "/v2/")).status).toBe(401);
    const authorization = `Basic ${btoa(`alice:${passwordOf("alice")}`)}`;
    const known = await send(registry, "GET", "/v2/", { headers: { authorization } });
    expect(known.status).toBe(200);
    expect(lines.some((line) => line.includes('"path":"/v2/"'))).toBe(true);
    await registry.close();
  });

  test("goes by the clock that it is given", async () => {
    await using directory = await tempDirectory();
    const clock = manualClock(Date.UTC(2001, 0, 1));
    const lines: string[] = [];
    const registry = await createRegistry({
      rootDirectory: directory.path,
      clock,
      log: (line) => lines.push(line),
    });
    await push(registry, "a", new Uint8Array(60_000));
    await registry.close();
    const answered = lines.map((line) => JSON.parse(line) as { readonly durationMs?: number });
    expect(answered.filter(({ durationMs }) => durationMs === 0).length).toBeGreaterThan(5);
    expect(answered.filter(({ durationMs = 0 }) => durationMs > 0)).toEqual([]);
  });

  test("refuses a configuration with the lines that a file would get, and a root that is served", async () => {
    await using directory = await tempDirectory();
    const config = { http: { prot: 1 } };
    const refused = createRegistry({ rootDirectory: directory.path, config });
    expect(await outcomeOf(refused)).toContain("http.prot");
    const registry = await createRegistry({ rootDirectory: directory.path });
    const second = createRegistry({ rootDirectory: directory.path });
    expect(await outcomeOf(second)).toContain("storage.rootDirectory");
    await registry.close();
    const third = await createRegistry({ rootDirectory: directory.path });
    await third.close();
  });
});

test("several in one process do not meet: content, callers, memory and the end of one are its own", async () => {
  await using first = await tempDirectory();
  await using second = await tempDirectory();
  const one = await createRegistry({ rootDirectory: first.path });
  const two = await createRegistry({ rootDirectory: second.path });
  await push(one, "a", new Uint8Array(10));
  expect((await send(two, "GET", "/v2/a/manifests/v1")).status).toBe(404);
  await one.close();
  await push(two, "a", new Uint8Array(20));
  expect((await send(two, "GET", "/v2/a/manifests/v1")).status).toBe(200);
  await two.close();
});
