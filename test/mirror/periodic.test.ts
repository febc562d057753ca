// Copies from time to time, by the rows of the study: what changed is fetched and nothing else, whatever the upstream
// does. The rounds of a test are told apart by a clock that stands still until the test moves it.

import { describe, expect, test } from "bun:test";
import { createRegistry } from "../../src/create_registry.ts";
import { manualClock, systemClock } from "../../src/lib/clock.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { eventually } from "../processes.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

const hourMs = 60 * 60_000;

interface Line {
  readonly msg: string;
  readonly [field: string]: unknown;
}

interface PeriodicWorld extends AsyncDisposable {
  readonly upstream: ScriptedUpstream;
  lines(message: string): Line[];
  /** Moves the clock by more than the interval, and waits for the end of that round. */
  round(): Promise<void>;
  /** Moves the clock. */
  wait(ms: number): Promise<void>;
  get(path: string): Promise<Response>;
  tags(repository: string): Promise<string[]>;
  send(method: string, path: string, body?: Uint8Array, type?: string): Promise<Response>;
}

async function periodicWorld(
  entry: object,
  fill: (upstream: ScriptedUpstream) => void,
  during: ((get: PeriodicWorld["get"]) => Promise<void>) | null = null,
  script: (upstream: ScriptedUpstream) => void = () => {},
): Promise<PeriodicWorld> {
  const upstream = await ScriptedUpstream.start();
  fill(upstream);
  script(upstream);
  const log: Line[] = [];
  const clock = manualClock(Date.UTC(2026, 0, 1));
  const registry = await createRegistry({
    memory: true,
    // Who follows a download looks at it now and then.
    clock: during === null ? clock : systemClock,
    config: {
      extensions: {
        sync: {
          enable: true,
          registries: [
            {
              urls: [upstream.url],
              tlsVerify: false,
              pollInterval: "1h",
              content: [{ prefix: "**" }],
              ...entry,
            },
          ],
        },
      },
    },
    log: (line: string) => void log.push(JSON.parse(line) as Line),
  });
  const lines = (message: string): Line[] => log.filter(({ msg }) => msg === message);
  const ended = (): number =>
    lines("finished a round of an upstream").length +
    lines("an upstream could not be synced").length;
  let rounds = 0;
  const ends = async (): Promise<void> => {
    rounds += 1;
    await eventually(`round ${rounds} ends`, () => ended() >= rounds);
  };
  const send: PeriodicWorld["send"] = (method, path, body, type) =>
    registry.fetch(
      new Request(`http://mirror.test/v2/${path}`, {
        method,
        ...(body === undefined ? {} : { body }),
        ...(type === undefined ? {} : { headers: { "content-type": type } }),
      }),
    );
  // The first round is at the start.
  await during?.((path) => send("GET", path));
  await ends();
  return {
    upstream,
    lines,
    round: async () => {
      await clock.advance(1.2 * hourMs);
      await ends();
    },
    wait: (ms) => clock.advance(ms),
    get: (path) => send("GET", path),
    tags: async (repository) => {
      const answer = await send("GET", `${repository}/tags/list`);
      if (answer.status === 404) return [];
      return ((await answer.json()) as { tags: string[] }).tags;
    },
    send,
    [Symbol.asyncDispose]: async () => {
      upstream.cutAll();
      await registry.close();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

async function digestAt(world: PeriodicWorld, path: string): Promise<string | null> {
  const answer = await world.get(path);
  await answer.arrayBuffer();
  return answer.status === 200 ? answer.headers.get("docker-content-digest") : null;
}

function signatureOf(
  upstream: ScriptedUpstream,
  name: string,
  subject: string,
  size: number,
): string {
  const config = upstream.content.addBlob(name, "{}");
  return upstream.content.addManifest(name, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    artifactType: "application/vnd.cncf.notary.signature",
    config: { mediaType: mediaTypes.ociEmpty, digest: config, size: 2 },
    layers: [],
    subject: { mediaType: mediaTypes.ociImage, digest: subject, size },
  });
}

describe("what is copied", () => {
  test("all of it at the start: images with their blobs, under the names of the content", async () => {
    await using world = await periodicWorld(
      { content: [{ prefix: "team/**", destination: "/mirror" }] },
      ({ content }) => {
        content.addImage("team/app", "1.0", ["one", "two"]);
        content.addImage("other/app", "1.0");
      },
    );
    const answer = await world.get("mirror/team/app/manifests/1.0");
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { layers: { digest: string }[] };
    world.upstream.requests.length = 0;
    const layer = await world.get(`mirror/team/app/blobs/${body.layers[1]?.digest}`);
    expect(await layer.text()).toBe("two");
    expect(world.upstream.requests).toEqual([]);
    const catalog = (await (await world.get("_catalog")).json()) as { repositories: string[] };
    expect(catalog.repositories).toEqual(["mirror/team/app"]);
    expect(world.lines("will not sync image, filtered out by content")).toHaveLength(1);
    expect(world.lines("finished generating tasks to sync repositories")).toHaveLength(1);
    expect(world.lines("successfully synced image")).toHaveLength(1);
    expect(world.lines("finished syncing repo")).toHaveLength(1);
  });

  test("63: of what did not change nothing is fetched; what moved is, and a new signature of an old digest", async () => {
    await using world = await periodicWorld({}, ({ content }) => {
      for (const tag of ["1", "2", "3"]) content.addImage("app", tag, ["base", `own ${tag}`]);
    });
    const { upstream } = world;
    upstream.requests.length = 0;
    await world.round();
    expect(world.lines("skipping image because it's already synced")).toHaveLength(3);
    expect(
      upstream.asked("GET", "/manifests/").length + upstream.asked("GET", "/blobs/").length,
    ).toBe(0);

    const old = await world.get("app/manifests/1");
    const bytes = new Uint8Array(await old.arrayBuffer());
    const subject = old.headers.get("docker-content-digest") ?? "";
    const signature = signatureOf(upstream, "app", subject, bytes.length);
    const moved = upstream.content.addImage("app", "2", ["base", "moved"]);
    upstream.requests.length = 0;
    await world.round();
    expect(await digestAt(world, "app/manifests/2")).toBe(moved.digest);
    expect(await digestAt(world, `app/manifests/${signature}`)).toBe(signature);
    const listed = (await (await world.get(`app/referrers/${subject}`)).json()) as {
      manifests: { digest: string }[];
    };
    expect(listed.manifests.map(({ digest }) => digest)).toEqual([signature]);
    expect(upstream.asked("GET", "/manifests/").length).toBe(2);
    // The moved image's layer, and the configuration of the signature.
    expect(upstream.asked("GET", "/blobs/").length).toBe(2);
  });

  test("59: signatures of cosign come along, those under tags of their own, too", async () => {
    const digests: string[] = [];
    await using world = await periodicWorld({}, ({ content }) => {
      const image = content.addImage("app", "1");
      const tag = `${image.digest.replace(":", "-")}.sig`;
      digests.push(tag, content.addImage("app", tag, ["signature"]).digest);
    });
    expect(await digestAt(world, `app/manifests/${digests[0]}`)).toBe(digests[1] ?? "");
  });

  test("64: without a list of repositories the prefixes without a glob are copied", async () => {
    await using world = await periodicWorld(
      { content: [{ prefix: "a/one" }, { prefix: "a/two" }] },
      (upstream) => {
        upstream.on("GET", "/v2/_catalog", { status: 401 });
        upstream.content.addImage("a/one", "1");
        upstream.content.addImage("a/two", "2");
      },
    );
    expect(world.upstream.asked("*", "_catalog")).toEqual([]);
    expect([await world.tags("a/one"), await world.tags("a/two")]).toEqual([["1"], ["2"]]);
  });

  test("64: so they are beside a glob, whose repositories nobody lists", async () => {
    await using world = await periodicWorld(
      { content: [{ prefix: "a/one" }, { prefix: "b/**" }] },
      (upstream) => {
        upstream.on("GET", "/v2/_catalog", { status: 401 });
        upstream.content.addImage("a/one", "1");
        upstream.content.addImage("b/two", "2");
      },
    );
    expect([await world.tags("a/one"), await world.tags("b/two")]).toEqual([["1"], []]);
    expect(
      world.lines("the upstream lists no repositories; only those without a glob are synced"),
    ).toHaveLength(1);
  });

  test("tags are chosen by regex, excludeRegex and semver, in that order", async () => {
    const tags = { regex: "^v?[0-9]", excludeRegex: "beta", semver: true };
    await using world = await periodicWorld(
      { content: [{ prefix: "**", tags }] },
      ({ content }) => {
        for (const tag of ["v1.0.0", "1.2", "2", "1.0.0-beta", "1x", "latest", "v3.1.0-rc1"]) {
          content.addImage("app", tag);
        }
      },
    );
    expect(await world.tags("app")).toEqual(["1.2", "2", "v1.0.0", "v3.1.0-rc1"]);
  });

  test("of an index with platforms only those images come, and the index stays as it is", async () => {
    const made: Record<string, string> = {};
    await using world = await periodicWorld({ platforms: ["linux/amd64"] }, ({ content }) => {
      const children = ["amd64", "arm64"].map((architecture) => {
        const { digest, bytes } = content.addImage("app", null, [`for ${architecture}`]);
        made[architecture] = digest;
        return {
          mediaType: mediaTypes.ociImage,
          digest,
          size: bytes.length,
          platform: { os: "linux", architecture },
        };
      });
      made["index"] = content.addManifest(
        "app",
        { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children },
        { tag: "1" },
      );
    });
    expect(await digestAt(world, "app/manifests/1")).toBe(made["index"] ?? "");
    expect(await digestAt(world, `app/manifests/${made["amd64"]}`)).toBe(made["amd64"] ?? "");
    expect(await digestAt(world, `app/manifests/${made["arm64"]}`)).toBeNull();
  });

  test("with onlySigned an image without a signature is left out", async () => {
    await using world = await periodicWorld({ onlySigned: true }, (upstream) => {
      upstream.content.addImage("app", "unsigned");
      const signed = upstream.content.addImage("app", "signed");
      signatureOf(upstream, "app", signed.digest, signed.bytes.length);
      const legacy = upstream.content.addImage("app", "legacy");
      upstream.content.addImage("app", `${legacy.digest.replace(":", "-")}.sig`);
    });
    const tags = await world.tags("app");
    expect(tags.filter((tag) => !tag.startsWith("sha256-"))).toEqual(["legacy", "signed"]);
    expect(world.lines("skipping image without mandatory signature")).toMatchObject([
      { tag: "unsigned" },
    ]);
  });
});

describe("what goes wrong", () => {
  test("65: tags that are gone upstream stay, and go where propagateDeletes says so", async () => {
    for (const propagateDeletes of [false, true]) {
      await using world = await periodicWorld({ propagateDeletes }, ({ content }) => {
        for (const tag of ["1", "2", "3", "4"]) content.addImage("app", tag);
      });
      world.upstream.content.removeTag("app", "4");
      await world.round();
      expect(await world.tags("app")).toEqual(
        propagateDeletes ? ["1", "2", "3"] : ["1", "2", "3", "4"],
      );
    }
  });

  test("65: an upstream that loses more than half of its tags, or breaks its list off, takes nothing along", async () => {
    await using world = await periodicWorld({ propagateDeletes: true }, ({ content }) => {
      for (const tag of ["1", "2", "3", "4"]) content.addImage("app", tag);
    });
    for (const tag of ["2", "3", "4"]) world.upstream.content.removeTag("app", tag);
    await world.round();
    expect(await world.tags("app")).toEqual(["1", "2", "3", "4"]);
    expect(
      world.lines("the upstream lost more than half of its tags: nothing is removed"),
    ).toHaveLength(1);
    world.upstream.on("GET", "/v2/app/tags/list", { status: 500 });
    await world.round();
    expect(await world.tags("app")).toEqual(["1", "2", "3", "4"]);
    expect(world.lines("a repository could not be synced").length).toBeGreaterThan(0);
  });

  test("a tag that was pushed here is never moved or removed by its upstream", async () => {
    await using world = await periodicWorld({ propagateDeletes: true }, ({ content }) => {
      content.addImage("app", "1");
      content.addImage("app", "2");
    });
    const other = await world.get("app/manifests/2");
    const bytes = new Uint8Array(await other.arrayBuffer());
    const pushed = await world.send("PUT", "app/manifests/own", bytes, mediaTypes.ociImage);
    expect(pushed.status).toBe(201);
    world.upstream.content.addImage("app", "own", ["from the upstream"]);
    await world.round();
    expect(await digestAt(world, "app/manifests/own")).toBe(
      other.headers.get("docker-content-digest"),
    );
    expect(world.lines("a tag was pushed here, and stays")).toMatchObject([{ tag: "own" }]);
    world.upstream.content.removeTag("app", "own");
    await world.round();
    expect(await world.tags("app")).toEqual(["1", "2", "own"]);
  });

  test("an image with a wrong blob is left out, the others come, and the next round brings it", async () => {
    let bad = "";
    await using world = await periodicWorld({}, (upstream) => {
      bad = upstream.content.addImage("app", "bad", ["right bytes"]).layers[0]?.digest ?? "";
      upstream.content.addImage("app", "good");
      upstream.on("GET", `/v2/app/blobs/${bad}`, { body: "wrong bytes" });
    });
    expect(await world.tags("app")).toEqual(["good"]);
    expect((await world.get(`app/blobs/${bad}`)).status).toBe(404);
    expect(world.lines("an image could not be synced")).toMatchObject([{ tag: "bad" }]);
    world.upstream.reset();
    // The upstream is left alone for a while after wrong bytes.
    await world.round();
    expect(await world.tags("app")).toEqual(["bad", "good"]);
  });

  test("an index whose image is gone fails, and what it names otherwise is here", async () => {
    let child = "";
    await using world = await periodicWorld({}, ({ content }) => {
      const image = content.addImage("app", null);
      child = image.digest;
      const gone = { mediaType: mediaTypes.ociImage, digest: `sha256:${"0".repeat(64)}`, size: 10 };
      const there = { mediaType: mediaTypes.ociImage, digest: child, size: image.bytes.length };
      content.addManifest(
        "app",
        { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [there, gone] },
        { tag: "1" },
      );
    });
    expect(world.lines("an image could not be synced")).toHaveLength(1);
    expect(await world.tags("app")).toEqual([]);
  });

  test("an image that takes longer than syncTimeout is left out, and the others come", async () => {
    const gate = Promise.withResolvers<void>();
    await using world = await periodicWorld(
      { syncTimeout: "500ms", maxRetries: 0 },
      ({ content }) => {
        content.addImage("app", "quick");
        content.addImage("app", "slow", ["slow layer"]);
      },
      async () => {},
      (upstream) => {
        const layer = digestOf("sha256", new TextEncoder().encode("slow layer"));
        upstream.on("GET", `/v2/app/blobs/${layer}`, async () => {
          await gate.promise;
          return null;
        });
      },
    );
    expect(await world.tags("app")).toEqual(["quick"]);
    expect(world.lines("an image could not be synced")).toMatchObject([
      { tag: "slow", problem: "the image did not come within 500ms" },
    ]);
    gate.resolve();
  });

  test.each([
    [{ maxRetries: 2, retryDelay: "10ms", maxRetryDelay: "20ms" }, 3],
    [{}, 1],
  ])("with %j a repository is tried %d times in a round", async (entry, tries) => {
    await using world = await periodicWorld(
      { ...entry, content: [{ prefix: "app" }] },
      ({ content }) => void content.addImage("app", "v1"),
      async () => {},
      (upstream) => upstream.on("GET", "/v2/app/tags/list", () => ({ status: 500 })),
    );
    expect(world.upstream.asked("GET", "/v2/app/tags/list")).toHaveLength(tries);
    expect(world.lines("a repository could not be synced")).toHaveLength(1);
  });

  test("rounds come when their interval is over, a tenth sooner or later", async () => {
    await using world = await periodicWorld(
      {},
      ({ content }) => void content.addImage("app", "v1"),
    );
    const asked = (): number => world.upstream.asked("GET", "/v2/_catalog").length;
    expect(asked()).toBe(1);
    await world.wait(0.89 * hourMs);
    expect(asked()).toBe(1);
    await world.wait(0.22 * hourMs);
    await eventually("the next round has begun", () => asked() === 2);
  });

  test("68: no more requests run at once than reqConcurrent says", async () => {
    const running = { now: 0, most: 0 };
    await using world = await periodicWorld({ reqConcurrent: 2 }, (upstream) => {
      upstream.content.addImage(
        "app",
        "1",
        Array.from({ length: 10 }, (_, at) => `layer ${at}`),
      );
      upstream.on("*", /./, async () => {
        running.now += 1;
        running.most = Math.max(running.most, running.now);
        await Bun.sleep(2);
        running.now -= 1;
        return null;
      });
    });
    expect(await world.tags("app")).toEqual(["1"]);
    expect(running.most).toBeLessThanOrEqual(2);
  });
});

test("66: a pull beside a round costs the upstream nothing more", async () => {
  const asked = Promise.withResolvers<void>();
  const pulled = Promise.withResolvers<void>();
  let layer = "";
  let text = "";
  await using world = await periodicWorld(
    { onDemand: true },
    (upstream) => {
      const image = upstream.content.addImage("app", "1", ["the layer"]);
      layer = image.layers[0]?.digest ?? "";
      upstream.on("GET", `/v2/app/blobs/${layer}`, async () => {
        asked.resolve();
        await pulled.promise;
        return null;
      });
    },
    async (get) => {
      await asked.promise;
      expect((await get("app/manifests/1")).status).toBe(200);
      const pull = get(`app/blobs/${layer}`);
      pulled.resolve();
      text = await (await pull).text();
    },
  );
  expect(text).toBe("the layer");
  expect(world.upstream.asked("GET", `/blobs/${layer}`)).toHaveLength(1);
  expect(await world.tags("app")).toEqual(["1"]);
});

test("67: two mirrors of each other have the same after a round, and are quiet then", async () => {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  const log: string[][] = [[], []];
  const asked: string[][] = [[], []];
  const opened: Awaited<ReturnType<typeof createRegistry>>[] = [];
  const servers = [0, 1].map((at) =>
    Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        asked[at]?.push(`${request.method} ${new URL(request.url).pathname}`);
        return opened[at]?.fetch(request) ?? new Response(null, { status: 503 });
      },
    }),
  );
  const roundsOf = (at: number): number =>
    (log[at] ?? []).filter((line) => /finished a round|an upstream could not/.test(line)).length;
  try {
    for (const at of [0, 1]) {
      const other = servers[1 - at]?.url.origin ?? "";
      const entry = {
        urls: [other],
        tlsVerify: false,
        pollInterval: "1h",
        content: [{ prefix: "**" }],
      };
      opened.push(
        await createRegistry({
          memory: true,
          clock,
          config: { extensions: { sync: { enable: true, registries: [entry] } } },
          log: (line: string) => void log[at]?.push(line),
        }),
      );
      await eventually(`the first round of ${at} ends`, () => roundsOf(at) >= 1);
    }
    const round = async (): Promise<void> => {
      const before = [roundsOf(0), roundsOf(1)];
      await clock.advance(1.2 * hourMs);
      await eventually("both rounds end", () =>
        [0, 1].every((at) => roundsOf(at) > (before[at] ?? 0)),
      );
    };
    const bytes = new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }),
    );
    const put = (at: number, path: string): Promise<Response> =>
      fetch(`${servers[at]?.url.origin}/v2/${path}`, {
        method: "PUT",
        headers: { "content-type": mediaTypes.ociIndex },
        body: bytes,
      });
    expect((await put(0, "first/app/manifests/1")).status).toBe(201);
    expect((await put(1, "second/app/manifests/2")).status).toBe(201);
    await round();
    await round();
    for (const at of [0, 1]) {
      const origin = servers[at]?.url.origin ?? "";
      for (const path of ["first/app/manifests/1", "second/app/manifests/2"]) {
        expect((await fetch(`${origin}/v2/${path}`, { method: "HEAD" })).status).toBe(200);
      }
    }
    for (const list of asked) list.length = 0;
    await round();
    const fetched = asked.flat().filter((line) => /^GET .*\/(manifests|blobs)\//.test(line));
    expect(fetched).toEqual([]);
  } finally {
    for (const registry of opened) await registry.close();
    for (const server of servers) await server.stop(true);
  }
});
