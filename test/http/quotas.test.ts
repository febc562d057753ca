// Quotas as clients meet them: refused before the body, by every road on which bytes and tags come in, with what there is
// and where to look.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Exchange } from "../../src/client/exchange.ts";
import { config, image, layer, type Content } from "./content.ts";
import { startWorld, type World } from "./world.ts";

const KiB = 1024;
const quotas = [
  { prefix: "full/", bytes: 0 },
  { prefix: "team/", bytes: "100KiB" },
  { prefix: "team/app", bytes: "20KiB" },
  { prefix: "roads/", bytes: "20KiB" },
  { prefix: "mounts/", bytes: "10KiB" },
  { prefix: "undo/", bytes: "20KiB", tags: 2 },
  { prefix: "tags/", tags: 1 },
  { prefix: "warn/", tags: 4, warnAt: 0.5 },
  { prefix: "repos/", maxRepos: 1 },
  { repositories: ["**/scratch"], manifests: 1 },
];
let world: World;

beforeAll(async () => {
  world = await startWorld({ storage: { quotas } });
});
afterAll(() => world[Symbol.asyncDispose]());

/** Bytes of its own for each use. */
function content(sizeBytes: number, mark: string): Content {
  const bytes = new Uint8Array(sizeBytes).fill(46);
  bytes.set(new TextEncoder().encode(mark));
  return { bytes, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` } as Content;
}

/** A body without a Content-Length. */
async function* unannounced(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 4 * KiB) {
    yield bytes.slice(at, at + 4 * KiB);
    await Bun.sleep(0);
  }
}

function errorOf({ body }: Pick<Exchange, "body">): {
  code: string;
  message: string;
  detail: unknown;
} {
  return JSON.parse(Buffer.from(body).toString()).errors[0];
}

const post = (repository: string, { digest, bytes }: Content): Promise<Exchange> =>
  world.send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: bytes });

async function open(repository: string): Promise<string> {
  const opened = await world.send("POST", `/v2/${repository}/blobs/uploads/`);
  expect(opened.status).toBe(202);
  return opened.headers.get("location") ?? "";
}

async function put(repository: string, tag: string, manifest = image()): Promise<Exchange> {
  for (const blob of [config, layer]) await post(repository, blob);
  const headers = { "content-type": manifest.mediaType };
  return world.send("PUT", `/v2/${repository}/manifests/${tag}`, { body: manifest.bytes, headers });
}

const used = async (repository: string): Promise<number> => {
  const { body } = await world.send("GET", `/v2/${repository}/_zot/usage`);
  return JSON.parse(Buffer.from(body).toString()).quotas[0].used.bytes;
};

describe("bytes", () => {
  test("an upload to a full quota is refused when it begins", async () => {
    const refused = await world.send("POST", "/v2/full/app/blobs/uploads/");
    expect(refused.status).toBe(403);
    expect(errorOf(refused)).toEqual({
      code: "DENIED",
      message: "quota of full/: 0 B used of 0 B, this layer needs room; see `zot du full/`",
      detail: { limit: 0, used: 0, need: 1, scope: "full/" },
    });
    expect(world.records.at(-1)?.what).toBe("upload.start");
    // docker tries to mount a layer that it has pushed elsewhere, and streams it where it cannot: it prints the same.
    const layerElsewhere = content(64, "not to be mounted");
    const mount = await world.send(
      "POST",
      `/v2/full/app/blobs/uploads/?mount=${layerElsewhere.digest}&from=free/app`,
    );
    expect(mount.status).toBe(202);
    const stream = await fetch(`${world.url}${mount.headers.get("location")}`, {
      method: "PATCH",
      body: unannounced(layerElsewhere.bytes),
    });
    expect([stream.status, errorOf({ body: await stream.bytes() })]).toEqual([
      403,
      errorOf(refused),
    ]);
  });

  test("the tighter of two quotas answers, and names its scope", async () => {
    const refused = await post("team/app", content(30 * KiB, "tighter"));
    expect(refused.status).toBe(403);
    expect(errorOf(refused)).toEqual({
      code: "DENIED",
      message:
        "quota of team/app: 0 B used of 20 KiB, this layer needs 30 KiB; see `zot du team/app`",
      detail: { limit: 20 * KiB, used: 0, need: 30 * KiB, scope: "team/app" },
    });
    expect((await post("team/web", content(90 * KiB, "wider"))).status).toBe(201);
    expect(errorOf(await post("team/app", content(15 * KiB, "wider still")))).toMatchObject({
      message:
        "quota of team/: 90 KiB used of 100 KiB, this layer needs 15 KiB; see `zot du team/`",
    });
  });

  test("every road: in one request, in chunks, as a stream, with the last request", async () => {
    const large = content(30 * KiB, "roads");
    const before = await used("roads/app").catch(() => 0);
    const inOne = await post("roads/app", large);
    const chunk = await world.send("PATCH", await open("roads/app"), { body: large.bytes });
    const last = await world.send("PUT", `${await open("roads/app")}?digest=${large.digest}`, {
      body: large.bytes,
    });
    const stream = await fetch(`${world.url}${await open("roads/app")}`, {
      method: "PATCH",
      body: unannounced(large.bytes),
    });
    const first = await open("roads/app");
    const half = await world.send("PATCH", first, { body: large.bytes.slice(0, 15 * KiB) });
    expect(half.status).toBe(202);
    const rest = await world.send("PATCH", half.headers.get("location") ?? "", {
      body: large.bytes.slice(15 * KiB),
    });
    expect([inOne, chunk, last, rest].map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect(stream.status).toBe(403);
    expect(await stream.text()).toMatch(/this layer needs more than \d/);
    expect((await world.send("DELETE", half.headers.get("location") ?? "")).status).toBe(204);
    expect(before).toBe(0);
    // What was refused reserves nothing.
    expect((await post("roads/app", content(20 * KiB, "fits"))).status).toBe(201);
    expect((await post("roads/app", content(8, "no more"))).status).toBe(403);
  });

  test("what the quota has already is free, whichever of its repositories has it", async () => {
    const same = content(20 * KiB, "fits");
    const target = `/v2/roads/other/blobs/uploads/?mount=${same.digest}&from=roads/app`;
    expect((await world.send("POST", target)).status).toBe(201);
    expect((await post("roads/third", same)).status).toBe(201);
    expect((await post("roads/third", same)).status).toBe(201);
    expect(await used("roads/third")).toBe(20 * KiB);
  });

  test("a mount for which there is no room opens an upload, which is refused when bytes come", async () => {
    const large = content(30 * KiB, "to mount");
    expect((await post("elsewhere", large)).status).toBe(201);
    const target = `/v2/mounts/app/blobs/uploads/?mount=${large.digest}&from=elsewhere`;
    const opened = await world.send("POST", target);
    expect(opened.status).toBe(202);
    const location = opened.headers.get("location") ?? "";
    const refused = await world.send("PATCH", location, { body: large.bytes });
    expect([refused.status, errorOf(refused).code]).toEqual([403, "DENIED"]);
    expect((await world.send("HEAD", `/v2/mounts/app/blobs/${large.digest}`)).status).toBe(404);
    const small = content(9 * KiB, "small to mount");
    expect((await post("elsewhere", small)).status).toBe(201);
    const mount = `/v2/mounts/app/blobs/uploads/?mount=${small.digest}&from=elsewhere`;
    expect((await world.send("POST", mount)).status).toBe(201);
  });

  test("manifests take bytes, too, and pulls and deletes need none", async () => {
    const fill = content(20 * KiB - 300, "fill");
    expect((await post("undo/app", fill)).status).toBe(201);
    const refused = await put("undo/app", "v1", image({ annotations: { long: "x".repeat(400) } }));
    expect([refused.status, errorOf(refused).message]).toEqual([
      403,
      expect.stringMatching(
        /^quota of undo\/: 19\.7 KiB used of 20 KiB, this push needs \d+ B; see/,
      ),
    ]);
    expect((await world.send("GET", `/v2/undo/app/blobs/${fill.digest}`)).status).toBe(200);
    expect((await world.send("DELETE", `/v2/undo/app/blobs/${fill.digest}`)).status).toBe(202);
  });

  test("an undo comes back only where there is room", async () => {
    const pushed = await put("undo/app", "v1");
    expect(pushed.status).toBe(201);
    const digest = pushed.headers.get("docker-content-digest") ?? "";
    expect((await world.send("DELETE", `/v2/undo/app/manifests/${digest}`)).status).toBe(202);
    for (const tag of ["a", "b"]) {
      const other = image({ annotations: { name: tag } });
      expect((await put("undo/app", tag, other)).status).toBe(201);
    }
    const headers = { "content-type": "application/json" };
    const restore = (): Promise<Exchange> =>
      world.send("POST", "/v2/undo/app/_zot/tag-history/v1/restore", {
        headers,
        body: JSON.stringify({ digest, expect: null }),
      });
    const refused = await restore();
    expect([refused.status, errorOf(refused).message]).toEqual([
      403,
      "quota of undo/: 2 of 2 tags used, this push needs 1 more; see `zot du undo/`",
    ]);
    const undone = await world.send("POST", "/v2/_zot/undo", {
      headers,
      body: JSON.stringify({
        steps: [{ repository: "undo/app", tag: "v1", from: null, to: digest }],
      }),
    });
    expect([undone.status, errorOf(undone).code]).toEqual([403, "DENIED"]);
    const undelete = await world.send("POST", "/v2/undo/app/_zot/undelete", {
      headers,
      body: JSON.stringify({ digest }),
    });
    expect(undelete.status).toBe(200);
    expect((await world.send("DELETE", "/v2/undo/app/manifests/a")).status).toBe(202);
    expect((await restore()).status).toBe(200);
  });
});

describe("tags, manifests and repositories", () => {
  test("a new tag is refused, one that is there moves", async () => {
    expect((await put("tags/app", "v1")).status).toBe(201);
    expect((await put("tags/app", "v1", image({ annotations: { name: "moved" } }))).status).toBe(
      201,
    );
    const refused = await put("tags/app", "v2");
    expect([refused.status, errorOf(refused)]).toEqual([
      403,
      {
        code: "DENIED",
        message: "quota of tags/: 1 of 1 tags used, this push needs 1 more; see `zot du tags/`",
        detail: { limit: 1, used: 1, need: 1, scope: "tags/" },
      },
    ]);
  });

  test("repositories below a prefix, and globs", async () => {
    expect((await put("repos/one", "v1")).status).toBe(201);
    expect(errorOf(await put("repos/two", "v1"))).toMatchObject({
      code: "DENIED",
      message:
        "quota of repos/: 1 of 1 repositories used, this push needs 1 more; see `zot du repos/`",
    });
    expect((await put("repos/one", "v2")).status).toBe(201);
    expect((await put("any/scratch", "v1")).status).toBe(201);
    expect(
      errorOf(await put("any/scratch", "v2", image({ annotations: { n: "2" } }))),
    ).toMatchObject({
      message: "quota of **/scratch: 1 of 1 manifests used, this push needs 1 more; see `zot du`",
    });
  });

  test("from warnAt on a push carries a warning", async () => {
    expect((await put("warn/app", "v1")).headers.get("warning")).toBe(null);
    expect((await put("warn/app", "v2")).headers.get("warning")).toBe(
      '299 - "quota of warn/: 2 of 4 tags used"',
    );
  });

  test("usage tells the quotas of a repository", async () => {
    const { body } = await world
      .send("GET", "/v2/team/app/_zot/usage")
      .catch(() => ({ body: null }));
    expect(body).not.toBe(null);
    const list = await world.send("GET", "/v2/_zot/usage?n=0");
    const told = JSON.parse(Buffer.from(list.body).toString()).quotas;
    expect(told.map(({ scope }: { scope: string }) => scope)).toEqual(
      quotas.map((each) => ("prefix" in each ? each.prefix : each.repositories.join(", "))),
    );
    expect(told[1]).toMatchObject({
      limits: { bytes: 100 * KiB, tags: null },
      used: { bytes: 90 * KiB },
    });
  });

  test("names of the past and names in other scripts get around nothing", async () => {
    for (const name of ["at.1d/full/app", "at.n1/full/app"]) {
      const answer = await world.send("POST", `/v2/${name}/blobs/uploads/`);
      expect(answer.status).toBe(405);
    }
    for (const name of ["full%2Fapp", "FULL/app", "%66ull/app", "full/./app", "full//app"]) {
      const answer = await world.send("POST", `/v2/${name}/blobs/uploads/`);
      expect([name, answer.status < 300]).toEqual([name, false]);
    }
  });
});
