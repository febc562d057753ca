// What taking back, purging and asking about the past must not give away or get around: fixed tags, permissions, names of
// callers, and costs that a caller chooses.

import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createRegistry, type Registry } from "../../src/create_registry.ts";
import { config, image, index, layer, type ManifestContent } from "../http/content.ts";
import { tempDirectory } from "../temp.ts";
import { basic, usersFile, type User } from "./world.ts";

const one = image({ annotations: { name: "one" } });
const two = image({ annotations: { name: "two" } });
const guarded = image({ annotations: { name: "guarded" } });
const everything = ["read", "create", "update", "delete"];
const accessControl = {
  repositories: {
    "**": { policies: [{ users: ["writerA"], actions: everything }] },
    "pub/**": { anonymousPolicy: ["read", "create", "update", "delete"] },
    "careful/**": {
      policies: [{ users: ["adminA"], actions: [...everything, "detectManifestCollision"] }],
    },
  },
  adminPolicy: { users: ["admin"], actions: everything },
};
const retention = {
  policies: [
    {
      repositories: ["fixed/**"],
      keepTags: [{ patterns: [".*"] }],
      immutableTags: ["v*"],
      protect: [{ tags: ["prod"] }, { digests: [guarded.digest] }],
    },
  ],
};

let directory: Awaited<ReturnType<typeof tempDirectory>>;
let usersPath: string;
let opened: Registry | null = null;

beforeAll(async () => {
  directory = await tempDirectory();
  usersPath = join(directory.path, "users");
  await Bun.write(usersPath, await usersFile());
});
afterAll(() => directory[Symbol.asyncDispose]());
afterEach(async () => {
  await opened?.close();
  opened = null;
});

async function open(window = "24h"): Promise<Registry> {
  opened = await createRegistry({
    memory: true,
    config: {
      http: { auth: { htpasswd: { path: usersPath } }, accessControl },
      storage: { undo: { window }, retention },
    },
  });
  return opened;
}

async function ask(
  user: User | null,
  request: string,
  body?: Uint8Array | object,
  type = "application/json",
): Promise<{ status: number; text: string }> {
  const [method = "", target = ""] = request.split(" ");
  const bytes = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body);
  const headers: Record<string, string> = { "content-type": type };
  if (user !== null) headers["authorization"] = basic(user);
  const answer = await opened!.fetch(
    new Request(`http://registry.example${target}`, {
      method,
      headers,
      ...(bytes === undefined ? {} : { body: bytes }),
    }),
  );
  return { status: answer.status, text: await answer.text() };
}

async function push(
  repository: string,
  tag: string,
  manifest: ManifestContent,
  user: User | null = "admin",
): Promise<void> {
  for (const blob of [config, layer]) {
    await ask(user, `POST /v2/${repository}/blobs/uploads/?digest=${blob.digest}`, blob.bytes);
  }
  const target = `PUT /v2/${repository}/manifests/${tag}`;
  expect((await ask(user, target, manifest.bytes, manifest.mediaType)).status).toBe(201);
}

test("neither undo nor purge touches what the configuration fixes", async () => {
  await open();
  const at = "/v2/fixed/app";
  await push("fixed/app", "v1", one);
  await push("fixed/app", "prod", two);
  await push("fixed/app", "loose", guarded);
  const undo = (tag: string, from: string, to: string | null) =>
    ask("admin", "POST /v2/_zot/undo", { steps: [{ repository: "fixed/app", tag, from, to }] });
  const restore = (tag: string, body: object) =>
    ask("admin", `POST ${at}/_zot/tag-history/${tag}/restore`, body);
  const purge = (digest: string) =>
    ask("admin", `POST ${at}/_zot/purge`, { digest, reason: "a secret" });
  const refused = await Promise.all([
    purge(one.digest),
    purge(two.digest),
    purge(guarded.digest),
    restore("v1", { digest: two.digest }),
    restore("v1", { digest: two.digest, expect: one.digest }),
    restore("v1", { digest: null }),
    restore("prod", { digest: null }),
    restore("loose", { digest: null, expect: guarded.digest }),
    restore("loose", { digest: null }),
    undo("v1", one.digest, null),
    undo("prod", two.digest, null),
    undo("loose", guarded.digest, null),
  ]);
  expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 403));
  expect((await undo("v1", one.digest, two.digest)).status).toBe(412);
  for (const tag of ["v1", "prod", "loose"]) {
    expect((await ask("admin", `GET ${at}/manifests/${tag}`)).status).toBe(200);
  }
});

