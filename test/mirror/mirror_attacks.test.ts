// What a hostile upstream, or a hostile client, tries with a mirror.

import { describe, expect, test } from "bun:test";
import { createRegistry } from "../../src/create_registry.ts";
import { manualClock } from "../../src/lib/clock.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { mirrorWorld, sha256 } from "./mirror_world.ts";

const secret = new TextEncoder().encode("what only some may read ".repeat(1_000));

/** A manifest that names content which its author knows by digest alone. */
function namingManifest(digest: string, sizeBytes: number, config: string): object {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: { mediaType: mediaTypes.ociConfig, digest: config, size: 2 },
    layers: [{ mediaType: mediaTypes.ociLayer, digest, size: sizeBytes }],
  };
}

describe("a manifest upstream that names content of others", () => {
  test("does not bring out what was pushed here, for who may read the mirror alone", async () => {
    await using world = await mirrorWorld();
    const digest = sha256(secret);
    const put = await world.get(`private/app/blobs/uploads/?digest=${digest}`, {
      method: "POST",
      body: secret,
    });
    expect(put.status).toBe(201);
    const { content } = world.upstream;
    const config = content.addBlob("evil/app", "{}");
    content.addManifest("evil/app", namingManifest(digest, secret.length, config), { tag: "1" });
    expect((await world.get("docker.io/evil/app/manifests/1")).status).toBe(200);
    expect((await world.get(`docker.io/evil/app/blobs/${digest}`)).status).toBe(404);
    expect(world.upstream.asked("GET", digest)).toHaveLength(1);
  });

  test("does not bring out what came from another upstream", async () => {
    await using world = await mirrorWorld({ hosts: ["docker.io", "private.example"] });
    const [evil, good] = world.upstreams;
    const image = good!.content.addImage("team/app", "1", [secret]);
    await world.get("private.example/team/app/manifests/1");
    const digest = image.layers[0]!.digest;
    expect(await world.bytes(`private.example/team/app/blobs/${digest}`)).toEqual(secret);
    const config = evil!.content.addBlob("evil/app", "{}");
    evil!.content.addManifest("evil/app", namingManifest(digest, secret.length, config), {
      tag: "1",
    });
    await world.get("docker.io/evil/app/manifests/1");
    expect((await world.get(`docker.io/evil/app/blobs/${digest}`)).status).toBe(404);
  });

  test("does not read along while that comes from another upstream, nor what was left of it", async () => {
    await using world = await mirrorWorld({
      hosts: ["docker.io", "private.example"],
      mirror: { onClientGone: "stop" },
    });
    const [evil, good] = world.upstreams;
    const large = new Uint8Array(3 * 1024 * 1024).fill(7);
    const image = good!.content.addImage("team/app", "1", [large]);
    const digest = image.layers[0]!.digest;
    const config = evil!.content.addBlob("evil/app", "{}");
    evil!.content.addManifest("evil/app", namingManifest(digest, large.length, config), {
      tag: "1",
    });
    await world.get("private.example/team/app/manifests/1");
    await world.get("docker.io/evil/app/manifests/1");
    const letGo = Promise.withResolvers<void>();
    good!.on("GET", new RegExp(digest), async () => {
      await letGo.promise;
      return null;
    });
    const waiting = world.get(`private.example/team/app/blobs/${digest}`);
    await good!.awaitAsked("GET", digest);
    expect((await world.get(`docker.io/evil/app/blobs/${digest}`)).status).toBe(404);
    expect(evil!.asked("GET", digest)).toHaveLength(1);
    letGo.resolve();
    expect(sha256(new Uint8Array(await (await waiting).arrayBuffer()))).toBe(digest);
  });
});

