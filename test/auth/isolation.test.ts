// What callers can find out about, and do to, what is not theirs: lists, mounts, uploads, immutable tags, denied pushes.
//
// Each is a published vulnerability of some registry, or a rule of zot's access control that needs something to be there.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../clients/base_image.ts";
import {
  config,
  content,
  descriptor,
  emptyIndexPush,
  index,
  layer,
  manifestOf,
} from "../http/content.ts";
import type { ManifestContent } from "../http/content.ts";
import { filesOf } from "../http/world.ts";
import { tempDirectory } from "../temp.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { jsonOf, startAuthWorld, textOf, type AuthWorld, type User } from "./world.ts";

let world: AuthWorld;
beforeAll(async () => {
  world = await startAuthWorld({ http: { externalUrl: "http://registry.example.com" } });
  for (const repository of ["a/priv", "b/priv", "pub/open"]) {
    await pushImage("admin", repository, "v1");
  }
});
afterAll(() => world[Symbol.asyncDispose]());

function image(mark: string): ManifestContent {
  return manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: descriptor(config, mediaTypes.ociConfig),
    layers: [descriptor(layer, mediaTypes.octetStream)],
    annotations: { mark },
  });
}

async function pushBlobs(user: User, repository: string): Promise<void> {
  for (const blob of [config, layer]) {
    const target = `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`;
    expect((await world.as(user, "POST", target, { body: blob.bytes })).status).toBe(201);
  }
}

async function put(
  user: User | null,
  repository: string,
  reference: string,
  mark: string,
  at = world,
) {
  const { bytes, mediaType } = image(mark);
  return await at.as(user, "PUT", `/v2/${repository}/manifests/${reference}`, {
    headers: { "content-type": mediaType },
    body: bytes,
  });
}

async function pushImage(user: User, repository: string, tag: string): Promise<void> {
  await pushBlobs(user, repository);
  expect((await put(user, repository, tag, `${repository}:${tag}`)).status).toBe(201);
}

async function digestOfTag(repository: string, tag: string): Promise<string | null> {
  const answer = await world.as("admin", "HEAD", `/v2/${repository}/manifests/${tag}`);
  return answer.headers.get("docker-content-digest");
}

describe("the catalog", () => {
  const seen: [User | null, string[]][] = [
    [null, ["pub/open"]],
    ["nobody", ["pub/open"]],
    ["readerA", ["a/priv", "pub/open"]],
    ["readerB", ["b/priv", "pub/open"]],
    ["globalRO", ["a/priv", "b/priv", "pub/open"]],
    ["admin", ["a/priv", "b/priv", "pub/open"]],
  ];
  for (const [user, repositories] of seen) {
    test(`of ${user ?? "an anonymous caller"} is what they may read`, async () => {
      const answer = await world.as(user, "GET", "/v2/_catalog");
      expect(jsonOf(answer)).toEqual({ repositories });
    });
  }

  test("its pages and cursors tell nothing of others", async () => {
    const page = async (query: string): Promise<Record<string, unknown>> => {
      const answer = await world.as("readerB", "GET", `/v2/_catalog?${query}`);
      return { ...jsonOf(answer), link: answer.headers.get("link") };
    };
    expect(await page("n=1")).toEqual({
      repositories: ["b/priv"],
      link: '</v2/_catalog?n=1&last=b%2Fpriv>; rel="next"',
    });
    expect(await page("n=2")).toEqual({ repositories: ["b/priv", "pub/open"], link: null });
    // A cursor at what may not be read is the same as one at what is not there.
    expect(await page("last=a/priv")).toEqual(await page("last=a/none"));
    expect(await page("last=zzz")).toEqual({ repositories: [], link: null });
  });
});

