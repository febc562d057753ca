// Blobs through a mirror by the rows of the study of mirrors (their numbers stand in the names): streamed while they are
// stored, verified before their end, resumed, shared, ranged, and refused.

import { expect, test } from "bun:test";
import { digestOf } from "../../src/oci/digest.ts";
import { sample } from "../contracts/store_samples.ts";
import { eventually } from "../processes.ts";
import { mirrorWorld, sha256, type MirrorWorld } from "./mirror_world.ts";
import type { ScriptedAnswer } from "./scripted_upstream.ts";

const MiB = 1024 * 1024;
const big = sample(4 * MiB);
const digest = sha256(big);
const here = `docker.io/library/a/blobs/${digest}`;
const there = `/v2/library/a/blobs/${digest}`;

/** A mirror that has pulled the manifest of an image with one large layer. */
async function opened(...args: Parameters<typeof mirrorWorld>): Promise<MirrorWorld> {
  const world = await mirrorWorld(...args);
  for (const upstream of world.upstreams) upstream.content.addImage("library/a", "v1", [big]);
  expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(200);
  return world;
}

const downloads = (world: MirrorWorld) => world.upstream.asked("GET", "/blobs/");

/** Pieces that come when they are let go. */
function held(bytes: Uint8Array, at: number) {
  const gate = Promise.withResolvers<void>();
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let from = 0; from < at; from += 64 * 1024) {
      yield bytes.subarray(from, Math.min(from + 64 * 1024, at));
    }
    await gate.promise;
    for (let from = at; from < bytes.length; from += 64 * 1024) {
      yield bytes.subarray(from, from + 64 * 1024);
    }
  }
  const answer: ScriptedAnswer = {
    headers: { "Content-Length": String(bytes.length), "Accept-Ranges": "bytes" },
    body: body(),
  };
  return { answer, letGo: () => gate.resolve() };
}

/** What a client got of a body before it broke, or all of it. */
async function received(answer: Response): Promise<{ bytes: Buffer; broke: boolean }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of answer.body!) parts.push(part);
    return { bytes: Buffer.concat(parts), broke: false };
  } catch {
    return { bytes: Buffer.concat(parts), broke: true };
  }
}

async function isStored(world: MirrorWorld): Promise<boolean> {
  const asked = downloads(world).length;
  const answer = await world.get(here);
  return (
    sha256(new Uint8Array(await answer.arrayBuffer())) === digest &&
    downloads(world).length === asked
  );
}

test("row 18: the first bytes come before the last ones have left the upstream", async () => {
  await using world = await opened();
  const { answer, letGo } = held(big, 2 * MiB);
  world.upstream.on("GET", there, answer);
  const pulled = await world.get(here);
  expect(pulled.status).toBe(200);
  expect(pulled.headers.get("docker-content-digest")).toBe(digest);
  expect(pulled.headers.get("x-zot-cache")).toBe("miss");
  const reader = pulled.body!.getReader();
  const first = await reader.read();
  expect(first.value!.length).toBeGreaterThan(0);
  letGo();
  const parts = [first.value!];
  for (let next = await reader.read(); next.value !== undefined; next = await reader.read()) {
    parts.push(next.value);
  }
  expect(sha256(Buffer.concat(parts))).toBe(digest);
  expect(await isStored(world)).toBe(true);
});

test("the last bytes go out once they are verified, before the blob is committed", async () => {
  const gate = Promise.withResolvers<void>();
  let waits = 0;
  await using world = await opened({
    beforeCommit: async ({ changes }) => {
      if (!changes.some((change) => change.kind === "link-blob" && change.digest === digest))
        return;
      waits += 1;
      await gate.promise;
    },
  });
  expect(sha256(await world.bytes(here))).toBe(digest);
  await eventually("the commit waits", () => waits === 1);
  // Who comes meanwhile is served by the same download.
  expect(sha256(await world.bytes(here))).toBe(digest);
  gate.resolve();
  await eventually("the download has ended", () => world.counted.fetching === 0);
  expect((await world.get(here)).headers.get("x-zot-cache")).not.toBe("miss");
  expect(downloads(world).length).toBe(1);
});