describe("a manifest that names content of another repository of the same upstream", () => {
  test("does not bring it out", async () => {
    await using world = await mirrorWorld();
    const { content } = world.upstream;
    const digest = content.addImage("private/app", "1", [secret]).layers[0]!.digest;
    await world.get("docker.io/private/app/manifests/1");
    expect(await world.bytes(`docker.io/private/app/blobs/${digest}`)).toEqual(secret);
    const config = content.addBlob("evil/app", "{}");
    content.addManifest("evil/app", namingManifest(digest, secret.length, config), { tag: "1" });
    await world.get("docker.io/evil/app/manifests/1");
    const answer = await world.get(`docker.io/evil/app/blobs/${digest}`);
    expect(answer.status).toBe(404);
  });

  test("does not read along while that comes, and does not end it", async () => {
    await using world = await mirrorWorld();
    const { content } = world.upstream;
    const large = new Uint8Array(3 * 1024 * 1024).fill(11);
    const digest = content.addImage("private/app", "1", [large]).layers[0]!.digest;
    const config = content.addBlob("evil/app", "{}");
    content.addManifest("evil/app", namingManifest(digest, large.length, config), { tag: "1" });
    for (const name of ["private", "evil"]) await world.get(`docker.io/${name}/app/manifests/1`);
    const letGo = Promise.withResolvers<void>();
    world.upstream.on("GET", new RegExp(`private/app/blobs/${digest}`), async () => {
      await letGo.promise;
      return null;
    });
    const waiting = world.bytes(`docker.io/private/app/blobs/${digest}`);
    await world.upstream.awaitAsked("GET", `private/app/blobs/${digest}`);
    expect((await world.get(`docker.io/evil/app/blobs/${digest}`)).status).toBe(404);
    letGo.resolve();
    expect(sha256(await waiting)).toBe(digest);
  });
});

describe("upstreams that share a name here", () => {
  const options = { hosts: ["one.example", "two.example"], folder: "all/" };

  test("what one does not have is not missing at the other", async () => {
    await using world = await mirrorWorld(options);
    const { digest } = world.upstreams[1]!.content.addImage("team/app", "1");
    for (const reference of ["1", digest]) {
      const path = `team/app/manifests/${reference}`;
      expect((await world.get(`${path}?ns=one.example`)).status).toBe(404);
      expect((await world.get(`${path}?ns=two.example`)).status).toBe(200);
    }
  });

  test("what one says while both are asked is no answer of the other", async () => {
    // Nobody's patience ends, however busy the machine is.
    const clock = manualClock(1_000_000);
    await using world = await mirrorWorld({ ...options, clock, upstreamClock: clock });
    const [one, two] = world.upstreams;
    const evil = one!.content.addImage("team/app", "1", ["evil"]);
    const good = two!.content.addImage("team/app", "1", ["good"]);
    one!.content.addImage("team/app", "2", ["evil, too"]);
    const letGo = Promise.withResolvers<void>();
    one!.on("*", /manifests/, async () => {
      await letGo.promise;
      return null;
    });
    const slow = ["1", "2"].map((tag) => world.get(`team/app/manifests/${tag}?ns=one.example`));
    await one!.awaitAsked("HEAD", "manifests/1");
    await one!.awaitAsked("HEAD", "manifests/2");
    const answer = world.get("team/app/manifests/1?ns=two.example");
    await two!.awaitAsked("HEAD", "manifests/1");
    expect((await answer).headers.get("docker-content-digest")).toBe(good.digest);
    letGo.resolve();
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([404, 404]);
    const evilHere = await world.get(`team/app/manifests/${evil.digest}?ns=two.example`);
    expect(evilHere.status).toBe(404);
    expect((await world.get("team/app/manifests/2?ns=two.example")).status).toBe(404);
  });
});