test("a purge of an index leaves the protected manifest that it names, and what that names", async () => {
  await open();
  const bundle = index([guarded, one]);
  await push("fixed/app", guarded.digest, guarded);
  await push("fixed/app", one.digest, one);
  await push("fixed/app", "bundle", bundle);
  const purge = { digest: bundle.digest, reason: "a secret" };
  expect((await ask("admin", "POST /v2/fixed/app/_zot/purge", purge)).status).toBe(200);
  const status = async (path: string) => (await ask("admin", `GET /v2/fixed/app/${path}`)).status;
  expect(await status(`manifests/${guarded.digest}`)).toBe(200);
  expect(await status(`blobs/${layer.digest}`)).toBe(200);
  expect(await status(`manifests/${one.digest}`)).toBe(404);
  expect(await status(`manifests/${bundle.digest}`)).toBe(404);
});

test("a purge by somebody with detectManifestCollision takes no manifest of several tags", async () => {
  await open("0s");
  await push("careful/app", "one", one);
  await push("careful/app", "two", one);
  const purge = () =>
    ask("adminA", "POST /v2/careful/app/_zot/purge", { digest: one.digest, reason: "a secret" });
  expect((await purge()).status).toBe(409);
  expect((await ask("adminA", "DELETE /v2/careful/app/manifests/two")).status).toBe(202);
  expect((await purge()).status).toBe(200);
});

test("an anonymous caller does not learn from a plan who moved a tag", async () => {
  await open();
  await push("pub/app", "v1", one, null);
  await push("pub/app", "v1", two, "admin");
  for (const query of ["", "&by=admin", "&by=nobody"]) {
    const { status, text } = await ask(null, `GET /v2/_zot/undo?since=1h${query}`);
    expect([query, status]).toEqual([query, query === "" ? 200 : 400]);
    if (query === "") expect(text).not.toContain("admin");
  }
});

test("steps and lines of a plan name no past", async () => {
  await open();
  await push("a/app", "v1", one);
  const repository = "at.0s/a/app";
  const step = { repository, tag: "v1", from: null, to: null };
  expect((await ask("admin", "POST /v2/_zot/undo", { steps: [step] })).status).toBe(400);
  const line = { kind: "tag", repository, tag: "v1", digest: one.digest };
  expect((await ask("admin", "POST /v2/_zot/gc/apply", { lines: [line] })).status).toBe(400);
});

test("the past of a past is nothing, whatever the name behind it has", async () => {
  await open();
  await push("a/app", "v1", one);
  for (const path of ["manifests/v1", `blobs/${layer.digest}`, "tags/list"]) {
    const { status } = await ask("writerA", `GET /v2/at.0s/at.0s/a/app/${path}`);
    expect([path, status]).toEqual([path, 404]);
  }
});

test("what is decided about content is not told of the past, where nothing would seem to keep it", async () => {
  await open();
  await push("a/app", "v1", one);
  for (const path of ["why/v1", `why/${one.digest}`, "retention"]) {
    const { status } = await ask("writerA", `GET /v2/at.0s/a/app/_zot/${path}`);
    expect([path, status]).toEqual([path, 404]);
  }
});

test("moments at the ends of what a date can say are moments", async () => {
  await open();
  await push("a/app", "v1", one);
  const status = async (at: string) =>
    (await ask("writerA", `GET /v2/a/app/manifests/v1?at=${encodeURIComponent(at)}`)).status;
  expect(await status("9999-12-31T23:59:59.999999Z")).toBe(200);
  expect(await status("9999-12-31T23:59:59-14:00")).toBe(200);
  expect(await status("9999-12-31")).toBe(200);
  expect(await status("0000-01-01T00:00:00+14:00")).toBe(404);
  expect(await status("n" + "1".repeat(30))).toBe(400);
  expect(await status("9999999w")).toBe(400);
  expect(await status("999999w")).toBe(404);
  for (const query of [
    "before=9999-12-31T23:59:59.999999Z",
    "since=0000-01-01T00:00:00%2B14:00",
    `n=${"9".repeat(40)}`,
    `digest=sha384:${"a".repeat(96)}`,
  ]) {
    const { status: got } = await ask("writerA", `GET /v2/a/app/_oci/tag-history/v1?${query}`);
    expect([query, got]).toEqual([query, 200]);
  }
});

test("why ends, however many ways lead up from indexes that no tag names", async () => {
  await open();
  await push("a/app", one.digest, one);
  let below: ManifestContent[] = [one];
  for (let level = 0; level < 8; level += 1) {
    const above = Array.from({ length: 8 }, (_, at) =>
      index(below, { annotations: { name: `${level} ${at}` } }),
    );
    for (const { digest, bytes, mediaType } of above) {
      const target = `PUT /v2/a/app/manifests/${digest}`;
      expect((await ask("writerA", target, bytes, mediaType)).status).toBe(201);
    }
    below = above;
  }
  const { status, text } = await ask("writerA", `GET /v2/a/app/_zot/why/${one.digest}`);
  expect(status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({ ways: [], isCutOff: true, verdict: null });
});
