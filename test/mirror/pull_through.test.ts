// Pull-through by the rows of the study of mirrors (their numbers stand in the names): names, manifests, what a client
// gets while an upstream is in trouble, lists, and pushes into a mirror.

import { describe, expect, test } from "bun:test";
import { manualClock } from "../../src/lib/clock.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { mirrorWorld, sha256 } from "./mirror_world.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("names", () => {
  test("rows 1 and 2: by host prefix and by ns, and at the root, one repository", async () => {
    await using world = await mirrorWorld();
    const { digest, bytes } = world.upstream.content.addImage("library/a", "v1");
    const first = await world.get("docker.io/library/a/manifests/v1");
    expect(first.status).toBe(200);
    expect(first.headers.get("docker-content-digest")).toBe(digest);
    expect(first.headers.get("x-zot-cache")).toBe("miss");
    expect(sha256(new Uint8Array(await first.arrayBuffer()))).toBe(sha256(bytes));
    expect(world.upstream.asked("*", "/manifests/").map(({ path }) => path)).toEqual([
      "/v2/library/a/manifests/v1",
      `/v2/library/a/manifests/${digest}`,
    ]);
    const named = await world.get("library/a/manifests/v1?ns=docker.io");
    expect(named.headers.get("oci-namespace")).toBe("docker.io");
    expect(named.headers.get("x-zot-cache")).toBe("hit");
    const atRoot = await world.get("library/a/manifests/v1");
    expect(atRoot.headers.get("docker-content-digest")).toBe(digest);
    const catalog = (await (await world.get("_catalog")).json()) as { repositories: string[] };
    expect(catalog.repositories).toEqual(["docker.io/library/a"]);
    expect(world.upstream.asked("*", "/manifests/").length).toBe(2);
  });

  test("row 4: a namespace selects, and is never dialled", async () => {
    await using world = await mirrorWorld();
    world.upstream.content.addImage("library/a", "v1");
    for (const namespace of ["evil.example", "169.254.169.254", "127.0.0.1:1", "%0d%0a"]) {
      const answer = await world.get(`library/a/manifests/v1?ns=${namespace}`);
      expect(answer.status).toBe(404);
    }
    expect(world.upstream.requests).toEqual([]);
  });

  test("rows 5 and 6: content of one upstream is not served as another's; what was pushed is", async () => {
    await using world = await mirrorWorld({ hosts: ["docker.io", "quay.io"] });
    world.upstream.content.addImage("library/a", "v1");
    expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(200);
    const other = await world.get("docker.io/library/a/manifests/v1?ns=gcr.io");
    expect(other.status).toBe(404);
    const quay = await world.get("library/a/manifests/v1?ns=quay.io");
    expect(quay.status).toBe(404);
    const blob = `docker.io/library/a/blobs/${digestOf("sha256", new Uint8Array())}`;
    expect((await world.get(`${blob}?ns=gcr.io`)).status).toBe(404);
    const bytes = await pushEmptyIndex(world.url, "team/app", "v1");
    const pushed = await world.get("team/app/manifests/v1?ns=gcr.io");
    expect(pushed.status).toBe(200);
    expect(pushed.headers.get("oci-namespace")).toBeNull();
    expect(text(new Uint8Array(await pushed.arrayBuffer()))).toBe(bytes);
    expect((await world.get("team/app/manifests/v1")).status).toBe(200);
    expect(world.upstreams.flatMap(({ requests }) => requests).length).toBeLessThan(5);
  });

  test("rows 7 and 60: a push ignores ns; into a mirrored name it is refused", async () => {
    await using world = await mirrorWorld();
    const put = await putIndex(world.url, "team/app/manifests/v1?ns=docker.io");
    expect(put.status).toBe(201);
    expect(put.headers.get("oci-namespace")).toBeNull();
    const refused = await putIndex(world.url, "docker.io/library/a/manifests/v1");
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain("mirror of docker.io");
    expect(world.upstream.requests).toEqual([]);
  });

  test("row 60: where pushes are allowed, a pushed tag is never moved by its upstream", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ mirror: { allowsPush: true }, clock });
    world.upstream.content.addImage("library/a", "v1");
    expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(200);
    expect((await putIndex(world.url, "docker.io/library/a/manifests/v1")).status).toBe(201);
    await clock.advance(60_000);
    const asked = world.upstream.requests.length;
    const pulled = await world.get("docker.io/library/a/manifests/v1");
    expect(await pulled.text()).toBe(emptyIndex);
    expect(world.upstream.requests.length).toBe(asked);
  });
});