describe("bytes of another repository", () => {
  test("are not there, though the registry has them", async () => {
    const secret = content("only in a/priv");
    const target = `/v2/a/priv/blobs/uploads/?digest=${secret.digest}`;
    expect((await world.as("writerA", "POST", target, { body: secret.bytes })).status).toBe(201);
    for (const user of ["readerB", "admin", null] as const) {
      for (const method of ["HEAD", "GET"]) {
        const headers: Record<string, string> = method === "GET" ? { range: "bytes=0-1" } : {};
        const path = `/v2/pub/open/blobs/${secret.digest}`;
        expect((await world.as(user, method, path, { headers })).status).toBe(404);
      }
    }
  });

  const refusals: [says: string, query: string][] = [
    ["a source that may not be read", `mount=${layer.digest}&from=b/priv`],
    ["a source that is not there", `mount=${layer.digest}&from=b/none`],
    ["a name that is none", `mount=${layer.digest}&from=B/!`],
    ["a blob that is not there", `mount=${sha256("nothing")}&from=a/priv`],
    ["no source, and nobody who may be read has it", `mount=${sha256("only in b")}`],
  ];
  test("are not mounted, and every reason is the same answer", async () => {
    const only = content("only in b");
    const target = `/v2/b/priv/blobs/uploads/?digest=${only.digest}`;
    await world.as("admin", "POST", target, { body: only.bytes });
    const answers = [];
    for (const [, query] of refusals) {
      const answer = await world.as("writerA", "POST", `/v2/a/mounts/blobs/uploads/?${query}`);
      const location = answer.headers.get("location") ?? "";
      const id = location.slice(location.lastIndexOf("/") + 1);
      answers.push({
        status: answer.status,
        headers: answer.headers.lines
          .filter(([name]) => name.toLowerCase() !== "date")
          .map(([name, value]) => [name, value.replaceAll(id, "{id}")]),
        body: Buffer.from(answer.body).toString(),
      });
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 202 });
  });

  test("are mounted from where the caller may read, with and without a name", async () => {
    const named = `/v2/a/mounted/blobs/uploads/?mount=${layer.digest}&from=pub/open`;
    expect((await world.as("writerA", "POST", named)).status).toBe(201);
    const anywhere = `/v2/a/mounted/blobs/uploads/?mount=${config.digest}`;
    expect((await world.as("writerA", "POST", anywhere)).status).toBe(201);
  });

  test("are not mounted by a token that is not good for the source", async () => {
    const scope = "repository:a/tokens:pull,push";
    const token = async (scopes: string) => {
      const target = `/zot/auth/token?${scopes}`;
      return String(jsonOf(await world.as("writerA", "GET", target))["token"]);
    };
    const mount = async (bearer: string) => {
      const target = `/v2/a/tokens/blobs/uploads/?mount=${layer.digest}&from=a/priv`;
      const headers = { authorization: `Bearer ${bearer}` };
      return (await world.send("POST", target, { headers })).status;
    };
    expect(await mount(await token(`scope=${scope}`))).toBe(202);
    expect(await mount(await token(`scope=${scope}&scope=repository:a/priv:pull`))).toBe(201);
  });
});

