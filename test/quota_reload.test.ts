// Quotas and the limit on repositories while the server runs: they apply as soon as the file is changed, and a limit
// below what is used keeps nobody from pulling and deleting.

import { expect, test } from "bun:test";
import { eventually, startZot, type Zot } from "./harness.ts";
import { config, image, layer } from "./http/content.ts";
import { change } from "./reloading.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function ask(zot: Zot, method: string, path: string, body?: Uint8Array): Promise<Answer> {
  const headers = { "content-type": image().mediaType };
  const init = body === undefined ? { method } : { method, body, headers };
  const answer = await fetch(`${zot.url}/v2/${path}`, init);
  return { status: answer.status, text: await answer.text() };
}

async function push(zot: Zot, repository: string, tag: string, name = "image"): Promise<Answer> {
  for (const { bytes, digest } of [config, layer]) {
    const blob = await ask(zot, "POST", `${repository}/blobs/uploads/?digest=${digest}`, bytes);
    if (blob.status !== 201) return blob;
  }
  return ask(zot, "PUT", `${repository}/manifests/${tag}`, image({ annotations: { name } }).bytes);
}

test("quotas come, change and go while the server runs", async () => {
  await using zot = await startZot({ config: { http: { workers: 2 } } });
  expect((await push(zot, "team/app", "v1")).status).toBe(201);
  let pushes = 0;
  /** Each is of something new: what came in before a quota was there is free afterwards. */
  const pushNew = (): Promise<Answer> => {
    pushes += 1;
    return push(zot, "team/app", `n${pushes}`, `new ${pushes}`);
  };
  const settles = (what: string, status: number) =>
    eventually(what, async () => (await pushNew()).status === status);
  // What is there is counted when the quota comes.
  await change(zot, { storage: { quotas: [{ prefix: "team/", bytes: 100 }] } });
  await settles("pushes are refused", 403);
  expect((await pushNew()).text).toMatch(
    /"DENIED","message":"quota of team\/: .* used of 100 B, this push needs \d+ B; see/,
  );
  expect((await push(zot, "team/app", "v1")).status).toBe(201);
  expect((await ask(zot, "GET", "team/app/manifests/v1")).status).toBe(200);
  expect((await ask(zot, "GET", `team/app/blobs/${layer.digest}`)).status).toBe(200);
  expect((await push(zot, "other/app", "v1")).status).toBe(201);
  await change(zot, { storage: { quotas: [{ prefix: "team/", bytes: "1MiB" }] } });
  await settles("pushes are taken", 201);
  await change(zot, { storage: { quotas: [{ prefix: "team/", tags: 0 }] } });
  await settles("new tags are refused", 403);
  expect((await ask(zot, "DELETE", "team/app/manifests/v1")).status).toBe(202);
  await change(zot, { storage: {} });
  await settles("new tags are taken", 201);
});

test("no more repositories than storage.maxRepos, as in zot", async () => {
  await using zot = await startZot({ config: { storage: { maxRepos: 2 } } });
  expect((await push(zot, "one", "v1")).status).toBe(201);
  expect((await push(zot, "two/nested", "v1")).status).toBe(201);
  const third = await push(zot, "three", "v1");
  expect(third.status).toBe(429);
  expect(JSON.parse(third.text).errors).toEqual([
    {
      code: "TOOMANYREQUESTS",
      message: "This registry holds 2 of 2 repositories; ask its operator, or delete one",
      detail: { limit: 2, used: 2, need: 1, scope: "storage.maxRepos" },
    },
  ]);
  expect((await ask(zot, "GET", "three/tags/list")).text).not.toContain("v1");
  expect((await push(zot, "one", "v2")).status).toBe(201);
  const digest = (await fetch(`${zot.url}/v2/two/nested/manifests/v1`)).headers.get(
    "docker-content-digest",
  );
  expect((await ask(zot, "DELETE", `two/nested/manifests/${digest}`)).status).toBe(202);
  expect((await push(zot, "three", "v1")).status).toBe(201);
});