describe("manifests", () => {
  test("row 9: a tag that is cached costs one HEAD", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock });
    const { digest } = world.upstream.content.addImage("library/a", "v1");
    await world.get("docker.io/library/a/manifests/v1");
    world.upstream.requests.length = 0;
    await clock.advance(2_000);
    const answer = await world.head("docker.io/library/a/manifests/v1");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("docker-content-digest")).toBe(digest);
    expect(answer.headers.get("x-zot-cache")).toBe("fresh");
    expect(world.upstream.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("row 10: many who ask at once are one question", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock });
    world.upstream.content.addImage("library/a", "v1");
    const all = await Promise.all(
      Array.from({ length: 50 }, () => world.head("docker.io/library/a/manifests/v1")),
    );
    expect(all.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(world.upstream.requests.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
    await clock.advance(2_000);
    await Promise.all(
      Array.from({ length: 50 }, () => world.head("docker.io/library/a/manifests/v1")),
    );
    expect(world.upstream.requests.length).toBe(3);
  });

  test("row 11: within its time nothing is asked; afterwards a tag moves, and its old manifest stays", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock, mirror: { manifestCheckMs: 60_000 } });
    const { content } = world.upstream;
    const old = content.addImage("library/a", "v1");
    await world.get("docker.io/library/a/manifests/v1");
    const moved = content.addImage("library/a", "v1", ["another layer"]);
    const asked = world.upstream.requests.length;
    await clock.advance(30_000);
    const within = await world.get("docker.io/library/a/manifests/v1");
    expect(within.headers.get("docker-content-digest")).toBe(old.digest);
    expect(within.headers.get("age")).toBe("30");
    expect(world.upstream.requests.length).toBe(asked);
    await clock.advance(31_000);
    const after = await world.get("docker.io/library/a/manifests/v1");
    expect(after.headers.get("docker-content-digest")).toBe(moved.digest);
    const byDigest = await world.bytes(`docker.io/library/a/manifests/${old.digest}`);
    expect(byDigest).toEqual(old.bytes);
  });

  test("row 12: an upstream that answers no HEAD, or no digest, is asked by GET", async () => {
    const clock = manualClock(1_000_000);
    for (const answer of [{ status: 405 }, { status: 200, headers: { "Content-Length": "1" } }]) {
      await using world = await mirrorWorld({ clock });
      const { digest } = world.upstream.content.addImage("library/a", "v1");
      world.upstream.on("HEAD", "/v2/library/a/manifests/v1", answer);
      const first = await world.get("docker.io/library/a/manifests/v1");
      expect(first.headers.get("docker-content-digest")).toBe(digest);
      await clock.advance(2_000);
      const second = await world.get("docker.io/library/a/manifests/v1");
      expect(second.headers.get("x-zot-cache")).toBe("fresh");
      expect(world.upstream.asked("HEAD", "/manifests/").length).toBe(1);
      expect(world.upstream.asked("GET", "/manifests/").length).toBe(2);
    }
  });

  test("row 13: a manifest that does not have its digest is not served and not kept", async () => {
    await using world = await mirrorWorld();
    const { digest } = world.upstream.content.addImage("library/a", "v1");
    world.upstream.on("GET", /manifests/, {
      headers: { "Content-Type": mediaTypes.ociImage, "Docker-Content-Digest": digest },
      body: "{}",
    });
    for (const reference of ["v1", digest]) {
      const answer = await world.get(`docker.io/library/a/manifests/${reference}`);
      expect(answer.status).toBe(502);
      expect(await answer.text()).toContain(digest);
    }
    expect(await catalogOf(world)).toEqual([]);
  });

  test("row 14: a manifest that is too large is an error, and is not kept", async () => {
    await using world = await mirrorWorld({ limits: { manifestBytesMax: 2_000 } });
    const large = { schemaVersion: 2, annotations: { large: "x".repeat(3_000) }, manifests: [] };
    world.upstream.content.addManifest("library/a", large, {
      tag: "v1",
      mediaType: mediaTypes.ociIndex,
    });
    expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(502);
    expect(await catalogOf(world)).toEqual([]);
  });

  test("row 15: an index is kept as it is, and its children come when they are asked for", async () => {
    await using world = await mirrorWorld();
    const { content } = world.upstream;
    const children = [
      content.addImage("library/a", null),
      content.addImage("library/a", null, ["x"]),
    ];
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: children.map(({ digest, bytes }) => ({
        mediaType: mediaTypes.ociImage,
        digest,
        size: bytes.length,
      })),
    });
    content.addManifest("library/a", new TextEncoder().encode(index), { tag: "v1" });
    expect(text(await world.bytes("docker.io/library/a/manifests/v1"))).toBe(index);
    for (const [at, { digest, bytes }] of children.entries()) {
      expect(world.upstream.asked("GET", "/manifests/").length).toBe(1 + at);
      expect(await world.bytes(`docker.io/library/a/manifests/${digest}`)).toEqual(bytes);
    }
    expect(world.log.filter((line) => /"level":(40|50)/.test(line))).toEqual([]);
  });

  test("row 16: Docker's types are kept byte for byte", async () => {
    await using world = await mirrorWorld();
    const config = world.upstream.content.addBlob("library/a", "{}");
    const image = ` {"schemaVersion":2, "config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":2,"digest":"${config}"},"layers":[]}\n`;
    const bytes = new TextEncoder().encode(image);
    world.upstream.content.addManifest("library/a", bytes, {
      tag: "v1",
      mediaType: mediaTypes.dockerImage,
    });
    const answer = await world.get("docker.io/library/a/manifests/v1");
    expect(answer.headers.get("content-type")).toBe(mediaTypes.dockerImage);
    expect(await answer.text()).toBe(image);
    expect(text(await world.bytes(`docker.io/library/a/blobs/${config}`))).toBe("{}");
  });

  test("row 17: a manifest of schema 1 is named", async () => {
    await using world = await mirrorWorld();
    const body = JSON.stringify({ schemaVersion: 1, name: "a", fsLayers: [], signatures: [] });
    world.upstream.on("*", "/v2/library/a/manifests/v1", {
      headers: { "Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws" },
      body,
    });
    const answer = await world.get("docker.io/library/a/manifests/v1");
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain("schema 1");
  });
});

