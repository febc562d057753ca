// What a registry may do when it is mirrored, and what we make of it: the rows of the study that concern one upstream.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { KiB, MiB } from "../../src/lib/bytes.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import {
  type RegistryUpstream,
  upstreamLimits,
} from "../../src/extensions/sync/upstream/registry_upstream.ts";
import { bytesOf, kindOf, openUpstream, type OpenOptions, troubleOf } from "./open_upstream.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

let registry: ScriptedUpstream;
let other: ScriptedUpstream;
const opened: RegistryUpstream[] = [];

beforeAll(async () => {
  registry = await ScriptedUpstream.start();
  other = await ScriptedUpstream.start();
});
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  for (const each of [registry, other]) {
    each.reset();
    each.requests.length = 0;
  }
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

function open(options: Partial<OpenOptions> = {}): RegistryUpstream {
  const upstream = openUpstream({ url: registry.url, ...options });
  opened.push(upstream);
  return upstream;
}

async function blobOf(upstream: RegistryUpstream, name: string, digest: string): Promise<Buffer> {
  const blob = await upstream.getBlob(name, digest);
  if (blob === null) throw new Error("absent");
  return bytesOf(blob.body);
}

describe("manifests", () => {
  test("by tag and by digest, byte for byte, and 404 is null", async () => {
    const image = registry.content.addImage("a/b", "1");
    const upstream = open();
    expect(await upstream.headManifest("a/b", "1")).toEqual({
      digest: image.digest,
      mediaType: mediaTypes.ociImage,
      sizeBytes: image.bytes.length,
    });
    for (const reference of ["1", image.digest]) {
      expect(await upstream.getManifest("a/b", reference)).toEqual({
        digest: image.digest,
        mediaType: mediaTypes.ociImage,
        bytes: Buffer.from(image.bytes),
      });
    }
    expect(await upstream.getManifest("a/b", "1", { ifNoneMatch: image.digest })).toBe("unchanged");
    expect(await upstream.headManifest("a/b", "none")).toBeNull();
    expect(await upstream.getManifest("none", "1")).toBeNull();
  });

  test("what is sent along: six types in lines of their own, identity, our name, how many mirrors", async () => {
    registry.content.addImage("a", "1");
    await open().withHops(2).getManifest("a", "1");
    const [request] = registry.requests;
    const accept = request?.lines.filter(([name]) => name === "Accept") ?? [];
    expect(accept).toHaveLength(6);
    expect(new Set(accept.map(([, value]) => value)).size).toBe(6);
    const sent = ["accept-encoding", "user-agent", "via", "x-zot-mirror-hops"];
    expect(sent.map((name) => request?.headers.get(name))).toEqual([
      "identity",
      "zot/test",
      "1.1 zot",
      "3",
    ]);
    expect(await kindOf(open().withHops(4).headManifest("a", "1"))).toBe("loop");
    expect(registry.requests).toHaveLength(1);
  });

  test.each([405, 501])("row 12: HEAD answers %d: it is remembered, GET tells", async (status) => {
    const { digest } = registry.content.addImage("a", "1");
    registry.on("HEAD", /manifests/, { status });
    const upstream = open();
    for (let round = 0; round < 2; round += 1) {
      expect(await upstream.headManifest("a", "1")).toMatchObject({ digest: null });
    }
    expect(registry.asked("HEAD", "manifests")).toHaveLength(1);
    expect(await upstream.getManifest("a", "1")).toMatchObject({ digest });
  });

  test("row 12: HEAD without a digest: GET computes it", async () => {
    const { digest, bytes } = registry.content.addImage("a", "1");
    const headers = { "Content-Type": mediaTypes.ociImage };
    registry.on("*", "/v2/a/manifests/1", { headers, body: bytes });
    const upstream = open();
    expect((await upstream.headManifest("a", "1"))?.digest).toBeNull();
    expect(await upstream.getManifest("a", "1")).toMatchObject({ digest });
  });

  test("row 13: a digest that is not that of the body", async () => {
    const { bytes } = registry.content.addImage("a", "1");
    const wrong = digestOf("sha256", Buffer.from("other"));
    const headers = { "Content-Type": mediaTypes.ociImage, "Docker-Content-Digest": wrong };
    registry.on("GET", "/v2/a/manifests/1", { headers, body: bytes });
    registry.on("GET", `/v2/a/manifests/${wrong}`, { body: bytes });
    const trouble = await troubleOf(open().getManifest("a", "1"));
    expect(trouble.kind).toBe("wrong-digest");
    expect(trouble.message).toContain(wrong);
    expect(await kindOf(open().getManifest("a", wrong))).toBe("wrong-digest");
  });

  test("a digest in sha512 is kept", async () => {
    const { bytes } = registry.content.addImage("a", "1");
    const digest = digestOf("sha512", bytes);
    registry.on("GET", "/v2/a/manifests/1", {
      headers: { "Docker-Content-Digest": digest },
      body: bytes,
    });
    expect(await open().getManifest("a", "1")).toMatchObject({ digest });
  });

  test("row 14: beyond the limit the connection ends early", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<number>();
    const limits = { ...upstreamLimits, manifestBytesMax: 64 * KiB };
    registry.on("GET", "/v2/a/manifests/1", {
      body: (async function* () {
        let sent = 0;
        try {
          for (; sent < 64 * MiB; sent += 64 * KiB) yield Buffer.alloc(64 * KiB, " ");
        } finally {
          resolve(sent);
        }
      })(),
    });
    const trouble = await troubleOf(open({ limits }).getManifest("a", "1"));
    expect(trouble.kind).toBe("broken");
    expect(trouble.message).toContain("larger than the limit");
    expect(await closed).toBeLessThan(32 * MiB);
  });

  test.each([
    ["a Docker list", mediaTypes.dockerList, { schemaVersion: 2, manifests: [] }],
    ["schema 2", mediaTypes.dockerImage, { schemaVersion: 2, layers: [] }],
    ["a type that its body contradicts", mediaTypes.ociImage, { mediaType: mediaTypes.ociIndex }],
  ])("row 16: %s: type and bytes stay", async (_, mediaType, body) => {
    const bytes = Buffer.from(JSON.stringify(body, null, 3));
    registry.content.addManifest("docker", bytes, { tag: "1", mediaType });
    expect(await open().getManifest("docker", "1")).toMatchObject({ mediaType, bytes });
  });

  test.each([
    ["application/vnd.docker.distribution.manifest.v1+prettyjws", {}],
    ["application/vnd.docker.distribution.manifest.v1+json; charset=utf-8", {}],
    ["text/plain; charset=utf-8", { schemaVersion: 1, fsLayers: [] }],
    ["application/json", { schemaVersion: 1 }],
  ])("row 17: schema 1 as %s is named", async (mediaType, body) => {
    registry.content.addManifest("old", Buffer.from(JSON.stringify(body)), { tag: "1", mediaType });
    const trouble = await troubleOf(open().getManifest("old", "1"));
    expect([trouble.kind, trouble.message]).toEqual([
      "schema-1",
      "upstream.test has only a manifest of the old schema 1 as old:1",
    ]);
  });

  test("a type that nobody says follows from the body", async () => {
    const rows = [
      [{ mediaType: mediaTypes.dockerImage }, mediaTypes.dockerImage],
      [{ manifests: [] }, mediaTypes.ociIndex],
      [{ layers: [] }, mediaTypes.ociImage],
    ] as const;
    for (const [body, mediaType] of rows) {
      registry.on("GET", "/v2/a/manifests/1", { body: JSON.stringify(body) });
      expect(await open().getManifest("a", "1")).toMatchObject({ mediaType });
    }
  });

  test("row 51: a redirect to `library/` is followed", async () => {
    const { digest } = registry.content.addImage("library/box", "1");
    registry.on("*", "/v2/box/manifests/1", {
      status: 301,
      headers: { Location: "/v2/library/box/manifests/1" },
    });
    const upstream = open();
    expect((await upstream.headManifest("box", "1"))?.digest).toBe(digest);
    expect(await upstream.getManifest("box", "1")).toMatchObject({ digest });
  });

  test("row 52: HEAD that is redirected to an address signed for GET: GET is used", async () => {
    const { digest, bytes } = registry.content.addImage("a", "1");
    const headers = { Location: `${other.url}/signed` };
    registry.on("*", "/v2/a/manifests/1", { status: 302, headers });
    other.on("HEAD", "/signed", { status: 403 });
    other.on("GET", "/signed", { body: bytes });
    const upstream = open();
    expect((await upstream.headManifest("a", "1"))?.digest).toBeNull();
    expect(await upstream.getManifest("a", "1")).toMatchObject({ digest });
  });

  test("row 38: silence ends within the limit, in words", async () => {
    registry.on("*", "/v2/a/manifests/1", { silent: true });
    const limits = { ...upstreamLimits, headMs: 20, manifestMs: 30 };
    const upstream = open({ limits });
    const head = await troubleOf(upstream.headManifest("a", "1"));
    expect([head.kind, head.words]).toEqual(["silent", "did not answer within 0.02 s"]);
    expect(await kindOf(upstream.getManifest("a", "1"))).toBe("silent");
  });
});