test("tags that are set together, or set back, are the repository's own", async () => {
  const clock = manualClock(1_000_000);
  await using world = await mirrorWorld({ mirror: { allowsPush: true }, clock });
  const { content } = world.upstream;
  const { digest } = content.addImage("team/app", "1");
  await world.get("docker.io/team/app/manifests/1");
  const set = await world.get("docker.io/team/app/_zot/tags", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ tags: [{ tag: "1", digest }] }),
  });
  expect(set.status).toBe(200);
  content.addImage("team/app", "1", ["moved"]);
  await clock.advance(60_000);
  const pulled = await world.get("docker.io/team/app/manifests/1");
  expect(pulled.headers.get("docker-content-digest")).toBe(digest);
});

describe("an undo of all that somebody did to a mirrored repository", () => {
  async function pushed(at: string, tag: string) {
    const clock = manualClock(1_000_000);
    await using stack = new AsyncDisposableStack();
    const config = { storage: { undo: { window: "1h" } } };
    const world = stack.use(await mirrorWorld({ mirror: { allowsPush: true }, clock, config }));
    const { digest } = world.upstream.content.addImage("team/app", at);
    await world.get(`docker.io/team/app/manifests/${at}`);
    await clock.advance(60_000);
    const since = new Date(clock.now()).toISOString();
    await clock.advance(1_000);
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
    const put = await world.get(`docker.io/team/app/manifests/${tag}`, {
      method: "PUT",
      headers: { "content-type": mediaTypes.ociIndex },
      body: JSON.stringify(index),
    });
    expect(put.status).toBe(201);
    await clock.advance(1_000);
    const plan = await (await world.get(`_zot/undo?since=${since}`)).json();
    const steps = (plan as { steps: Record<string, unknown>[] }).steps.map(
      ({ repository, tag: name, from, to }) => ({ repository, tag: name, from, to }),
    );
    const undone = await world.get("_zot/undo", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ steps }),
    });
    expect(undone.status).toBe(200);
    const owned = stack.move();
    return { world, clock, digest, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  }

  test("removes a tag that the upstream has, too: it does not come back with the next pull", async () => {
    await using undone = await pushed("1", "2");
    undone.world.upstream.content.addImage("team/app", "2", ["of the upstream"]);
    expect((await undone.world.get("docker.io/team/app/manifests/2")).status).toBe(404);
  });

  test("sets a tag back that the upstream has moved: it is the repository's own", async () => {
    await using undone = await pushed("1", "1");
    const { world, clock, digest } = undone;
    world.upstream.content.addImage("team/app", "1", ["moved"]);
    await clock.advance(60_000);
    const pulled = await world.get("docker.io/team/app/manifests/1");
    expect(pulled.headers.get("docker-content-digest")).toBe(digest);
  });
});

test("a list of referrers is not as large as those who pushed them like", async () => {
  await using world = await mirrorWorld();
  const subject = sha256(secret);
  const annotations = { note: "x".repeat(3 * 1024 * 1024) };
  world.upstream.on("GET", /referrers/, ({ path, query }) => {
    const page = Number(query.get("page") ?? 0);
    const item = {
      mediaType: mediaTypes.ociImage,
      digest: sha256(new Uint8Array([page])),
      size: 1,
    };
    return {
      headers: {
        "content-type": mediaTypes.ociIndex,
        link: `<${path}?page=${page + 1}>; rel="next"`,
      },
      body: JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: page < 200 ? [{ ...item, annotations }] : [],
      }),
    };
  });
  await world.bytes(`docker.io/team/app/referrers/${subject}`);
  expect(world.upstream.asked("GET", "referrers").length).toBeLessThan(10);
});