describe("trouble", () => {
  test("row 36: what is cached is served with a warning while the upstream is down", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock });
    const { bytes } = world.upstream.content.addImage("library/a", "v1");
    await world.get("docker.io/library/a/manifests/v1");
    world.upstream.on("*", /./, { status: 503 });
    await clock.advance(3 * 60 * 60_000);
    const answer = await world.get("docker.io/library/a/manifests/v1");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("warning")).toMatch(
      /^299 - "from cache: docker\.io .*, checked 3h ago"$/,
    );
    expect(answer.headers.get("x-zot-cache")).toBe("stale");
    expect(answer.headers.get("age")).toBe("10800");
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes));
    expect(world.counted.stale).toEqual([10_800_000]);
  });

  test("row 37: what is not cached is an error that says so, never a 404", async () => {
    await using world = await mirrorWorld();
    world.upstream.on("*", /./, { status: 503 });
    for (let count = 0; count < 8; count += 1) {
      const answer = await world.get("docker.io/library/a/manifests/v1");
      expect([502, 503]).toContain(answer.status);
      const { errors } = (await answer.json()) as { errors: { message: string }[] };
      expect(errors[0]!.message).toContain("docker.io");
      expect(errors[0]!.message).not.toContain("http");
    }
  });

  test("row 38: an upstream that says nothing is waited for within limits", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock });
    world.upstream.content.addImage("library/a", "v1");
    await world.get("docker.io/library/a/manifests/v1");
    world.upstream.on("*", /./, { silent: true });
    await clock.advance(5_000);
    const cached = world.get("docker.io/library/a/manifests/v1");
    const fresh = world.get("docker.io/library/b/manifests/v1");
    await world.upstream.awaitAsked("HEAD", "/library/a/", 2);
    await world.upstream.awaitAsked("HEAD", "/library/b/");
    await clock.advance(10_000);
    expect((await cached).headers.get("x-zot-cache")).toBe("stale");
    await clock.advance(10_000);
    expect((await fresh).status).toBe(504);
  });

  test("row 39: 429 is handed on where nothing is cached, and its time is kept", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock });
    world.upstream.content.addImage("library/a", "v1");
    await world.get("docker.io/library/a/manifests/v1");
    world.upstream.on("*", /./, { status: 429, headers: { "Retry-After": "30" } });
    await clock.advance(5_000);
    const stale = await world.get("docker.io/library/a/manifests/v1");
    expect(stale.headers.get("x-zot-cache")).toBe("stale");
    const asked = world.upstream.requests.length;
    const refused = await world.get("docker.io/library/b/manifests/v1");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(20);
    expect(world.upstream.requests.length).toBe(asked);
  });

  test("row 42: what is absent is remembered for a while", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock });
    for (let count = 0; count < 3; count += 1) {
      expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(404);
    }
    expect(world.upstream.requests.length).toBe(1);
    world.upstream.content.addImage("library/a", "v1");
    await clock.advance(30_001);
    expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(200);
  });

  test("row 43: without a login, what is denied is absent", async () => {
    await using world = await mirrorWorld();
    world.upstream.on("*", /./, { status: 401 });
    expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(404);
  });

  test("what is gone upstream is served from here, or goes here, too", async () => {
    for (const propagatesDeletes of [false, true]) {
      const clock = manualClock(1_000_000);
      await using world = await mirrorWorld({ clock, mirror: { propagatesDeletes } });
      world.upstream.content.addImage("library/a", "v1");
      await world.get("docker.io/library/a/manifests/v1");
      world.upstream.content.removeTag("library/a", "v1");
      await clock.advance(2_000);
      const answer = await world.get("docker.io/library/a/manifests/v1");
      expect(answer.status).toBe(propagatesDeletes ? 404 : 200);
      expect(answer.headers.get("warning") !== null).toBe(!propagatesDeletes);
    }
  });

  test("a tag that was deleted here does not come back at once", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock });
    world.upstream.content.addImage("library/a", "v1");
    await world.get("docker.io/library/a/manifests/v1");
    const gone = await world.get("docker.io/library/a/manifests/v1", { method: "DELETE" });
    expect(gone.status).toBe(202);
    expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(404);
    await clock.advance(10 * 60_000 + 1);
    expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(200);
  });

  test("a request that went through too many mirrors goes no further", async () => {
    await using world = await mirrorWorld();
    world.upstream.content.addImage("library/a", "v1");
    const headers = { "X-Zot-Mirror-Hops": "4" };
    const answer = await world.get("docker.io/library/a/manifests/v1", { headers });
    expect(answer.status).toBe(508);
    expect(world.upstream.requests).toEqual([]);
  });
});

