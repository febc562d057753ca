// Logins as Docker and Podman keep them: files in every shape, and helpers that answer, fail, lie and hang.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { manualClock } from "../lib/clock.ts";
import { tempDirectory, type TempDirectory } from "../../test/temp.ts";
import type { Credentials } from "./client_auth.ts";
import { askHelper, dockerLogin, DockerLoginError, helperMsMax } from "./docker_login.ts";

let directory: TempDirectory;
let serial = 0;
beforeAll(async () => void (directory = await tempDirectory()));
afterAll(() => directory[Symbol.asyncDispose]());

async function fileOf(content: object | string): Promise<string> {
  serial += 1;
  const path = join(directory.path, `config${serial}.json`);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

async function helperOf(script: string): Promise<string> {
  serial += 1;
  const path = join(directory.path, `docker-credential-test${serial}`);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

const auth = (login: string) => ({ auth: Buffer.from(login).toString("base64") });
const password = (user: string, secret: string): Credentials => ({
  kind: "password",
  user,
  password: secret,
});

describe("files", () => {
  const auths = {
    "https://index.docker.io/v1/": auth("hub:secret"),
    "plain.example": auth("ann:a:b"),
    "https://url.example/v2/": auth("url:u"),
    "ported.example:5000": auth("port:p"),
    "podman.example": auth("all:1"),
    "podman.example/team": auth("team:2"),
    "podman.example/team/app": auth("app:3"),
    "token.example": { identitytoken: "refresh", auth: "" },
    "registry-token.example": { registrytoken: "bearer" },
    "fields.example": { username: "u", password: "p" },
    "empty.example": {},
  };
  const rows: readonly [string, string | null, Credentials | null][] = [
    ["docker.io", "library/alpine", password("hub", "secret")],
    ["registry-1.docker.io", null, password("hub", "secret")],
    ["plain.example", null, password("ann", "a:b")],
    ["url.example", null, password("url", "u")],
    ["ported.example:5000", "a", password("port", "p")],
    ["ported.example", "a", null],
    ["podman.example", "other/x", password("all", "1")],
    ["podman.example", "team/x", password("team", "2")],
    ["podman.example", "team/app", password("app", "3")],
    ["podman.example", "team/app/x", password("app", "3")],
    ["podman.example", "teams", password("all", "1")],
    ["token.example", null, { kind: "refreshToken", token: "refresh" }],
    ["registry-token.example", null, { kind: "token", token: "bearer" }],
    ["fields.example", null, password("u", "p")],
    ["empty.example", null, null],
    ["unknown.example", null, null],
  ];
  for (const [host, repository, expected] of rows) {
    test(`${host} ${repository ?? ""}`, async () => {
      const files = [await fileOf({ auths })];
      expect(await dockerLogin({ host, repository }, { files })).toEqual(expected);
    });
  }

  test("the first file that knows it has it; absent and empty files are passed over", async () => {
    const files = [
      join(directory.path, "absent.json"),
      await fileOf(""),
      await fileOf({ auths: { "b.example": auth("b:1") } }),
      await fileOf({ auths: { "a.example": auth("a:2"), "b.example": auth("b:2") } }),
    ];
    expect(await dockerLogin({ host: "a.example", repository: null }, { files })).toEqual(
      password("a", "2"),
    );
    expect(await dockerLogin({ host: "b.example", repository: null }, { files })).toEqual(
      password("b", "1"),
    );
  });

  test("what cannot be read is an error that shows no secret", async () => {
    const bad = [
      '{"auths": {"a.example": {"auth": "c2VjcmV0"}}',
      "[]",
      { auths: { "a.example": { auth: "c2VjcmV0" } } },
    ];
    for (const content of bad) {
      const work = dockerLogin(
        { host: "a.example", repository: null },
        { files: [await fileOf(content)] },
      );
      const error: unknown = await work.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(DockerLoginError);
      expect(String(error)).not.toMatch(/c2VjcmV0|secret/);
    }
  });
});

describe("helpers", () => {
  test("a helper is asked by the key of its server, and what it knows counts", async () => {
    const echo = await helperOf(
      `read -r server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"$1\\",\\"Secret\\":\\"of $server\\"}"`,
    );
    expect(await askHelper(echo, "a.example:5000")).toEqual(password("get", "of a.example:5000"));
    const token = await helperOf(`echo '{"Username":"<token>","Secret":"t"}'`);
    expect(await askHelper(token, "a")).toEqual({ kind: "refreshToken", token: "t" });
  });

  test("a helper that knows nothing is no error, one that fails or lies is one without its words", async () => {
    const nothing = await helperOf("echo 'credentials not found in native keychain'; exit 1");
    expect(await askHelper(nothing, "a")).toBeNull();
    for (const script of [
      "echo secret; exit 3",
      "echo secret",
      "echo '{\"Username\":1}'",
      "head -c 100000 /dev/zero",
    ]) {
      const error: unknown = await askHelper(await helperOf(script), "a").catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(DockerLoginError);
      expect(String(error)).not.toContain("secret");
    }
    const absent: unknown = await askHelper(join(directory.path, "none"), "a").catch(
      (thrown: unknown) => thrown,
    );
    expect(String(absent)).toContain("cannot be started");
  });

  test("a helper that hangs is ended", async () => {
    const clock = manualClock();
    const hanging = await helperOf("exec sleep 1000");
    const asked = askHelper(hanging, "a", clock).catch((thrown: unknown) => thrown);
    await clock.advance(helperMsMax);
    expect(String(await asked)).toContain("did not answer within 10 s");
  });

  test("a file chooses the helper: by host, else for all", async () => {
    const config = { credHelpers: { "a.example": "none/such" }, credsStore: "zot-test-absent" };
    const files = [await fileOf(config)];
    const own: unknown = await dockerLogin(
      { host: "a.example", repository: null },
      { files },
    ).catch((thrown: unknown) => thrown);
    expect(String(own)).toContain("'none/such' is no name of a credential helper");
    const all: unknown = await dockerLogin(
      { host: "b.example", repository: null },
      { files },
    ).catch((thrown: unknown) => thrown);
    expect(String(all)).toContain("docker-credential-zot-test-absent cannot be started");
  });
});
