// What figures of usage must not give away: what lies in repositories that the caller may not read.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createRegistry, type Registry } from "../../src/create_registry.ts";
import { config, image, layer } from "../http/content.ts";
import { tempDirectory } from "../temp.ts";
import { basic, usersFile, type User } from "./world.ts";

const everything = ["read", "create", "update", "delete"];
const accessControl = {
  repositories: {
    "secret/**": { policies: [{ users: ["adminA"], actions: everything }] },
    "team/**": {
      policies: [
        { users: ["writerA"], actions: everything },
        { users: ["readerA"], actions: ["read"] },
      ],
    },
  },
  adminPolicy: { users: ["admin"], actions: everything },
};
const shared = image({ annotations: { name: "in both" } });
let directory: Awaited<ReturnType<typeof tempDirectory>>;
let registry: Registry;

beforeAll(async () => {
  directory = await tempDirectory();
  const path = join(directory.path, "users");
  await Bun.write(path, await usersFile());
  registry = await createRegistry({
    memory: true,
    config: { http: { auth: { htpasswd: { path } }, accessControl } },
  });
  for (const [user, repository] of [
    ["adminA", "secret/app"],
    ["writerA", "team/app"],
  ] as const) {
    for (const { bytes, digest } of [config, layer]) {
      await ask(user, `POST /v2/${repository}/blobs/uploads/?digest=${digest}`, bytes);
    }
    await ask(user, `PUT /v2/${repository}/manifests/v1`, shared.bytes, shared.mediaType);
  }
});
afterAll(async () => {
  await registry.close();
  await directory[Symbol.asyncDispose]();
});

async function ask(
  user: User | null,
  request: string,
  body?: Uint8Array,
  type = "application/octet-stream",
) {
  const [method = "", target = ""] = request.split(" ");
  const headers: Record<string, string> = { "content-type": type };
  if (user !== null) headers["authorization"] = basic(user);
  const answer = await registry.fetch(
    new Request(`http://registry.test${target}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    }),
  );
  const text = await answer.text();
  return { status: answer.status, body: text.startsWith("{") ? JSON.parse(text) : text };
}

test("who may not read everything is not told what others have", async () => {
  const repository = await ask("writerA", "GET /v2/team/app/_zot/usage?tag=v1");
  expect(repository).toMatchObject({
    status: 200,
    body: {
      ownBytes: null,
      sharedBytes: null,
      tags: [{ freedBytes: null, freedHereBytes: expect.any(Number) }],
      together: { freedBytes: null },
    },
  });
  const list = await ask("writerA", "GET /v2/_zot/usage");
  expect(list.body.repositories.map((each: { name: string }) => each.name)).toEqual(["team/app"]);
  expect(list.body.total).toMatchObject({ repositories: 1, ownBytes: null });
  expect(list.body.total).not.toHaveProperty("physicalBytes");
  expect(list.body.total.linkedBytes).toBe(repository.body.linkedBytes);
});

test("administrators are told", async () => {
  const { body } = await ask("admin", "GET /v2/team/app/_zot/usage?tag=v1");
  expect(body).toMatchObject({ ownBytes: 0, tags: [{ freedBytes: 0 }] });
  const list = await ask("admin", "GET /v2/_zot/usage");
  expect(list.body.repositories).toHaveLength(2);
  expect(list.body.total.linkedBytes).toBe(body.linkedBytes);
});

test("a prefix of what may not be read is as empty as one that is not there", async () => {
  const hidden = await ask("writerA", "GET /v2/_zot/usage?prefix=secret/");
  const none = await ask("writerA", "GET /v2/_zot/usage?prefix=nobody/");
  expect({ ...hidden.body, prefix: "" }).toEqual({ ...none.body, prefix: "" });
  expect((await ask("writerA", "GET /v2/secret/app/_zot/usage")).status).toBe(403);
  expect((await ask(null, "GET /v2/team/app/_zot/usage")).status).toBe(401);
});