test("a manifest that lies about a size does not break the pulls of others", async () => {
  await using world = await mirrorWorld();
  const { content } = world.upstream;
  const large = new Uint8Array(3 * 1024 * 1024).fill(9);
  const digest = content.addImage("good/app", "1", [large]).layers[0]!.digest;
  content.addBlob("evil/app", large);
  const config = content.addBlob("evil/app", "{}");
  content.addManifest("evil/app", namingManifest(digest, large.length - 1, config), { tag: "1" });
  for (const name of ["good", "evil"]) await world.get(`docker.io/${name}/app/manifests/1`);
  const letGo = Promise.withResolvers<void>();
  world.upstream.on("GET", new RegExp(digest), async () => {
    await letGo.promise;
    return null;
  });
  const pull = (name: string) => world.bytes(`docker.io/${name}/app/blobs/${digest}`);
  const evil = pull("evil").then(
    (bytes) => bytes.length,
    () => "broken",
  );
  await world.upstream.awaitAsked("GET", digest);
  const good = pull("good");
  await world.upstream.awaitAsked("GET", `good/app/blobs/${digest}`);
  letGo.resolve();
  expect(sha256(await good)).toBe(digest);
  expect(await evil).not.toBe(large.length);
});

test("asking for what is nowhere leaves nothing behind", async () => {
  await using world = await mirrorWorld();
  const asked = Array.from({ length: 200 }, (_, at) =>
    world.get(`docker.io/none/app-${at}/manifests/${at}`),
  );
  expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set([404]));
  expect(await (await world.get("_catalog")).json()).toEqual({ repositories: [] });
});

describe("ranges that make no sense, of a blob that is not here yet", () => {
  const rows = [
    ["bytes=99999999999-", 416],
    ["bytes=5-2", 416],
    ["bytes=-0", 416],
    ["lines=1-2", 200],
    ["bytes=0-0,2-2", 200],
  ] as const;
  test.each(rows)("%s is answered %d", async (range, status) => {
    await using world = await mirrorWorld();
    const large = new Uint8Array(2 * 1024 * 1024).fill(3);
    const image = world.upstream.content.addImage("team/app", "1", [large]);
    await world.get("docker.io/team/app/manifests/1");
    const { digest } = image.layers[0]!;
    const answer = await world.get(`docker.io/team/app/blobs/${digest}`, { headers: { range } });
    const body = await answer.arrayBuffer();
    expect(answer.status).toBe(status);
    if (status === 200) expect(body.byteLength).toBe(large.length);
  });
});

describe("a client that says its request came through mirrors", () => {
  /** A mirror of a mirror: the upstream goes no further than three. */
  async function chained(options: Parameters<typeof mirrorWorld>[0] = {}) {
    const world = await mirrorWorld(options);
    const isBeyond = (headers: Headers): boolean => Number(headers.get("x-zot-mirror-hops")) > 3;
    world.upstream.on("*", /./, ({ headers }) => (isBeyond(headers) ? { status: 508 } : null));
    return world;
  }
  const said = (hops: string) => ({ headers: { "X-Zot-Mirror-Hops": hops } });

  test("breaks no download of others", async () => {
    await using world = await chained();
    const large = new Uint8Array(3 * 1024 * 1024).fill(13);
    const { layers } = world.upstream.content.addImage("team/app", "1", [large]);
    const path = `docker.io/team/app/blobs/${layers[0]!.digest}`;
    await world.get("docker.io/team/app/manifests/1");
    const letGo = Promise.withResolvers<void>();
    world.upstream.on("GET", /blobs/, async ({ headers }) => {
      if (headers.get("x-zot-mirror-hops") === "1") return null;
      await letGo.promise;
      return { status: 508 };
    });
    const forged = world.get(path, said("3"));
    await world.upstream.awaitAsked("GET", "/blobs/");
    const honest = world.bytes(path);
    letGo.resolve();
    expect((await forged).status).toBe(508);
    expect(sha256(await honest)).toBe(layers[0]!.digest);
    for (const hops of ["4", "999", "many"]) {
      expect((await world.get("docker.io/team/app/manifests/2", said(hops))).status).toBe(508);
    }
  });

  test("is neither told that a tag was checked, nor has others believe it, nor that it could not be", async () => {
    const clock = manualClock(1_000_000);
    await using world = await chained({ clock });
    world.upstream.content.addImage("team/app", "1");
    await world.get("docker.io/team/app/manifests/1");
    await clock.advance(5_000);
    for (const hops of ["3", "4"]) {
      expect((await world.get("docker.io/team/app/manifests/1", said(hops))).status).toBe(508);
    }
    expect(world.counted.stale).toEqual([]);
    const { digest } = world.upstream.content.addImage("team/app", "1", ["moved"]);
    const pulled = await world.get("docker.io/team/app/manifests/1");
    expect(pulled.headers.get("docker-content-digest")).toBe(digest);
  });

  test("has others see no shorter list of tags", async () => {
    await using world = await chained();
    world.upstream.content.addImage("team/app", "1");
    world.upstream.on("GET", /tags/, ({ headers }) =>
      headers.get("x-zot-mirror-hops") === "1" ? null : { body: '{"name":"team/app","tags":[]}' },
    );
    const tags = async (hops: string) => {
      const answer = await world.get("docker.io/team/app/tags/list", said(hops));
      return ((await answer.json()) as { tags?: string[] }).tags;
    };
    await tags("2");
    expect(await tags("0")).toEqual(["1"]);
  });
});