test("a manifest waits for a place no longer than it may take, and who left asks nobody", async () => {
  registry.on("*", "/v2/slow/manifests/1", { silent: true });
  const limits = { ...upstreamLimits, headMs: 600_000, manifestMs: 20 };
  const upstream = open({ limits, gateLimits: { requestsMax: 1 } });
  const holding = upstream.headManifest("slow", "1").catch(() => null);
  await registry.awaitAsked("HEAD", "/v2/slow/");
  const trouble = await troubleOf(upstream.getManifest("waiting", "1"));
  expect([trouble.kind, trouble.retryAfterS]).toEqual(["busy", 5]);
  const gone = AbortSignal.abort();
  const left: unknown = await upstream
    .getBlob("left", "x", { signal: gone })
    .catch((error) => error);
  expect(String(left)).toContain("request was cancelled");
  expect([...registry.asked("*", "/waiting/"), ...registry.asked("*", "/left/")]).toEqual([]);
  registry.cutAll();
  await holding;
});

describe("blobs", () => {
  test("whole, from a byte on, and a part", async () => {
    const content = randomBytes(300_000);
    const digest = registry.content.addBlob("a", content);
    const upstream = open();
    const whole = await upstream.getBlob("a", digest);
    expect([whole?.fromByte, whole?.sizeBytes, whole?.etag]).toEqual([0, 300_000, `"${digest}"`]);
    if (whole === null) throw new Error("absent");
    expect(await bytesOf(whole.body)).toEqual(content);
    const rest = await upstream.getBlob("a", digest, { fromByte: 200_000, ifRange: `"${digest}"` });
    expect([rest?.fromByte, rest?.sizeBytes]).toEqual([200_000, 300_000]);
    if (rest === null) throw new Error("absent");
    expect(await bytesOf(rest.body)).toEqual(content.subarray(200_000));
    const part = await upstream.getBlob("a", digest, { fromByte: 0, lastByte: 9 });
    if (part === null) throw new Error("absent");
    expect(await bytesOf(part.body)).toEqual(content.subarray(0, 10));
    expect(await upstream.getBlob("a", digestOf("sha256", content.subarray(1)))).toBeNull();
    expect(await upstream.blobSize("a", digest)).toBe(300_000);
  });

  test("row 27: a resume that gets 200 begins at 0, and so does one that gets 416", async () => {
    const digest = registry.content.addBlob("a", "abcdef");
    const upstream = open();
    registry.on("GET", `/v2/a/blobs/${digest}`, { body: "abcdef" });
    const whole = await upstream.getBlob("a", digest, { fromByte: 3 });
    expect(whole?.fromByte).toBe(0);
    whole?.close();
    registry.reset();
    const again = await upstream.getBlob("a", digest, { fromByte: 100 });
    expect(again?.fromByte).toBe(0);
    again?.close();
    registry.on("GET", `/v2/a/blobs/${digest}`, {
      status: 206,
      headers: { "Content-Range": "bytes 1-5/6" },
      body: "bcdef",
    });
    expect(await kindOf(upstream.getBlob("a", digest, { fromByte: 3 }))).toBe("broken");
  });

  test("row 28: without a length", async () => {
    registry.on("GET", "/v2/a/blobs/x", { body: "abcdef", contentLength: null });
    const blob = await open().getBlob("a", "x");
    expect(blob?.sizeBytes).toBeNull();
    if (blob === null) throw new Error("absent");
    expect((await bytesOf(blob.body)).toString()).toBe("abcdef");
  });

  test("row 26: a cut is trouble, after the bytes that came", async () => {
    registry.on("GET", "/v2/a/blobs/x", {
      body: Buffer.alloc(100_000, "x"),
      cutAfterBytes: 30_000,
    });
    const blob = await open().getBlob("a", "x");
    let bytes = 0;
    const read = (async () => {
      for await (const piece of blob?.body ?? []) bytes += piece.length;
    })();
    expect(await kindOf(read)).toBe("broken");
    expect(bytes).toBe(30_000);
  });

  test("row 32: an upstream that answers 401 to HEAD says the size by its first byte", async () => {
    const digest = registry.content.addBlob("a", "abcdef");
    registry.on("HEAD", `/v2/a/blobs/${digest}`, { status: 401 });
    const upstream = open();
    expect(await upstream.blobSize("a", digest)).toBe(6);
    expect(registry.requests.map(({ method, headers }) => [method, headers.get("range")])).toEqual([
      ["HEAD", null],
      ["GET", "bytes=0-0"],
    ]);
    const empty = registry.content.addBlob("a", "");
    registry.on("HEAD", `/v2/a/blobs/${empty}`, { status: 403 });
    expect(await upstream.blobSize("a", empty)).toBe(0);
  });

  test("row 45: a redirect takes the range along, and never the login", async () => {
    await using guarded = await ScriptedUpstream.start({ basic: { user: "u", password: "p" } });
    const digest = other.content.addBlob("elsewhere", "abcdef");
    guarded.on("GET", "/v2/a/blobs/x", ({ headers }) =>
      headers.has("authorization")
        ? { status: 307, headers: { Location: `${other.url}/v2/elsewhere/blobs/${digest}?sig=s` } }
        : null,
    );
    const credentials = { kind: "password", user: "u", password: "p" } as const;
    const upstream = open({ url: guarded.url, credentials });
    const blob = await upstream.getBlob("a", "x", { fromByte: 2 });
    expect(blob?.fromByte).toBe(2);
    if (blob === null) throw new Error("absent");
    expect((await bytesOf(blob.body)).toString()).toBe("cdef");
    const [asked] = other.requests;
    expect(asked?.headers.get("range")).toBe("bytes=2-");
    expect(asked?.headers.get("authorization")).toBeNull();
  });

  test("row 45: a relative redirect is followed", async () => {
    const digest = registry.content.addBlob("a", "abcdef");
    const headers = { Location: `../blobs/${digest}` };
    registry.on("GET", "/v2/a/blobs/x", { status: 302, headers });
    expect((await blobOf(open(), "a", "x")).toString()).toBe("abcdef");
  });

  test("row 46: six redirects are too many, and no address is told", async () => {
    registry.on("GET", /^\/hop/, ({ path }) => ({
      status: 302,
      headers: { Location: `/hop${Number(path.slice(4)) + 1}?Policy=secret` },
    }));
    registry.on("GET", "/v2/a/blobs/x", { status: 302, headers: { Location: "/hop1" } });
    const trouble = await troubleOf(open().getBlob("a", "x"));
    expect([trouble.kind, trouble.message]).toEqual([
      "broken",
      "upstream.test redirects in a circle",
    ]);
    expect(registry.asked("GET", "/hop")).toHaveLength(5);
  });

  test("row 50: what compresses unless it is told not to does not compress for us", async () => {
    registry.on("GET", "/v2/a/blobs/x", ({ headers }) =>
      headers.get("accept-encoding") === "identity"
        ? { body: "plain" }
        : { headers: { "Content-Encoding": "gzip" }, body: Bun.gzipSync("plain") },
    );
    expect((await blobOf(open(), "a", "x")).toString()).toBe("plain");
  });

  test("closing ends a download that nobody reads, and gives its place back", async () => {
    const upstream = open({ gateLimits: { blobsMax: 1 } });
    registry.on("GET", "/v2/a/blobs/x", {
      body: Buffer.alloc(MiB),
      bodyAfter: new Promise(() => {}),
    });
    registry.on("GET", "/v2/a/blobs/y", { body: "y" });
    for (let round = 0; round < 3; round += 1) (await upstream.getBlob("a", "x"))?.close();
    expect((await blobOf(upstream, "a", "y")).toString()).toBe("y");
    // What was read to its end leaves a connection that serves on.
    const { connections } = registry;
    expect((await blobOf(upstream, "a", "y")).toString()).toBe("y");
    expect(registry.connections).toBe(connections);
  });
});

