// `zot history`, `zot undo`, `zot undelete` and `zot purge` as a person types them, against a server with two users.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { testedProgram, run, startZot, tempDirectory, type Zot } from "./harness.ts";
import { config, image, layer, type ManifestContent } from "./http/content.ts";
import type { TempDirectory } from "./temp.ts";

const program = await testedProgram();
let directory: TempDirectory;
let zot: Zot;

const first = image({ annotations: { title: "first" } });
const second = image({ annotations: { title: "second" } });

beforeAll(async () => {
  directory = await tempDirectory();
  const users = join(directory.path, "users");
  const lines = ["ann", "ci"].map(
    (name) => `${name}:${Bun.password.hashSync(name, { algorithm: "bcrypt", cost: 4 })}`,
  );
  await writeFile(users, `${lines.join("\n")}\n`);
  zot = await startZot({
    config: {
      http: {
        auth: { htpasswd: { path: users }, failDelay: 0 },
        accessControl: {
          repositories: {
            "**": {
              policies: [{ users: ["ci"], actions: ["read", "create", "update", "delete"] }],
            },
          },
          adminPolicy: { users: ["ann"], actions: ["read", "create", "update", "delete"] },
        },
      },
    },
  });
});
afterAll(async () => {
  await zot[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

async function ask(user: string, method: string, path: string, of?: ManifestContent | Uint8Array) {
  const isManifest = of !== undefined && "mediaType" in of;
  const body = isManifest ? of.bytes : of;
  const answer = await fetch(`${zot.url}/v2/${path}`, {
    method,
    headers: {
      authorization: `Basic ${btoa(`${user}:${user}`)}`,
      ...(isManifest ? { "content-type": of.mediaType } : {}),
    },
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  const text = await answer.text();
  expect(answer.status, text).toBeLessThan(300);
  return answer;
}

async function pushBlobs(repository: string): Promise<void> {
  for (const { bytes, digest } of [config, layer]) {
    await ask("ci", "POST", `${repository}/blobs/uploads/?digest=${digest}`, bytes);
  }
}

const push = (repository: string, tag: string, of: ManifestContent) =>
  ask("ci", "PUT", `${repository}/manifests/${tag}`, of);

async function digestOf(path: string): Promise<string | null> {
  const answer = await fetch(`${zot.url}/v2/${path}`, {
    headers: { authorization: `Basic ${btoa("ci:ci")}` },
  });
  await answer.body?.cancel();
  return answer.headers.get("docker-content-digest");
}

async function type(user: string, ...args: string[]) {
  const env = { ZOT_SERVER: zot.url, ZOT_PASSWORD: user };
  const { code, stdout, stderr } = await run(program, [...args, "--user", user], { env });
  return { code, out: stdout, error: stderr };
}

test("a tag's history is shown, and the tag set back by number, digest and time", async () => {
  const at = "team/history";
  await pushBlobs(at);
  await push(at, "1.0", first);
  await push(at, "1.0", second);
  const shown = await type("ann", "history", `${at}:1.0`);
  expect(shown).toMatchObject({ code: 0, error: "" });
  const lines = shown.out.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^\s+TIME\s+EVENT\s+DIGEST\s+SIZE\s+BY/);
  expect(lines[1]).toMatch(new RegExp(`^@0 .*Z  created  ${second.digest}  .* ci`));
  expect(lines[2]).toMatch(new RegExp(`^@1 .*Z  created  ${first.digest}  .* ci`));

  const undone = await type("ann", "undo", `${at}:1.0`);
  expect(undone.error).toBe("");
  expect(undone.out).toContain(`${at}:1.0 points at ${first.digest} again (it was set to`);
  expect(undone.out).toContain("by ci); retention leaves it alone until ");
  expect(await digestOf(`${at}/manifests/1.0`)).toBe(first.digest);

  expect((await type("ann", "undo", `${at}:1.0`, "--to", second.digest)).code).toBe(0);
  expect(await digestOf(`${at}/manifests/1.0`)).toBe(second.digest);
  const json = await type("ann", "history", `${at}:1.0`, "--format", "json", "-n", "9");
  const events = JSON.parse(json.out) as { at: string; by: string; digest: string }[];
  expect(events.map(({ by, digest }) => [by, digest])).toEqual([
    ["ann", second.digest],
    ["ann", first.digest],
    ["ci", second.digest],
    ["ci", first.digest],
  ]);
  expect((await type("ann", "undo", `${at}:1.0`, "--to", events[1]?.at ?? "")).code).toBe(0);
  expect(await digestOf(`${at}/manifests/1.0`)).toBe(first.digest);
  expect((await type("ann", "undo", `${at}:1.0`, "--to", "@1")).code).toBe(0);
  expect(await digestOf(`${at}/manifests/1.0`)).toBe(second.digest);
  // Before its first push there was none.
  expect((await type("ann", "undo", `${at}:1.0`, "--to", "2020-01-01T00:00:00Z")).code).toBe(0);
  expect(await digestOf(`${at}/manifests/1.0`)).toBeNull();
  const already = await type("ann", "undo", `${at}:1.0`, "--to", "@0");
  expect(already).toMatchObject({ code: 2, error: `zot: ${at}:1.0 is gone already\n` });
});

test("a mishap is planned, then undone in one step; what others moved since is left", async () => {
  for (const at of ["mishap/one", "mishap/two"]) {
    await pushBlobs(at);
    await push(at, "1.0", first);
    await push(at, "2.0", first);
  }
  await ask("ann", "PUT", "mishap/one/manifests/3.0", first);
  // Times are told to the millisecond.
  await Bun.sleep(5);
  const since = new Date().toISOString();
  await Bun.sleep(5);
  await push("mishap/one", "1.0", second);
  await ask("ci", "DELETE", `mishap/two/manifests/${first.digest}`);
  await push("mishap/one", "3.0", second);
  await ask("ann", "PUT", "mishap/one/manifests/3.0", first);
  const none = await type("ann", "undo", "--since", "1h", "--by", "eve");
  expect(none).toEqual({ code: 0, out: "nothing to undo\n", error: "" });

  const plan = await type("ann", "undo", "--since", since, "--by", "ci", "--prefix", "mishap/");
  expect(plan.code).toBe(0);
  expect(plan.error).toMatch(/^zot: this is a plan; --yes undoes these 4 in one step\n$/);
  expect(plan.out).toMatch(/^REPOSITORY +TAG +NOW +BACK TO +CHANGED +BY +PROBLEM\n/);
  expect(plan.out).toMatch(/mishap\/one +3\.0 .* moved since by ann/);
  expect(await digestOf("mishap/one/manifests/1.0")).toBe(second.digest);
  const done = await type(
    "ann",
    "undo",
    "--since",
    since,
    "--by",
    "ci",
    "--prefix",
    "mishap/",
    "--yes",
  );
  expect([done.code, done.error]).toEqual([1, ""]);
  expect(done.out).toMatch(/undone: 4; retention leaves it alone until /);
  expect(await digestOf("mishap/one/manifests/1.0")).toBe(first.digest);
  for (const path of ["one/manifests/3.0", "two/manifests/1.0", "two/manifests/2.0"]) {
    expect(await digestOf(`mishap/${path}`)).toBe(first.digest);
  }
});

test("deleted content comes back by its digest, and purged content does not", async () => {
  const at = "team/secret";
  await pushBlobs(at);
  await push(at, "1.0", first);
  await ask("ci", "DELETE", `${at}/manifests/${first.digest}`);
  const back = await type("ann", "undelete", `${at}@${first.digest}`);
  expect(back).toMatchObject({ code: 0, error: "" });
  expect(back.out).toMatch(
    new RegExp(`^${at}@${first.digest} is back; collection leaves it alone until `),
  );
  expect(await digestOf(`${at}/manifests/${first.digest}`)).toBe(first.digest);

  const reason = ["--reason", "a password in a layer"];
  const denied = await type("ci", "purge", `${at}@${first.digest}`, ...reason);
  expect(denied.code).toBe(1);
  expect(denied.error).toContain("A purge cannot be undone");
  const purged = await type("ann", "purge", `${at}@${first.digest}`, ...reason);
  expect(purged).toMatchObject({ code: 0, error: "" });
  const gone = await type("ann", "undelete", `${at}@${first.digest}`);
  expect(gone.code).toBe(1);
  expect(gone.error).toContain("cannot be brought back. It was collected");
  const history = await type("ann", "history", `${at}:1.0`);
  expect(history.out).toMatch(/deleted .* ci/);
});

test.each([
  [["history", "team/app"], "expected a tag, such as team/app:1.0; got 'team/app'"],
  [["history", "team/app:1", "-n", "0"], "expected --number from 1 to 100000; got '0'"],
  [["undo"], "expected a tag such as team/app:1.0, or --since; got neither"],
  [["undo", "a:1", "--since", "1h"], "expected a tag, or --since for a whole mishap; got both"],
  [["undo", "a:1", "--by", "ci"], "--by is for --since; got a tag"],
  [["undo", "--since", "1h", "--to", "@1"], "--to is for a tag; got --since"],
  [["undo", "none/such:1"], "expected a tag that was set once; none/such:1 never was"],
  [["undelete", "team/app:1"], "expected a digest, such as team/app@sha256:…; got 'team/app:1'"],
  [["purge", `a@sha256:${"0".repeat(64)}`], "expected --reason, which history keeps; got none"],
])("a mistake is one line: zot %j", async (args, message) => {
  expect(await type("ann", ...args)).toEqual({ code: 2, out: "", error: `zot: ${message}\n` });
});

test("a server that says no is told with its reason", async () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const { code, out, error } = await type("ann", "undelete", `none/such@${digest}`);
  expect([code, out]).toEqual([1, ""]);
  expect(error).toContain("Repository is not known to this registry");
  const since = await type("ann", "undo", "--since", "yesterday");
  expect([since.code, since.out]).toEqual([1, ""]);
  expect(since.error).toContain("Expected since=");
});