test("a commit that fails after the last byte takes nothing back, and the blob comes again", async () => {
  let isRefused = true;
  await using world = await opened({
    beforeCommit: async ({ changes }) => {
      const isBlob = changes.some((change) => change.kind === "link-blob");
      if (isBlob && isRefused) throw new Error("the disk is gone");
    },
  });
  expect(sha256(await world.bytes(here))).toBe(digest);
  await eventually("the download has ended", () => world.counted.fetching === 0);
  isRefused = false;
  expect(sha256(await world.bytes(here))).toBe(digest);
  expect(await isStored(world)).toBe(true);
});

test("row 19: many clients are one download", async () => {
  await using world = await opened();
  const { answer, letGo } = held(big, 1 * MiB);
  world.upstream.on("GET", there, answer);
  const all = Array.from({ length: 50 }, async () => sha256(await world.bytes(here)));
  await world.upstream.awaitAsked("GET", "/blobs/");
  letGo();
  expect(new Set(await Promise.all(all))).toEqual(new Set([digest]));
  expect(downloads(world).length).toBe(1);
});

test("row 22: a client that leaves does not end the download; with 'stop' it does, and it is resumed", async () => {
  for (const onClientGone of ["finish", "stop"] as const) {
    await using world = await opened({ mirror: { onClientGone } });
    const { answer, letGo } = held(big, 1 * MiB);
    world.upstream.inTurn("GET", there, answer, null);
    const abort = new AbortController();
    const pulled = await world.get(here, { signal: abort.signal });
    const reader = pulled.body!.getReader();
    await reader.read();
    abort.abort();
    await reader.read().catch(() => null);
    if (onClientGone === "finish") {
      letGo();
      await eventually("the blob is here", () => isStored(world));
      expect(downloads(world).length).toBe(1);
    } else {
      await eventually("the download has ended", () => world.counted.fetching === 0);
      expect(sha256(await world.bytes(here))).toBe(digest);
      expect(downloads(world).length).toBe(2);
      expect(downloads(world)[1]!.headers.get("range")).toMatch(/^bytes=\d{6,}-$/);
      letGo();
    }
  }
});

test("row 23: the last byte is wrong: no client has all of it, and nothing is kept", async () => {
  await using world = await opened();
  const wrong = big.slice();
  wrong[wrong.length - 1]! ^= 1;
  world.upstream.on("GET", there, { body: wrong });
  const { bytes, broke } = await received(await world.get(here));
  expect(broke).toBe(true);
  expect(bytes.length).toBeLessThan(big.length);
  expect(world.counted.mismatches).toEqual([digest]);
  world.upstream.reset();
  expect(await isStored(world)).toBe(false);
  expect(downloads(world).length).toBe(2);
  expect(await isStored(world)).toBe(true);
});

test("row 24: a body that is short or long by one byte is no blob", async () => {
  for (const body of [big.subarray(0, -1), Buffer.concat([big, new Uint8Array(1)])]) {
    for (const contentLength of [body.length, null]) {
      await using world = await opened();
      world.upstream.on("GET", there, { body, contentLength });
      const answer = await world.get(here);
      if (answer.status === 200) {
        const { bytes, broke } = await received(answer);
        expect(broke).toBe(true);
        expect(bytes.length).toBeLessThan(big.length);
      } else expect(answer.status).toBe(502);
      world.upstream.reset();
      await eventually(
        "the right one is taken",
        async () => sha256(await world.bytes(here)) === digest,
      );
    }
  }
});

test("row 26: a cut is mended by a request for the rest, and the client sees nothing of it", async () => {
  await using world = await opened();
  world.upstream.inTurn("GET", there, { body: big, cutAfterBytes: 1_300_000 }, null);
  expect(sha256(await world.bytes(here))).toBe(digest);
  expect(downloads(world).map(({ headers }) => headers.get("range"))).toEqual([
    null,
    "bytes=1300000-",
  ]);
});

test("row 27: an upstream that answers the rest with the whole, or with 416, is read from its start", async () => {
  for (const second of [{ body: big }, { status: 416 }]) {
    await using world = await opened();
    world.upstream.inTurn("GET", there, { body: big, cutAfterBytes: 1_300_000 }, second, {
      body: big,
    });
    expect(sha256(await world.bytes(here))).toBe(digest);
    expect(await isStored(world)).toBe(true);
  }
});