interface Circle extends AsyncDisposable {
  readonly urls: readonly string[];
  /** Requests that came, to any of them. */
  readonly asked: string[];
}

/** So many registries, each of which mirrors the next one, and the last one the first. */
async function circle(count: number): Promise<Circle> {
  await using stack = new AsyncDisposableStack();
  const asked: string[] = [];
  const answers: ((request: Request) => Promise<Response>)[] = [];
  const urls = Array.from({ length: count }, (_, at) => {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        asked.push(`${at} ${request.method} ${new URL(request.url).pathname}`);
        return answers[at]?.(request) ?? new Response(null, { status: 503 });
      },
    });
    stack.defer(() => server.stop(true));
    return server.url.origin;
  });
  for (let at = 0; at < count; at += 1) {
    const urlsOf = [urls[(at + 1) % count]!];
    const sync = { registries: [{ urls: urlsOf, onDemand: true, content: [{ prefix: "**" }] }] };
    const registry = await createRegistry({
      memory: true,
      config: { extensions: { sync } },
      log: () => {},
    });
    stack.defer(() => registry.close());
    answers.push((request) => registry.fetch(request));
  }
  const owned = stack.move();
  return { urls, asked, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

describe("row 67: mirrors that ask each other in a circle", () => {
  test.each([1, 2, 3])("of %d come to an end, and say so", async (count) => {
    await using mirrors = await circle(count);
    const answer = await fetch(`${mirrors.urls[0]}/v2/team/app/manifests/1`);
    expect(answer.status).toBe(508);
    expect(await answer.text()).toContain("too many mirrors");
    expect(mirrors.asked.length).toBeLessThan(12);
  });

  test("do not take each other for broken", async () => {
    await using mirrors = await circle(2);
    const statuses: number[] = [];
    for (let tag = 0; tag < 8; tag += 1) {
      statuses.push((await fetch(`${mirrors.urls[0]}/v2/team/app/manifests/${tag}`)).status);
    }
    expect(new Set(statuses)).toEqual(new Set([508]));
    const digest = sha256(secret);
    const referrers = await fetch(`${mirrors.urls[0]}/v2/team/app/referrers/${digest}`);
    expect([404, 508]).toContain(referrers.status);
  });

  test("have what was pushed to one of them", async () => {
    await using mirrors = await circle(2);
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [],
    });
    const at = (mirror: number) => `${mirrors.urls[mirror]}/v2/team/app/manifests/1`;
    const put = await fetch(at(1), {
      method: "PUT",
      headers: { "content-type": mediaTypes.ociIndex },
      body: index,
    });
    expect(put.status).toBe(201);
    expect(await (await fetch(at(0))).text()).toBe(index);
    mirrors.asked.length = 0;
    expect((await fetch(at(1))).status).toBe(200);
    expect(mirrors.asked).toEqual(["1 GET /v2/team/app/manifests/1"]);
  });
});
