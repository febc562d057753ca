// The registry as a function inside another program: no port, no process, no signal. What a host can ask of it holds
// wherever its content lies.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RegistryClient } from "../src/client/registry_client.ts";
import {
  createRegistry,
  MemoryRoot,
  type Extension,
  type Registry,
  type RegistryOptions,
} from "../src/create_registry.ts";
import { manualClock, systemClock } from "../src/lib/clock.ts";
import type { BlobStore } from "../src/storage/blob_store.ts";
import type { Stores } from "../src/storage/stores.ts";
import { passwordOf, usersFile } from "./auth/world.ts";
import { eventually, tempDirectory } from "./harness.ts";

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

/** More than fits into the buffer of a socket. */
const largeBytes = 300_000;

/** One endpoint, whose large answer sets these cookies. */
function cookieExtension(cookies: readonly string[]): Extension {
  const row: ReturnType<NonNullable<Extension["endpoints"]>>[number] = {
    name: "cookies.get",
    spec: null,
    methods: ["GET"],
    path: "/cookies",
    needs: "none",
    body: "none",
    answers: [{ status: 200, says: "Many bytes, with cookies." }],
    errors: [],
    says: "Sets cookies.",
    run: async () => ({ status: 200, headers: {}, body: new Uint8Array(largeBytes), cookies }),
  };
  return {
    name: "cookies",
    endpoints: () => [row],
    openWorker: () => ({ endpoints: () => [row] }),
  };
}

type Options = Omit<RegistryOptions, "rootDirectory" | "memory" | "root">;

/** A registry and what goes with it at the end. */
interface Opened extends AsyncDisposable {
  readonly registry: Registry;
}

const places: readonly (readonly [name: string, open: (options?: Options) => Promise<Opened>])[] = [
  [
    "in a directory",
    async (options = {}) => {
      const directory = await tempDirectory();
      const rootDirectory = join(directory.path, "root");
      const registry = await createRegistry({ ...options, rootDirectory });
      return {
        registry,
        [Symbol.asyncDispose]: async () => {
          await registry.close();
          await directory[Symbol.asyncDispose]();
        },
      };
    },
  ],
  [
    "in memory",
    async (options = {}) => {
      const registry = await createRegistry({ ...options, memory: true });
      return { registry, [Symbol.asyncDispose]: () => registry.close() };
    },
  ],
];