test("row 28: an upstream that says no length", async () => {
  for (const answer of [{ chunked: true as const }, { contentLength: null }]) {
    await using world = await opened();
    world.upstream.on("GET", there, { body: big, ...answer });
    expect(sha256(await world.bytes(here))).toBe(digest);
    expect(await isStored(world)).toBe(true);
  }
});

test("row 29: open ranges that are closed early are one download", async () => {
  await using world = await opened();
  for (let count = 0; count < 8; count += 1) {
    const abort = new AbortController();
    const headers = { Range: "bytes=0-" };
    const answer = await world.get(here, { headers, signal: abort.signal });
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-range")).toBe(`bytes 0-${big.length - 1}/${big.length}`);
    await answer.body!.getReader().read();
    abort.abort();
  }
  await eventually("the blob is here", () => isStored(world));
  expect(downloads(world).length).toBe(1);
});

test("row 30: a range far ahead is passed through, and one that is near waits", async () => {
  const far = sample(24 * MiB, 7);
  await using world = await mirrorWorld();
  const image = world.upstream.content.addImage("library/a", "v1", [far]);
  await world.get("docker.io/library/a/manifests/v1");
  const path = `library/a/blobs/${image.layers[0]!.digest}`;
  const { answer, letGo } = held(far, 1 * MiB);
  world.upstream.inTurn("GET", `/v2/${path}`, answer, null);
  const whole = world.bytes(`docker.io/${path}`);
  const ahead = await world.get(`docker.io/${path}`, {
    headers: { Range: "bytes=20000000-20000099" },
  });
  expect(ahead.status).toBe(206);
  expect(sha256(new Uint8Array(await ahead.arrayBuffer()))).toBe(
    sha256(far.subarray(20_000_000, 20_000_100)),
  );
  const near = world.bytes(`docker.io/${path}`, { headers: { Range: "bytes=2000000-2000099" } });
  letGo();
  expect(sha256(await near)).toBe(sha256(far.subarray(2_000_000, 2_000_100)));
  expect(sha256(await whole)).toBe(image.layers[0]!.digest);
  expect(downloads(world).length).toBe(2);
  const beyond = await world.get(`docker.io/${path}`, { headers: { Range: "bytes=99999999-" } });
  expect(beyond.status).toBe(416);
});

test("row 31: HEAD of a blob asks the manifest, never the upstream", async () => {
  await using world = await opened();
  const answer = await world.head(here);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-length")).toBe(String(big.length));
  expect(world.upstream.asked("*", "/blobs/")).toEqual([]);
});

test("row 31: where pushes are allowed, who may push is told that it is not here, and then that it is", async () => {
  await using world = await opened({ mirror: { allowsPush: true } });
  expect((await world.head(here)).status).toBe(404);
  expect(sha256(await world.bytes(here))).toBe(digest);
  expect((await world.head(here)).status).toBe(200);
});

test("a quota that is used up keeps nobody from pulling", async () => {
  const config = { storage: { quotas: [{ prefix: "docker.io/", bytes: 1000, tags: 0 }] } };
  await using world = await opened({ config });
  expect(sha256(await world.bytes(here))).toBe(digest);
  expect(await isStored(world)).toBe(true);
});

test("row 32: an upstream that refuses HEAD of blobs", async () => {
  await using world = await opened();
  world.upstream.on("HEAD", there, { status: 401 });
  expect((await world.head(here)).status).toBe(200);
  expect(sha256(await world.bytes(here))).toBe(digest);
});

test("row 33: a blob that no cached manifest names is not there, and is not asked for", async () => {
  await using world = await opened();
  const unnamed = world.upstream.content.addBlob("library/a", "unnamed");
  for (const path of [
    `docker.io/library/a/blobs/${unnamed}`,
    `docker.io/library/b/blobs/${digest}`,
  ]) {
    expect((await world.get(path)).status).toBe(404);
    expect((await world.head(path)).status).toBe(404);
  }
  expect(world.upstream.asked("*", "/blobs/")).toEqual([]);
});