describe("lists", () => {
  test("row 57: tags are those of both, page by page; without the upstream those that are here", async () => {
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ clock });
    world.upstream.content.pageSize = 2;
    for (const tag of ["b", "d", "a", "C"]) world.upstream.content.addImage("library/a", tag);
    await world.get("docker.io/library/a/manifests/d");
    const all = (await (await world.get("docker.io/library/a/tags/list")).json()) as {
      tags: string[];
    };
    expect(all.tags).toEqual(["C", "a", "b", "d"]);
    const page = await world.get("library/a/tags/list?n=3&ns=docker.io");
    expect(((await page.json()) as { tags: string[] }).tags).toEqual(["C", "a", "b"]);
    expect(page.headers.get("link")).toContain("last=b");
    expect(page.headers.get("link")).toContain("ns=docker.io");
    world.upstream.on("*", /./, { status: 503 });
    await clock.advance(5 * 60_000 + 1);
    const local = await world.get("docker.io/library/a/tags/list");
    expect(local.headers.get("warning")).toContain("docker.io");
    expect(((await local.json()) as { tags: string[] }).tags).toEqual(["d"]);
    expect((await world.get("docker.io/library/unseen/tags/list")).status).toBeGreaterThanOrEqual(
      502,
    );
  });

  test("row 58: referrers that the upstream has by tag alone are listed, filtered, and come by digest", async () => {
    await using world = await mirrorWorld();
    const { content } = world.upstream;
    content.hasReferrers = false;
    const image = content.addImage("library/a", "v1");
    const signature = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociImage,
      artifactType: "application/vnd.example.signature",
      config: {
        mediaType: mediaTypes.ociEmpty,
        digest: content.addBlob("library/a", "{}"),
        size: 2,
      },
      layers: [],
      subject: { mediaType: mediaTypes.ociImage, digest: image.digest, size: image.bytes.length },
    };
    const bytes = new TextEncoder().encode(JSON.stringify(signature));
    const digest = content.addManifest("library/a", bytes);
    const entry = {
      mediaType: mediaTypes.ociImage,
      digest,
      size: bytes.length,
      artifactType: signature.artifactType,
    };
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] };
    content.addManifest("library/a", index, { tag: image.digest.replace(":", "-") });
    await world.get("docker.io/library/a/manifests/v1");
    const list = async (query: string): Promise<unknown[]> => {
      const answer = await world.get(`docker.io/library/a/referrers/${image.digest}${query}`);
      return ((await answer.json()) as { manifests: unknown[] }).manifests;
    };
    expect(await list("")).toMatchObject([{ digest, artifactType: signature.artifactType }]);
    expect(await list("?artifactType=application/vnd.other")).toEqual([]);
    expect(await world.bytes(`docker.io/library/a/manifests/${digest}`)).toEqual(bytes);
    expect(await list(`?artifactType=${signature.artifactType}`)).toMatchObject([{ digest }]);
  });
});

const emptyIndex = JSON.stringify({
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [],
});

function putIndex(url: string, path: string): Promise<Response> {
  return fetch(`${url}/v2/${path}`, {
    method: "PUT",
    headers: { "Content-Type": mediaTypes.ociIndex },
    body: emptyIndex,
  });
}

async function pushEmptyIndex(url: string, repository: string, tag: string): Promise<string> {
  const answer = await putIndex(url, `${repository}/manifests/${tag}`);
  expect(answer.status).toBe(201);
  return emptyIndex;
}

async function catalogOf(world: { get: (path: string) => Promise<Response> }): Promise<string[]> {
  return ((await (await world.get("_catalog")).json()) as { repositories: string[] }).repositories;
}