describe.each(places)("a registry %s", (_, open) => {
  test("takes a push and gives it back", async () => {
    await using opened = await open();
    const { registry } = opened;
    await registry.ready;
    const layer = crypto.getRandomValues(new Uint8Array(60_000));
    const manifest = await push(registry, "team/app", layer);
    const pulled = await send(registry, "GET", "/v2/team/app/manifests/v1");
    expect(await pulled.text()).toBe(manifest);
    const blob = await send(registry, "GET", `/v2/team/app/blobs/${sha256(layer)}`);
    expect(sha256(await blob.bytes())).toBe(sha256(layer));
    expect((await send(registry, "GET", "/readyz")).status).toBe(200);
  });

  test("takes a body of unknown length as it comes, larger than what is kept in memory", async () => {
    await using opened = await open();
    const { registry } = opened;
    const piece = crypto.getRandomValues(new Uint8Array(60_000));
    const pieces = Array.from({ length: 20 }, () => piece);
    const whole = Buffer.concat(pieces);
    const started = await send(registry, "POST", "/v2/a/blobs/uploads/");
    let taken = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (to) => {
          if (taken === pieces.length) return to.close();
          taken += 1;
          to.enqueue(piece);
        },
      },
      { highWaterMark: 0 },
    );
    const location = started.headers.get("location") ?? "";
    const mark = location.includes("?") ? "&" : "?";
    const put = await send(registry, "PUT", `${location}${mark}digest=${sha256(whole)}`, { body });
    expect(put.status).toBe(201);
    expect(taken).toBe(pieces.length);
    const got = await send(registry, "GET", `/v2/a/blobs/${sha256(whole)}`);
    expect(sha256(await got.bytes())).toBe(sha256(whole));
  });

  test("answers a host's own server, and a client gets large content and parts of it", async () => {
    await using opened = await open();
    const { registry } = opened;
    const server: Bun.Server<undefined> = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, own) =>
        registry.fetch(request, { address: own.requestIP(request)?.address ?? null }),
    });
    const client = new RegistryClient({ url: server.url.origin });
    try {
      const layer = crypto.getRandomValues(new Uint8Array(60_000));
      const whole = Buffer.concat(Array.from({ length: 30 }, () => layer));
      const target = `/v2/a/blobs/uploads/?digest=${sha256(whole)}`;
      const pushed = await client.exchange({ method: "POST", url: target, body: whole });
      expect(pushed.status).toBe(201);
      const url = `/v2/a/blobs/${sha256(whole)}`;
      const pulled = await client.exchange({ method: "GET", url });
      expect(sha256(pulled.body)).toBe(sha256(whole));
      const headers: [string, string][] = [["range", "bytes=1000-700999"]];
      const part = await client.exchange({ method: "GET", url, headers });
      expect(part.status).toBe(206);
      expect(sha256(part.body)).toBe(sha256(whole.subarray(1000, 701_000)));
      const head = await client.exchange({ method: "HEAD", url });
      expect(head.status).toBe(200);
    } finally {
      client.close();
      await server.stop(true);
    }
  });

  // A large answer that nobody reads to its end neither keeps memory nor is told twice.
  test("tells of each answer once, however much of it is read", async () => {
    const lines: string[] = [];
    await using opened = await open({ log: (line) => lines.push(line) });
    const { registry } = opened;
    const whole = new Uint8Array(1024 * 1024);
    const target = `/v2/a/blobs/uploads/?digest=${sha256(whole)}`;
    expect((await send(registry, "POST", target, { body: whole })).status).toBe(201);
    const path = `/v2/a/blobs/${sha256(whole)}`;
    const times = 200;
    for (let count = 0; count < times; count += 1) {
      const answer = await send(registry, "GET", path);
      expect(answer.status).toBe(200);
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
      if (count % 2 === 0) await reader.read();
      await reader.cancel();
    }
    const whole200 = await send(registry, "GET", path);
    expect((await whole200.bytes()).length).toBe(whole.length);
    const told = lines.filter((line) => line.includes(`"path":"${path}"`));
    expect(told.length).toBe(times + 1);
    expect(new Set(told.map((line) => (JSON.parse(line) as { id: string }).id)).size).toBe(
      times + 1,
    );
  });

  test("knows its callers, gives them tokens of its own, and logs what it is told to", async () => {
    await using directory = await tempDirectory();
    const path = join(directory.path, "users");
    await Bun.write(path, await usersFile(["alice"]));
    const lines: string[] = [];
    await using opened = await open({
      config: { http: { externalUrl: base, auth: { htpasswd: { path } } } },
      log: (line) => lines.push(line),
    });
    const { registry } = opened;
    const asked = await send(registry, "GET", "/v2/");
    expect(asked.status).toBe(401);
    expect(asked.headers.get("www-authenticate")).toContain("Bearer");
    const authorization = `Basic ${btoa(`alice:${passwordOf("alice")}`)}`;
    const known = await send(registry, "GET", "/v2/", { headers: { authorization } });
    expect(known.status).toBe(200);
    const granted = await send(registry, "GET", "/zot/auth/token?service=registry.example", {
      headers: { authorization },
    });
    const { token } = (await granted.json()) as { token: string };
    const bearer = { authorization: `Bearer ${token}` };
    expect((await send(registry, "GET", "/v2/", { headers: bearer })).status).toBe(200);
    expect(lines.some((line) => line.includes('"path":"/v2/"'))).toBe(true);
  });

  test("limits rates and shows metrics", async () => {
    await using opened = await open({
      // No time passes, so that no request is allowed anew.
      clock: manualClock(Date.now()),
      config: {
        http: { ratelimit: { methods: [{ method: "DELETE", rate: 1 }] } },
        extensions: { metrics: { enable: true } },
      },
    });
    const { registry } = opened;
    const statuses: number[] = [];
    for (let count = 0; count < 5; count += 1) {
      const tried = await send(registry, "DELETE", "/v2/a/manifests/v1", {});
      statuses.push(tried.status);
    }
    expect(statuses).toContain(429);
    const page = await (await send(registry, "GET", "/metrics")).text();
    expect(page).toContain('zot_http_requests_total{method="DELETE"');
    expect(page).toContain("zot_uploads_open 0");
  });

  test("sends each cookie in a header of its own, also with a large answer, which is told of once", async () => {
    const lines: string[] = [];
    const extension = cookieExtension(["session=1; Path=/; HttpOnly", "user=ann, of Oslo; Path=/"]);
    await using opened = await open({ extensions: [extension], log: (line) => lines.push(line) });
    const answer = await send(opened.registry, "GET", "/cookies");
    expect(answer.headers.getSetCookie()).toEqual([
      "session=1; Path=/; HttpOnly",
      "user=ann, of Oslo; Path=/",
    ]);
    expect((await answer.bytes()).length).toBe(largeBytes);
    expect(lines.filter((line) => line.includes('"path":"/cookies"')).length).toBe(1);
  });

  test("goes by the clock that it is given", async () => {
    const clock = manualClock(Date.UTC(2001, 0, 1));
    const lines: string[] = [];
    await using opened = await open({ clock, log: (line) => lines.push(line) });
    await push(opened.registry, "a", new Uint8Array(60_000));
    const answered = lines.map((line) => JSON.parse(line) as { readonly durationMs?: number });
    expect(answered.filter(({ durationMs }) => durationMs === 0).length).toBeGreaterThan(5);
    expect(answered.filter(({ durationMs = 0 }) => durationMs > 0)).toEqual([]);
  });

  test("several in one process do not meet: content, memory and the end of one are its own", async () => {
    await using first = await open();
    await using second = await open();
    await push(first.registry, "a", new Uint8Array(10));
    expect((await send(second.registry, "GET", "/v2/a/manifests/v1")).status).toBe(404);
    await first.registry.close();
    await push(second.registry, "a", new Uint8Array(20));
    expect((await send(second.registry, "GET", "/v2/a/manifests/v1")).status).toBe(200);
  });

  test("never rejects: not after its end, not for a body that was read before", async () => {
    await using opened = await open();
    const { registry } = opened;
    const read = new Request(`${base}/v2/a/manifests/v1`, { method: "PUT", body: "{}" });
    await read.text();
    expect((await registry.fetch(read)).status).toBeGreaterThanOrEqual(400);
    await registry.close();
    await registry.close();
    const late = await send(registry, "GET", "/v2/");
    expect(late.status).toBe(503);
    expect(await late.text()).toContain("UNAVAILABLE");
  });

  test("ends after the requests that came before, and they are answered", async () => {
    await using opened = await open();
    const { registry } = opened;
    const bytes = new Uint8Array(60_000);
    let finish = (): void => {};
    const body = new ReadableStream<Uint8Array>({
      start: (to) => {
        to.enqueue(bytes);
        finish = () => to.close();
      },
    });
    const target = `/v2/a/blobs/uploads/?digest=${sha256(bytes)}`;
    const pushing = send(registry, "POST", target, { body });
    const closing = registry.close();
    finish();
    expect((await pushing).status).toBe(201);
    await closing;
  });
});