test("row 33: where it is configured, a blob may come before its manifest", async () => {
  await using world = await mirrorWorld({ mirror: { relaysUnknownBlobs: true } });
  const unnamed = world.upstream.content.addBlob("library/a", big);
  expect(sha256(await world.bytes(`docker.io/library/a/blobs/${unnamed}`))).toBe(digest);
});

test("row 34: a blob of another repository is linked, and not downloaded", async () => {
  await using world = await opened();
  expect(sha256(await world.bytes(here))).toBe(digest);
  world.upstream.content.addImage("library/b", "v1", [big]);
  await world.get("docker.io/library/b/manifests/v1");
  expect(sha256(await world.bytes(`docker.io/library/b/blobs/${digest}`))).toBe(digest);
  expect(downloads(world).length).toBe(1);
});

test("row 35: on a disk that is nearly full blobs are passed through, verified, and not kept", async () => {
  await using world = await opened({ freePartMin: 1.1 });
  expect(sha256(await world.bytes(here))).toBe(digest);
  const part = await world.bytes(here, { headers: { Range: "bytes=100-199" } });
  expect(sha256(part)).toBe(sha256(big.subarray(100, 200)));
  expect(downloads(world).length).toBe(2);
  const wrong = big.slice();
  wrong[0]! ^= 1;
  world.upstream.on("GET", there, { body: wrong });
  const { bytes, broke } = await received(await world.get(here));
  expect(broke).toBe(true);
  expect(bytes.length).toBeLessThan(big.length);
  expect(world.log.filter((line) => line.includes("nearly full")).length).toBe(1);
});

test("row 35: storage that is full in the middle is a clean break, and leaves nothing", async () => {
  await using world = await opened({ registry: { memory: { bytesMax: 3 * MiB } } });
  const answer = await world.get(here);
  const { bytes, broke } = await received(answer);
  expect(broke || answer.status >= 500).toBe(true);
  expect(bytes.length).toBeLessThan(big.length);
  const small = world.upstream.content.addImage("library/s", "v1", [sample(2 * MiB, 3)]);
  await world.get("docker.io/library/s/manifests/v1");
  const layer = small.layers[0]!.digest;
  await eventually("there is room again", async () => {
    const again = await received(await world.get(`docker.io/library/s/blobs/${layer}`));
    return !again.broke && sha256(again.bytes) === layer;
  });
});

test("small blobs are answered with their length, and a wrong one not at all", async () => {
  await using world = await opened();
  const image = world.upstream.content.addImage("library/c", "v1", ["a small layer"]);
  await world.get("docker.io/library/c/manifests/v1");
  const path = `library/c/blobs/${image.layers[0]!.digest}`;
  world.upstream.inTurn("GET", `/v2/${path}`, { body: "a small LAYER" }, null);
  const wrong = await world.get(`docker.io/${path}`);
  expect(wrong.status).toBe(502);
  expect(await wrong.text()).toContain(image.layers[0]!.digest);
  const right = await world.get(`docker.io/${path}`);
  expect(right.headers.get("content-length")).toBe("13");
  expect(await right.text()).toBe("a small layer");
});

test("a blob that the upstream does not have, or refuses, is told before any byte", async () => {
  await using world = await opened();
  for (const [answer, status] of [
    [{ status: 404 }, 404],
    [{ status: 401 }, 404],
    [{ status: 429, headers: { "Retry-After": "7" } }, 429],
  ] as const) {
    world.upstream.on("GET", there, answer);
    expect((await world.get(here)).status).toBe(status);
  }
});

test("the digest of sha512", async () => {
  await using world = await mirrorWorld();
  const long = digestOf("sha512", big);
  world.upstream.on("GET", `/v2/library/a/blobs/${long}`, { body: big });
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "a/b",
      digest: world.upstream.content.addBlob("library/a", "{}"),
      size: 2,
    },
    layers: [{ mediaType: "a/b", digest: long, size: big.length }],
  };
  world.upstream.content.addManifest("library/a", manifest, { tag: "v1" });
  await world.get("docker.io/library/a/manifests/v1");
  expect(sha256(await world.bytes(`docker.io/library/a/blobs/${long}`))).toBe(digest);
});