describe("logins", () => {
  test("a token for each repository, fetched once, and anew when it expires in the middle (row 49)", async () => {
    await using upstream = await ScriptedUpstream.start({ tokens: { user: "u", password: "p" } });
    const { digest, layers } = upstream.content.addImage("a", "1");
    const credentials = { kind: "password", user: "u", password: "p" } as const;
    const mirror = open({ url: upstream.url, credentials });
    expect((await mirror.headManifest("a", "1"))?.digest).toBe(digest);
    await mirror.getManifest("a", "1");
    expect(upstream.asked("GET", "/token")).toHaveLength(1);
    expect(upstream.asked("GET", "/token")[0]?.query.get("scope")).toBe("repository:a:pull");
    upstream.expireTokens();
    const layer = layers[0]?.digest ?? "";
    const pulled = await Promise.all([blobOf(mirror, "a", layer), blobOf(mirror, "a", layer)]);
    expect(pulled.map(String)).toEqual(["layer of a:1", "layer of a:1"]);
    expect(upstream.asked("GET", "/token")).toHaveLength(2);
  });

  test("row 43: 401 to a stranger, as for what is absent at ghcr", async () => {
    await using upstream = await ScriptedUpstream.start({ tokens: { user: "u", password: "p" } });
    const trouble = await troubleOf(open({ url: upstream.url }).headManifest("none", "1"));
    expect([trouble.kind, trouble.hasLogin, trouble.status, trouble.words]).toEqual([
      "denied",
      false,
      401,
      "wants a login: 401",
    ]);
  });

  test("row 44: our login is refused, by the token service and by the registry", async () => {
    await using upstream = await ScriptedUpstream.start({ tokens: { user: "u", password: "p" } });
    const credentials = { kind: "password", user: "u", password: "s3cret" } as const;
    const refused = await troubleOf(
      open({ url: upstream.url, credentials }).headManifest("a", "1"),
    );
    expect([refused.kind, refused.hasLogin]).toEqual(["denied", true]);
    expect(refused.message).toContain("upstream.test refuses our login");
    expect(refused.message).not.toContain("s3cret");
    registry.on("HEAD", "/v2/a/manifests/1", { status: 403 });
    const denied = await troubleOf(open({ credentials }).headManifest("a", "1"));
    expect([denied.kind, denied.words]).toEqual(["denied", "refuses our login: 403"]);
  });

  test("a token service that fails is trouble of the upstream, no refusal", async () => {
    const challenge = `Bearer realm="${registry.url}/token",service="s"`;
    registry.on("*", /manifests/, { status: 401, headers: { "WWW-Authenticate": challenge } });
    registry.on("GET", "/token", { status: 503 });
    const trouble = await troubleOf(open().headManifest("a", "1"));
    expect(trouble.kind).toBe("broken");
    expect(trouble.message).toContain("token service answered 503");
    registry.on("GET", "/token", { status: 429, headers: { "Retry-After": "7" } });
    const limited = await troubleOf(open().headManifest("a", "1"));
    expect([limited.kind, limited.retryAfterS]).toEqual(["limited", 7]);
  });

  test("a registry that a redirect leads to may want a token of its own (registry.k8s.io)", async () => {
    await using region = await ScriptedUpstream.start({ tokens: {} });
    const { digest } = region.content.addImage("k8s/pause", "3", ["pause"]);
    registry.on("*", "/v2/pause/manifests/3", {
      status: 307,
      headers: { Location: `${region.url}/v2/k8s/pause/manifests/3` },
    });
    const upstream = open();
    expect((await upstream.headManifest("pause", "3"))?.digest).toBe(digest);
    expect(await upstream.getManifest("pause", "3")).toMatchObject({ digest });
    expect(region.asked("GET", "/token")).toHaveLength(1);
  });

  test("a refresh token goes into a form, and never into a URL (identity tokens, ACR)", async () => {
    const challenge = `Bearer realm="${registry.url}/token",service="s",scope="repository:a:pull"`;
    const { digest } = registry.content.addImage("a", "1");
    registry.on("*", "/v2/a/manifests/1", ({ headers }) =>
      headers.get("authorization") === "Bearer fresh"
        ? null
        : { status: 401, headers: { "WWW-Authenticate": challenge } },
    );
    registry.on("POST", "/token", { body: JSON.stringify({ access_token: "fresh" }) });
    const credentials = { kind: "refreshToken", token: "identity" } as const;
    expect((await open({ credentials }).headManifest("a", "1"))?.digest).toBe(digest);
    const form = new URLSearchParams(
      Buffer.from(registry.asked("POST", "/token")[0]?.body ?? []).toString(),
    );
    expect(Object.fromEntries(form)).toEqual({
      grant_type: "refresh_token",
      refresh_token: "identity",
      client_id: "zot",
      service: "s",
      scope: "repository:a:pull",
    });
    expect(registry.requests.some(({ target }) => target.includes("identity"))).toBe(false);
  });
});