describe("an upload", () => {
  test("belongs to who opened it: to others it is not there", async () => {
    const opened = await world.as("writerA", "POST", "/v2/a/uploads/blobs/uploads/");
    const location = opened.headers.get("location") ?? "";
    const bytes = Buffer.from("some bytes");
    const requests = [
      ["GET", location, undefined],
      ["PATCH", location, bytes],
      ["PUT", `${location}?digest=${sha256(bytes)}`, bytes],
      ["DELETE", location, undefined],
    ] as const;
    for (const user of ["adminA", "admin", "creatorA"] as const) {
      for (const [method, target, body] of requests) {
        const answer = await world.as(user, method, target, body === undefined ? {} : { body });
        expect({ user, method, status: answer.status }).toEqual({ user, method, status: 404 });
      }
    }
    const elsewhere = location.replace("/a/uploads/", "/a/other/");
    expect((await world.as("writerA", "GET", elsewhere)).status).toBe(404);
    expect((await world.as("writerA", "PATCH", location, { body: bytes })).status).toBe(202);
    // The owner may go on with a token.
    const scope = "scope=repository:a/uploads:push";
    const token = String(
      jsonOf(await world.as("writerA", "GET", `/zot/auth/token?${scope}`))["token"],
    );
    const put = await world.send("PUT", `${location}?digest=${sha256(bytes)}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(put.status).toBe(201);
  });
});

describe("create without update makes tags immutable", () => {
  const repository = "a/immutable";
  const tags = ["latest", "v1", `sha256-${"1".repeat(64)}`];
  beforeAll(async () => {
    await pushBlobs("writerA", repository);
    for (const tag of tags)
      expect((await put("writerA", repository, tag, "first")).status).toBe(201);
  });

  test.each(tags)("%s stays where it is, also for the same manifest again", async (tag) => {
    const before = await digestOfTag(repository, tag);
    for (const mark of ["second", "first"]) {
      expect((await put("creatorA", repository, tag, mark)).status).toBe(403);
    }
    expect(await digestOfTag(repository, tag)).toBe(before);
  });

  test("a digest with ?tag= creates all tags or none", async () => {
    const third = image("third");
    const target = (query: string) => `${third.digest}?${query}`;
    expect((await put("creatorA", repository, target("tag=fresh&tag=v1"), "third")).status).toBe(
      403,
    );
    expect(await digestOfTag(repository, "fresh")).toBeNull();
    expect(await digestOfTag(repository, third.digest)).toBeNull();
    expect((await put("creatorA", repository, target("tag=fresh&tag=more"), "third")).status).toBe(
      201,
    );
    expect(await digestOfTag(repository, "fresh")).toBe(third.digest);
  });

  test("new tags and manifests by digest are pushed", async () => {
    const fourth = image("fourth");
    expect((await put("creatorA", repository, "v2", "fourth")).status).toBe(201);
    expect((await put("creatorA", repository, fourth.digest, "fourth")).status).toBe(201);
    expect((await put("writerA", repository, "v2", "fifth")).status).toBe(201);
  });

  test("of two who race for one tag exactly one gets it", async () => {
    for (let round = 0; round < 10; round += 1) {
      const marks = ["x", "y", "z"].map((name) => `${name}${round}`);
      const answers = await Promise.all(
        marks.map((mark) => put("creatorA", repository, `race${round}`, mark)),
      );
      expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 403, 403]);
      const winner = marks[answers.findIndex(({ status }) => status === 201)] ?? "";
      expect(await digestOfTag(repository, `race${round}`)).toBe(image(winner).digest);
    }
  });
});

test("update without create moves tags that are there, and makes none", async () => {
  await using other = await startAuthWorld({
    accessControl: {
      repositories: {
        "**": {
          policies: [
            { users: ["writerA"], actions: ["update", "read"] },
            { users: ["admin"], actions: ["read", "create", "update"] },
          ],
        },
      },
    },
  });
  for (const blob of [config, layer]) {
    const target = `/v2/r/blobs/uploads/?digest=${blob.digest}`;
    await other.as("admin", "POST", target, { body: blob.bytes });
  }
  expect((await put("admin", "r", "there", "first", other)).status).toBe(201);
  expect((await put("writerA", "r", "there", "second", other)).status).toBe(201);
  expect((await put("writerA", "r", "fresh", "second", other)).status).toBe(403);
  expect((await put("writerA", "r", image("third").digest, "third", other)).status).toBe(403);
});

test("who may push and not read is told nothing of what is there", async () => {
  await using other = await startAuthWorld({
    accessControl: {
      repositories: {
        "**": {
          policies: [
            { users: ["creatorA"], actions: ["create"] },
            { users: ["admin"], actions: ["read", "create"] },
          ],
        },
      },
    },
  });
  const target = `/v2/r/blobs/uploads/?digest=${layer.digest}`;
  expect((await other.as("admin", "POST", target, { body: layer.bytes })).status).toBe(201);
  for (const digest of [layer.digest, sha256("not there")]) {
    for (const from of ["", "&from=r", "&from=other"]) {
      const mount = `/v2/r/blobs/uploads/?mount=${digest}${from}`;
      expect((await other.as("creatorA", "POST", mount)).status).toBe(202);
    }
    expect((await other.as("creatorA", "HEAD", `/v2/r/blobs/${digest}`)).status).toBe(403);
  }
  expect(
    (await other.as("admin", "POST", `/v2/r/blobs/uploads/?mount=${layer.digest}`)).status,
  ).toBe(201);
});

test("detectManifestCollision keeps a manifest of several tags from being deleted by digest", async () => {
  await using other = await startAuthWorld({
    accessControl: {
      repositories: {
        "**": {
          policies: [
            {
              users: ["adminA"],
              actions: ["read", "create", "update", "delete", "detectManifestCollision"],
            },
          ],
        },
      },
    },
  });
  for (const blob of [config, layer]) {
    const target = `/v2/r/blobs/uploads/?digest=${blob.digest}`;
    await other.as("adminA", "POST", target, { body: blob.bytes });
  }
  const { digest } = image("m");
  for (const tag of ["one", "two"])
    expect((await put("adminA", "r", tag, "m", other)).status).toBe(201);
  const remove = (reference: string) =>
    other.as("adminA", "DELETE", `/v2/r/manifests/${reference}`);
  const refused = await remove(digest);
  expect(refused.status).toBe(409);
  // As zot words it.
  expect(textOf(refused)).toContain(`"code":"MANIFEST_INVALID"`);
  expect((await remove("one")).status).toBe(202);
  expect((await remove(digest)).status).toBe(202);
});

test("conditions look at the request, each tag of it, and tell why not", async () => {
  await using other = await startAuthWorld({
    accessControl: {
      repositories: {
        "**": {
          policies: [
            {
              users: ["writerA"],
              actions: ["create", "update"],
              conditions: [{ expression: 'req.tag != "latest"', message: "push a version" }],
            },
            {
              users: ["writerA"],
              actions: ["read"],
              conditions: [{ expression: 'req.method == "GET"' }],
            },
          ],
        },
      },
    },
  });
  for (const blob of [config, layer]) {
    const target = `/v2/r/blobs/uploads/?digest=${blob.digest}`;
    expect((await other.as("writerA", "POST", target, { body: blob.bytes })).status).toBe(201);
  }
  const refused = await put("writerA", "r", "latest", "m", other);
  expect(refused.status).toBe(403);
  expect(jsonOf(refused)).toMatchObject({ errors: [{ detail: { reason: "push a version" } }] });
  const { digest } = image("m");
  expect((await put("writerA", "r", `${digest}?tag=v1&tag=latest`, "m", other)).status).toBe(403);
  expect((await put("writerA", "r", `${digest}?tag=v1`, "m", other)).status).toBe(201);
  expect((await other.as("writerA", "GET", "/v2/r/manifests/v1")).status).toBe(200);
  expect((await other.as("writerA", "HEAD", "/v2/r/manifests/v1")).status).toBe(403);
});

describe("a policy that protects tags", () => {
  let other: AuthWorld;
  const grant = (users: string[], actions: string[], expression: string) => ({
    users,
    actions,
    conditions: [{ expression, message: "only tmp tags" }],
  });
  beforeAll(async () => {
    other = await startAuthWorld({
      accessControl: {
        repositories: {
          "**": {
            policies: [
              { users: ["writerA"], actions: ["read"] },
              grant(
                ["writerA", "creatorA"],
                ["create", "update", "delete"],
                'req.referenceType != "tag" || req.tag.startsWith("tmp")',
              ),
            ],
          },
        },
        adminPolicy: { users: ["admin"], actions: ["read", "create", "update", "delete"] },
      },
    });
  });
  afterAll(() => other[Symbol.asyncDispose]());

  const push = (user: User, target: string) =>
    other.as(user, "PUT", `/v2/r/manifests/${target}`, emptyIndexPush());
  const { digest } = index([]);
  const tagsNow = async () => jsonOf(await other.as("admin", "GET", "/v2/r/tags/list"))["tags"];

  test("is not passed by a delete, a push or a move by digest", async () => {
    for (const tag of ["prod", "tmp1"]) expect((await push("admin", tag)).status).toBe(201);
    const refused = await other.as("writerA", "DELETE", `/v2/r/manifests/${digest}`);
    expect(refused.status).toBe(403);
    expect(jsonOf(refused)).toEqual({
      errors: [
        {
          code: "DENIED",
          message: "writerA may not delete the tag prod in r",
          detail: { reason: "only tmp tags", tag: "prod" },
        },
      ],
    });
    expect((await push("writerA", `${digest}?tag=tmp2&tag=prod`)).status).toBe(403);
    expect((await push("writerA", "prod")).status).toBe(403);
    expect(await tagsNow()).toEqual(["prod", "tmp1"]);
    expect((await push("writerA", `${digest}?tag=tmp2`)).status).toBe(201);
    expect((await other.as("admin", "DELETE", "/v2/r/manifests/prod")).status).toBe(202);
    expect((await other.as("writerA", "DELETE", `/v2/r/manifests/${digest}`)).status).toBe(202);
  });

  test("tells its tags to nobody who may not read", async () => {
    expect((await push("admin", "prod")).status).toBe(201);
    const refused = await other.as("creatorA", "DELETE", `/v2/r/manifests/${digest}`);
    expect(refused.status).toBe(403);
    expect(Buffer.from(refused.body).toString()).not.toContain("prod");
  });
});

describe("a 403", () => {
  const plain = "Access to this resource is denied";
  const rows: [user: User, method: string, target: string, message: string][] = [
    ["readerA", "PUT", "a/priv/manifests/v2", "readerA may not create or update in a/priv"],
    ["readerA", "POST", "a/priv/blobs/uploads/", "readerA may not create or update in a/priv"],
    ["creatorA", "PUT", "a/priv/manifests/v1", "creatorA may not update the tag v1 in a/priv"],
    ["writerA", "DELETE", "a/priv/manifests/v1", "writerA may not delete in a/priv"],
    ["nobody", "PUT", "pub/open/manifests/v1", "nobody may not create or update in pub/open"],
    ["readerA", "PUT", "a/none/manifests/v1", "readerA may not create or update in a/none"],
    ["nobody", "PUT", "a/priv/manifests/v1", plain],
    ["nobody", "GET", "a/priv/tags/list", plain],
    ["readerB", "DELETE", "a/priv/manifests/v1", plain],
    ["readerB", "DELETE", "a/none/manifests/v1", plain],
  ];
  test.each(rows)("of %s for %s %s says: %s", async (user, method, target, message) => {
    const { headers, body } = emptyIndexPush();
    const sent = method === "PUT" ? { headers, body } : {};
    const answer = await world.as(user, method, `/v2/${target}`, sent);
    expect(answer.status).toBe(403);
    expect(jsonOf(answer)).toMatchObject({ errors: [{ code: "DENIED", message }] });
  });
});

test("a denied push leaves nothing: no file, no repository, no upload", async () => {
  const before = filesOf(world.rootDirectory);
  for (const user of [null, "nobody", "readerB"] as const) {
    const requests = [
      ["POST", "/v2/denied/repo/blobs/uploads/"],
      ["POST", `/v2/denied/repo/blobs/uploads/?digest=${layer.digest}`],
      ["POST", `/v2/denied/repo/blobs/uploads/?mount=${layer.digest}&from=pub/open`],
      ["PUT", "/v2/denied/repo/manifests/latest"],
    ] as const;
    for (const [method, target] of requests) {
      const answer = await world.as(user, method, target, { body: layer.bytes });
      expect(answer.status).toBe(user === null ? 401 : 403);
    }
  }
  expect([...filesOf(world.rootDirectory).keys()]).toEqual([...before.keys()]);
  const { repositories } = jsonOf(await world.as("admin", "GET", "/v2/_catalog?n=1000"));
  expect(repositories).not.toContain("denied/repo");
});

test("the log and the audit log name the user, and no secret", async () => {
  await using directory = await tempDirectory();
  const audit = join(directory.path, "audit.log");
  await using other = await startAuthWorld({ log: { audit } });
  await other.as("writerA", "POST", "/v2/a/x/blobs/uploads/");
  expect(other.records.at(-1)).toMatchObject({ who: "writerA", what: "upload.start", status: 202 });
  await other.as(null, "GET", "/v2/a/x/tags/list");
  expect(other.records.at(-1)).toMatchObject({ who: null, status: 401 });
  await other.as("nobody", "POST", "/v2/a/x/blobs/uploads/");
  const lines = readFileSync(audit, "utf8").trimEnd().split("\n");
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
    {
      time: expect.any(String),
      clientIP: "127.0.0.1",
      subject: "writerA",
      action: "POST",
      object: "/v2/a/x/blobs/uploads/",
      status: 202,
      what: "upload.start",
      id: expect.any(String),
    },
  ]);
  const everything = JSON.stringify([other.records, other.lines, lines]);
  expect(everything).not.toContain("password");
  expect(everything).not.toContain("Basic ");
});