describe("a registry in a directory", () => {
  test("leaves a layout when it is closed, and the next one serves it", async () => {
    await using directory = await tempDirectory();
    const rootDirectory = directory.path;
    const registry = await createRegistry({ rootDirectory });
    const manifest = await push(registry, "team/app", new Uint8Array(60_000));
    await registry.close();
    const index = await readFile(join(directory.path, "team/app/index.json"), "utf8");
    expect(index).toContain(sha256(manifest));
    await using next = await createRegistry({ rootDirectory });
    const pulled = await send(next, "GET", "/v2/team/app/manifests/v1");
    expect(await pulled.text()).toBe(manifest);
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

describe("a registry in memory", () => {
  test("has as much room as it is given, and deletes make some", async () => {
    await using registry = await createRegistry({ memory: { bytesMax: 100_000 } });
    const blob = (fill: number) => new Uint8Array(60_000).fill(fill);
    const upload = (bytes: Uint8Array) =>
      send(registry, "POST", `/v2/a/blobs/uploads/?digest=${sha256(bytes)}`, { body: bytes });
    expect((await upload(blob(1))).status).toBe(201);
    const full = await upload(blob(2));
    expect(full.status).toBe(507);
    expect((await send(registry, "GET", `/v2/a/blobs/${sha256(blob(1))}`)).status).toBe(200);
    const removed = await send(registry, "DELETE", `/v2/a/blobs/${sha256(blob(1))}`);
    expect(removed.status).toBe(202);
    await eventually("its bytes are gone", async () => (await upload(blob(2))).status === 201);
  });

  test("is asked for alone, and has no options of a directory", async () => {
    const asked: readonly (readonly [object, string])[] = [
      [{}, "Expected one of rootDirectory, memory and root"],
      [{ rootDirectory: "/tmp/x", memory: true }, "Expected one of rootDirectory, memory and root"],
      [{ memory: false }, "Expected one of rootDirectory, memory and root"],
      [{ memory: { bytesMax: -1 } }, "memory.bytesMax: expected a number of bytes, got -1"],
      [{ memory: true, config: { http: { prot: 1 } } }, "http.prot"],
      [{ memory: true, config: { storage: { rootDirectory: "/tmp/x" } } }, "storage.rootDirectory"],
      [{ memory: true, config: { storage: { shared: true } } }, "storage.shared"],
      [
        { memory: true, config: { storage: { subPaths: { "/a": { rootDirectory: "/tmp/x" } } } } },
        "storage.subPaths",
      ],
    ];
    for (const [options, says] of asked) {
      expect(await outcomeOf(createRegistry(options as RegistryOptions))).toContain(says);
    }
  });
});

/** Content in memory, of which clients are sent elsewhere for large blobs, as a program with a store of its own may. */
class RedirectingRoot extends MemoryRoot {
  released = 0;

  override claim(): { release(): void } {
    return { release: () => void (this.released += 1) };
  }

  override openBytes(): Stores {
    const stores = super.openBytes();
    const blobs = new Proxy(stores.blobs, {
      get: (target, member: keyof BlobStore) => {
        if (member === "open") return redirect;
        const found: unknown = target[member];
        return typeof found === "function" ? (found.bind(target) as unknown) : found;
      },
    });
    return { ...stores, blobs };
  }
}

const redirect: BlobStore["open"] = async (repository, digest) => ({
  kind: "redirect",
  location: `https://content.example/${repository}/${digest}`,
});

describe("a registry on stores that the program passes in", () => {
  test("keeps content there, sends clients where they say, and lets go of them once", async () => {
    const root = new RedirectingRoot({ clock: systemClock });
    const layer = new Uint8Array(largeBytes).fill(7);
    const registry = await createRegistry({ root });
    const manifest = await push(registry, "team/app", layer);
    const pulled = await send(registry, "GET", "/v2/team/app/manifests/v1");
    expect(await pulled.text()).toBe(manifest);
    const digest = sha256(layer);
    const sent = await send(registry, "GET", `/v2/team/app/blobs/${digest}`);
    expect([sent.status, sent.headers.get("location")]).toEqual([
      307,
      `https://content.example/team/app/${digest}`,
    ]);
    expect(root.released).toBe(0);
    await registry.close();
    expect(root.released).toBe(1);
  });

  test("are asked for alone, and have no options of a directory", async () => {
    const root = new RedirectingRoot({ clock: systemClock });
    const both = { root, memory: true } as unknown as RegistryOptions;
    expect(await outcomeOf(createRegistry(both))).toContain("Expected one of");
    const config = { storage: { rootDirectory: "/tmp/x" } };
    expect(await outcomeOf(createRegistry({ root, config }))).toContain("storage.rootDirectory");
  });
});
