// skopeo, podman, buildah, containerd, crane and oras-go log in: with passwords and with tokens, from an htpasswd file,
// a directory and API keys; the same policy as two users and an anonymous caller see it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  eventually,
  freePort,
  requireRoot,
  requireTool,
  run,
  runOk,
  startZot,
  tempDirectory,
  type Zot,
} from "../harness.ts";
import { startSlapd, type Slapd } from "../slapd.ts";
import { type Containerd, refusedPush, startContainerd } from "./containerd.ts";
import { type Containers, containers } from "./containers.ts";
import { goTools } from "./go_tools.ts";
import { clientTestMs } from "./tested_registry.ts";

const ready =
  requireTool("skopeo", "podman", "buildah", "htpasswd", "ldapmodify", "openssl") && requireRoot();
const hasContainerd = requireTool("containerd", "ctr");
const go = ready ? await goTools() : null;

/** Whoever writes may do everything; bob reads; everybody else, and nobody at all, sees what is public. */
const accessControl = {
  repositories: {
    "team/**": {
      policies: [
        { users: ["alice"], actions: ["read", "create", "update", "delete"] },
        { users: ["bob"], actions: ["read"] },
      ],
    },
    "public/**": {
      policies: [{ users: ["alice"], actions: ["read", "create", "update"] }],
      defaultPolicy: ["read"],
      anonymousPolicy: ["read"],
    },
  },
};

interface Setting {
  readonly name: string;
  readonly users: "file" | "directory";
  /** Clients log in for tokens, instead of sending the password with every request. */
  readonly tokens: boolean;
}

const settings: readonly Setting[] = [
  { name: "htpasswd, passwords", users: "file", tokens: false },
  { name: "htpasswd, tokens", users: "file", tokens: true },
  { name: "a directory, passwords", users: "directory", tokens: false },
  { name: "a directory, tokens", users: "directory", tokens: true },
];

const password = (user: string) => `${user}'s password`;