describe("lists", () => {
  test("tags of all pages; what is no tag is left out", async () => {
    for (const tag of ["c", "a", "b"]) registry.content.addImage("lists", tag);
    registry.content.pageSize = 2;
    expect(await open().tags("lists")).toEqual(["a", "b", "c"]);
    expect(await open().tags("none")).toBeNull();
    registry.on("GET", "/v2/odd/tags/list", { body: '{"tags":["ok","not ok",5]}' });
    expect(await open().tags("odd")).toEqual(["ok"]);
    registry.on("GET", "/v2/empty/tags/list", { body: '{"name":"empty","tags":null}' });
    expect(await open().tags("empty")).toEqual([]);
  });

  test("a next page on another server, or in a circle, is trouble", async () => {
    const page = (link: string) => ({
      headers: { Link: `<${link}>; rel="next"` },
      body: '{"tags":["a"]}',
    });
    registry.on("GET", "/v2/a/tags/list", page(`${other.url}/v2/a/tags/list`));
    expect((await troubleOf(open().tags("a"))).words).toBe(
      "names another server for the next page of a list",
    );
    expect(other.requests).toHaveLength(0);
    registry.on("GET", "/v2/a/tags/list", page("/v2/a/tags/list?again"));
    expect((await troubleOf(open().tags("a"))).words).toContain("lead in a circle");
  });

  test("the catalog, and one that is refused", async () => {
    registry.content.addImage("lists", "a");
    const names: string[] = [];
    for await (const name of open().catalog()) names.push(name);
    expect(names).toContain("lists");
    registry.on("GET", "/v2/_catalog", { status: 401 });
    expect(await kindOf(Array.fromAsync(open().catalog()))).toBe("denied");
  });

  test("referrers by the API, and row 58: by the tag scheme", async () => {
    const image = registry.content.addImage("signed", "1");
    const signature = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociImage,
      artifactType: "application/x-signature",
      config: { mediaType: mediaTypes.ociEmpty, digest: image.config.digest, size: 2 },
      layers: [],
      subject: { mediaType: mediaTypes.ociImage, digest: image.digest, size: image.bytes.length },
    };
    const digest = registry.content.addManifest("signed", signature);
    const descriptor = {
      mediaType: mediaTypes.ociImage,
      digest,
      size: JSON.stringify(signature).length,
      artifactType: "application/x-signature",
    };
    expect(await open().referrers("signed", image.digest)).toEqual({
      source: "api",
      manifests: [descriptor],
    });
    registry.content.hasReferrers = false;
    expect(await open().referrers("signed", image.digest)).toBeNull();
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor, 5] };
    const tag = image.digest.replace(":", "-");
    registry.content.addManifest("signed", index, { tag });
    expect(await open().referrers("signed", image.digest)).toEqual({
      source: "tag",
      manifests: [descriptor],
    });
    registry.content.hasReferrers = true;
  });

  test("at Docker Hub what has one component is below library", async () => {
    const { digest } = registry.content.addImage("library/registry", "2");
    const hub = open({ host: "docker.io" });
    expect((await hub.headManifest("registry", "2"))?.digest).toBe(digest);
    expect(await hub.tags("registry")).toEqual(["2"]);
  });
});