describe.skipIf(!ready)("clients that log in", () => {
  let tools: Containers;
  let slapd: Slapd;
  let containerd: Containerd | null = null;
  let directory: Awaited<ReturnType<typeof tempDirectory>>;

  beforeAll(async () => {
    directory = await tempDirectory("zot-login");
    [tools, slapd, containerd] = await Promise.all([
      containers(),
      startSlapd(),
      hasContainerd ? startContainerd() : null,
    ]);
    const users = join(directory.path, "users");
    await runOk("htpasswd", ["-cbB", "-C", "5", users, "alice", password("alice")]);
    await runOk("htpasswd", ["-bB", "-C", "5", users, "bob", password("bob")]);
    const container = (await tools.buildah("from", "scratch")).stdout.trim();
    await tools.buildah("config", "--label", "proves=login", container);
    await tools.buildah("commit", "-q", container, "localhost/small:1");
  }, clientTestMs * 2);

  afterAll(async () => {
    await containerd?.[Symbol.asyncDispose]();
    await slapd?.[Symbol.asyncDispose]();
    await tools?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  }, clientTestMs);

  async function start({ users, tokens }: Setting): Promise<Zot> {
    const port = await freePort();
    const methods =
      users === "file"
        ? { htpasswd: { path: join(directory.path, "users") } }
        : { ldap: slapd.overTls };
    return await startZot({
      config: {
        http: {
          port: String(port),
          ...(tokens ? { externalUrl: `http://127.0.0.1:${port}` } : {}),
          auth: { ...methods, apikey: true },
          accessControl,
        },
      },
    });
  }

  const small = "containers-storage:localhost/small:1";
  const creds = (side: "src" | "dest", user: string, secret = password(user)) =>
    `--${side}-creds=${user}:${secret}`;

  for (const setting of settings) {
    describe(setting.name, () => {
      let registry: Zot;
      beforeAll(async () => {
        registry = await start(setting);
      });
      afterAll(() => registry?.[Symbol.asyncDispose]());
      const docker = (name: string) => `docker://${registry.host}/${name}`;
      const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
      const tryCopy = (from: string, to: string, ...flags: string[]) =>
        tools.trySkopeo("copy", ...plain, ...flags, from, to);

      test(
        "skopeo pushes and pulls as the policy says",
        async () => {
          for (const name of ["team/app:1", "public/app:1"]) {
            expect((await tryCopy(small, docker(name), creds("dest", "alice"))).code).toBe(0);
          }
          const into = (name: string) => `oci:${join(directory.path, name)}`;
          const rows: [from: string, flags: string[], works: boolean][] = [
            ["team/app:1", [creds("src", "bob")], true],
            ["team/app:1", [creds("src", "bob", "wrong")], false],
            ["team/app:1", [creds("src", "zoe")], false],
            ["team/app:1", ["--src-no-creds"], false],
            ["public/app:1", ["--src-no-creds"], true],
            ["public/app:1", [creds("src", "bob")], true],
          ];
          for (const [at, [from, flags, works]] of rows.entries()) {
            const output = await tryCopy(docker(from), into(`copy${at}:1`), ...flags);
            expect({ from, flags, code: output.code }).toEqual({
              from,
              flags,
              code: works ? 0 : 1,
            });
          }
          const denied = await tryCopy(small, docker("team/app:2"), creds("dest", "bob"));
          expect(denied.code).toBe(1);
          expect(denied.stderr).toMatch(/denied|unauthorized|authentication required/i);
          const anonymous = await tryCopy(small, docker("public/app:2"), "--dest-no-creds");
          expect(anonymous.code).toBe(1);
        },
        clientTestMs,
      );

      test(
        "skopeo, podman and buildah log in once, and go on without being asked",
        async () => {
          const file = join(directory.path, `auth-${registry.port}.json`);
          const login = (tool: "skopeo" | "podman" | "buildah", user: string, secret: string) =>
            run(tool, [
              ...(tool === "podman" ? [`--tmpdir=${join(tools.directory, "libpod-tmp")}`] : []),
              "login",
              `--authfile=${file}`,
              "--tls-verify=false",
              `--username=${user}`,
              `--password=${secret}`,
              registry.host,
            ]);
          for (const tool of ["skopeo", "podman", "buildah"] as const) {
            const wrong = await login(tool, "alice", "wrong");
            expect(wrong.code).not.toBe(0);
            const right = await login(tool, "alice", password("alice"));
            expect({ tool, code: right.code, said: right.stderr }).toMatchObject({ tool, code: 0 });
          }
          const authfile = `--authfile=${file}`;
          const target = `${registry.host}/team/app:podman`;
          await tools.podman("push", authfile, "--tls-verify=false", "localhost/small:1", target);
          await tools.podman("pull", "-q", authfile, "--tls-verify=false", target);
          const other = `${registry.host}/team/app:buildah`;
          await tools.buildah(
            "push",
            "-q",
            authfile,
            "--tls-verify=false",
            "localhost/small:1",
            other,
          );
          const tags = await tools.skopeo(
            "list-tags",
            authfile,
            "--tls-verify=false",
            docker("team/app"),
          );
          expect(JSON.parse(tags.stdout)).toMatchObject({ Tags: ["1", "buildah", "podman"] });
        },
        clientTestMs,
      );

      test("an API key serves as the password", async () => {
        const made = await fetch(`${registry.url}/zot/auth/apikey`, {
          method: "POST",
          headers: { authorization: `Basic ${btoa(`alice:${password("alice")}`)}` },
          body: JSON.stringify({ label: "ci", scopes: ["repository:team/app:pull"] }),
        });
        const { apiKey } = (await made.json()) as { apiKey: string };
        const into = `oci:${join(directory.path, `key-${registry.port}`)}:1`;
        expect(
          (await tryCopy(docker("team/app:1"), into, creds("src", "alice", apiKey))).code,
        ).toBe(0);
        const narrow = await tryCopy(small, docker("team/app:3"), creds("dest", "alice", apiKey));
        expect(narrow.code).toBe(1);
      });

      test.skipIf(!hasContainerd)(
        "containerd pulls and pushes with a password",
        async () => {
          const name = `${registry.host}/team/app:1`;
          const ctr = (...args: string[]) => {
            const [command = "", ...rest] = containerd?.command("images", ...args) ?? [];
            return run(command, rest);
          };
          const as = (user: string) => ["--plain-http", "--user", `${user}:${password(user)}`];
          expect((await ctr("pull", "--plain-http", "--local", name)).code).not.toBe(0);
          const pulled = await ctr("pull", ...as("bob"), name);
          expect({ code: pulled.code, said: pulled.stderr }).toMatchObject({ code: 0 });
          const target = `${registry.host}/team/app:ctr`;
          const push = ["images", "push", ...as("bob"), target, name];
          const refused = containerd?.command(...push) ?? [];
          expect(await refusedPush(refused, { registry, who: "bob" })).not.toBe(0);
          expect((await ctr("push", ...as("alice"), target, name)).code).toBe(0);
        },
        clientTestMs,
      );

      test(
        "podman search lists what each may read",
        async () => {
          const file = join(directory.path, `search-${registry.port}.json`);
          const flags = [`--authfile=${file}`, "--tls-verify=false"];
          const login = [`--username=bob`, `--password=${password("bob")}`, registry.host];
          await tools.podman("login", ...flags, ...login);
          const search = ["--format={{.Name}}", `${registry.host}/app`];
          const { stdout } = await tools.podman("search", ...flags, ...search);
          const names = ["public/app", "team/app"].map((name) => `${registry.host}/${name}`);
          expect(stdout.trim().split("\n").toSorted()).toEqual(names);
        },
        clientTestMs,
      );

      test.skipIf(go === null)(
        "crane catalog lists what each may read",
        async () => {
          const { crane } = go!;
          const home = join(directory.path, `catalog-${registry.port}`);
          await mkdir(home, { recursive: true });
          const env = { HOME: home, DOCKER_CONFIG: home };
          const login = ["auth", "login", registry.host, "-u", "bob", "-p", password("bob")];
          await runOk(crane, [...login, "--insecure"], { env });
          const listed = await runOk(crane, ["catalog", "--insecure", registry.host], { env });
          const names = ["public/app", "team/app"];
          expect(listed.stdout.trim().split("\n")).toEqual(expect.arrayContaining(names));
        },
        clientTestMs,
      );

      test.skipIf(go === null)(
        "crane and oras-go log in, too",
        async () => {
          const { crane, oras } = go!;
          const home = join(directory.path, `home-${registry.port}`);
          await mkdir(home, { recursive: true });
          await writeFile(join(home, "file"), "content");
          const env = { HOME: home, DOCKER_CONFIG: home };
          const target = `${registry.host}/team/app:1`;
          expect((await run(crane, ["digest", "--insecure", target], { env })).code).toBe(1);
          const login = ["auth", "login", registry.host, "-u", "bob", "-p", password("bob")];
          await runOk(crane, [...login, "--insecure"], { env });
          const { stdout } = await runOk(crane, ["digest", "--insecure", target], { env });
          expect(stdout).toStartWith("sha256:");
          const denied = await run(crane, ["tag", "--insecure", target, "crane"], { env });
          expect(denied.code).toBe(1);
          const pack = (user: string) =>
            run(oras, ["push", `${registry.host}/team/artifact:1`, "text/plain", "hello"], {
              env: { ...env, REGISTRY_USER: user, REGISTRY_PASSWORD: password(user) },
            });
          expect((await pack("bob")).code).toBe(1);
          expect((await pack("alice")).code).toBe(0);
        },
        clientTestMs,
      );
    });
  }

  test.skipIf(go === null)(
    "regctl repo ls lists what each may read, with a token for the list",
    async () => {
      // It logs in only when it is asked to: where anonymous callers see something, it sees no more.
      const { "public/**": _, ...closed } = accessControl.repositories;
      const port = await freePort();
      await using registry = await startZot({
        config: {
          http: {
            port: String(port),
            externalUrl: `http://127.0.0.1:${port}`,
            auth: { htpasswd: { path: join(directory.path, "users") } },
            accessControl: { repositories: closed },
          },
        },
      });
      const target = `docker://${registry.host}/team/app:1`;
      await tools.skopeo("copy", "--dest-tls-verify=false", creds("dest", "alice"), small, target);
      const { regctl } = go!;
      const home = join(directory.path, "regctl");
      await mkdir(home, { recursive: true });
      const env = { HOME: home, DOCKER_CONFIG: home };
      const user = ["--user=bob", `--pass=${password("bob")}`];
      await runOk(regctl, ["registry", "set", "--tls=disabled", "--skip-check", registry.host], {
        env,
      });
      await runOk(regctl, ["registry", "login", ...user, registry.host], { env });
      const { stdout } = await runOk(regctl, ["repo", "ls", registry.host], { env });
      expect(stdout.trim()).toBe("team/app");
    },
    clientTestMs,
  );

  test("a user who leaves the file is out within a second, whatever was verified before", async () => {
    const users = join(directory.path, "leaving");
    await runOk("htpasswd", ["-cbB", "-C", "5", users, "alice", password("alice")]);
    await runOk("htpasswd", ["-bB", "-C", "5", users, "bob", password("bob")]);
    await using registry = await startZot({
      config: { http: { workers: 2, auth: { htpasswd: { path: users } } } },
    });
    const ping = async (user: string) => {
      const headers = { authorization: `Basic ${btoa(`${user}:${password(user)}`)}` };
      return (await fetch(`${registry.url}/v2/`, { headers })).status;
    };
    expect([await ping("alice"), await ping("bob")]).toEqual([200, 200]);
    await runOk("htpasswd", ["-D", users, "bob"]);
    // Each worker looks for itself: many connections reach both.
    const pings = async () => await Promise.all(Array.from({ length: 20 }, () => ping("bob")));
    await eventually("bob is out", async () => !(await pings()).includes(200));
    expect(await pings()).not.toContain(200);
    expect(await ping("alice")).toBe(200);
  });
});
