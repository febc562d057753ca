// `zot mirror` as a person types it: settings for clients, the probe, the status; and the metrics beside them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  eventually,
  packageDirectory,
  type Output,
  run,
  startZot,
  tempDirectory,
  type Zot,
} from "../harness.ts";
import type { TempDirectory } from "../temp.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

let directory: TempDirectory;
let upstream: ScriptedUpstream;
let zot: Zot;

const config = () => ({
  http: { workers: 2 },
  extensions: {
    metrics: { enable: true },
    sync: {
      registries: [
        {
          urls: [upstream.url],
          onDemand: true,
          content: [{ prefix: "**", destination: "/up" }],
        },
      ],
    },
  },
});

beforeAll(async () => {
  directory = await tempDirectory();
  upstream = await ScriptedUpstream.start();
  upstream.content.addImage("team/app", "1");
  zot = await startZot({ config: config() });
});
afterAll(async () => {
  await zot?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

function mirror(...args: readonly string[]): Promise<Output> {
  const env = { ZOT_SERVER: zot.url };
  return run(join(packageDirectory, "bin/zot"), ["mirror", ...args], { env });
}

describe("snippets", () => {
  test("of one client are its file alone", async () => {
    const { code, stdout, stderr } = await mirror("--for", "podman");
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(Bun.TOML.parse(stdout)).toEqual({
      registry: [
        {
          prefix: upstream.host,
          location: upstream.host,
          mirror: [{ location: `${zot.host}/up`, insecure: true }],
        },
      ],
    });
    expect(stderr).toContain("/etc/containers/registries.conf.d/50-zot.conf");
    expect(stderr).toContain("is this machine alone");
  });

  test("of a configuration need no server, and name the address that is given", async () => {
    const file = join(directory.path, "config.json");
    await writeFile(file, JSON.stringify({ extensions: { sync: { mirrors: ["docker.io"] } } }));
    const args = ["--for", "docker", "--address", "https://zot.example:5000"];
    const { code, stdout } = await mirror(file, ...args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ "registry-mirrors": ["https://zot.example:5000"] });
  });

  test("of all clients stand below their names", async () => {
    const { code, stdout } = await mirror();
    expect(code).toBe(0);
    for (const name of ["containerd", "docker", "podman", "crio", "buildkit", "k3s", "rke2"]) {
      expect(stdout).toContain(`(--for ${name})`);
    }
    expect(stdout).toContain("Docker asks mirrors for docker.io alone");
  });

  test("are written below a directory, and leave files of others alone", async () => {
    const below = join(directory.path, "written");
    const file = join(below, "etc/containers/registries.conf.d/50-zot.conf");
    const write = (): Promise<Output> => mirror("--for", "podman", "--write", below);
    expect((await write()).stdout).toBe(`${file}\n`);
    expect((await write()).code).toBe(0);
    await writeFile(file, "# mine\n");
    const { code, stderr } = await write();
    expect({ code, text: await Bun.file(file).text() }).toEqual({ code: 2, text: "# mine\n" });
    expect(stderr).toContain("expected no file at");
  });

  test("warn of a login that Docker cannot make", async () => {
    const users = join(directory.path, "users");
    await writeFile(users, "ann:$2y$05$/uWsaiEsxbL3d5kcFg6ZE.1XOGZ7f4bYcD0BYHT7GbI1vIrcKSBGK\n");
    const closed = join(directory.path, "closed.json");
    const auth = { htpasswd: { path: users } };
    const sync = { mirrors: ["docker.io"] };
    await writeFile(closed, JSON.stringify({ http: { auth }, extensions: { sync } }));
    expect((await mirror(closed, "--for", "docker")).stderr).toContain("cannot log in to a mirror");
    const open = join(directory.path, "open.json");
    const accessControl = {
      repositories: { "docker.io/**": { anonymousPolicy: ["read"] } },
    };
    const http = { auth, accessControl };
    await writeFile(open, JSON.stringify({ http, extensions: { sync } }));
    expect((await mirror(open, "--for", "docker")).stderr).not.toContain("cannot log in");
  });

  test.each([
    [["--for", "emacs"], "expected --for one of containerd,"],
    [["snippet"], "expected snippets, probe, status or a configuration file, got 'snippet'"],
    [["--write", "/tmp"], "expected --for beside --write"],
    [["status", "--for", "docker"], "--for is for snippets; got status"],
    [["--address", "a b"], "expected --address such as zot.example:5000"],
    [["probe", "quay.io/podman/hello"], "expected an image of an upstream that is mirrored"],
  ])("%j is a mistake", async (args, expected) => {
    const { code, stdout, stderr } = await mirror(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(expected);
  });

  test("of a server that mirrors nothing are none", async () => {
    const nothing = join(directory.path, "nothing.json");
    await writeFile(nothing, "{}");
    const { code, stderr } = await mirror(nothing);
    expect(code).toBe(2);
    expect(stderr).toContain("expected a configuration that mirrors something when asked");
  });
});

describe("the probe", () => {
  test("asks as a client does, and says what came", async () => {
    const missing = await mirror("probe");
    expect(missing).toMatchObject({ code: 0 });
    expect(missing.stdout).toContain("works: it was asked, and has no such image");
    const image = `http://${upstream.host}/team/app:1`;
    const first = await mirror("probe", image, "-f", "json");
    expect(JSON.parse(first.stdout)).toEqual([
      {
        host: upstream.host,
        image: `${upstream.host}/team/app:1`,
        works: true,
        status: 200,
        result: "fetched, and in the cache now",
      },
    ]);
  });

  test("fails where the upstream does", async () => {
    upstream.on("*", /other/, { status: 500 });
    const { code, stdout } = await mirror("probe", `${upstream.host}/team/other:1`);
    upstream.reset();
    expect({ code, stdout }).toMatchObject({ code: 1 });
    expect(stdout).toMatch(/fails: 50[23] .*500/);
  });
});

describe("the status", () => {
  test("has all that an operator asks for", async () => {
    await fetch(`${zot.url}/v2/up/team/app/manifests/1`);
    const { code, stdout } = await mirror("status", "-f", "json");
    expect(code).toBe(0);
    const [status] = JSON.parse(stdout) as {
      readonly cached: { readonly bytes: number };
      readonly lastDay: { readonly pulls: number };
    }[];
    expect(status).toMatchObject({
      host: upstream.host,
      server: upstream.url,
      state: "up",
      cached: { repositories: 1, isCutOff: false },
      lastDay: { oldestStaleS: null },
    });
    expect(status!.cached.bytes).toBeGreaterThan(0);
    expect(status!.lastDay.pulls).toBeGreaterThan(0);
    const columns = (await mirror("status")).stdout;
    expect(columns).toMatch(/^UPSTREAM +STATE +SINCE +HITS 24H +CACHED/);
    expect(columns).toContain(`${upstream.host}  up`);
  });

  test("says what went wrong last, and how old the answers are that go without", async () => {
    await fetch(`${zot.url}/v2/up/team/app/manifests/1`);
    upstream.on("*", /team/, { status: 503 });
    await eventually("the circuit opens", async () => {
      await fetch(`${zot.url}/v2/up/team/app/manifests/1`);
      const { stdout } = await mirror("status", "-f", "json");
      const [{ state } = { state: "" }] = JSON.parse(stdout) as { state: string }[];
      return state === "down";
    });
    const { stdout } = await mirror("status");
    upstream.reset();
    expect(stdout).toContain(`${upstream.host}  down`);
    expect(stdout).toContain("answered 503");
    const [{ lastDay } = { lastDay: { oldestStaleS: null } }] = JSON.parse(
      (await mirror("status", "-f", "json")).stdout,
    ) as { lastDay: { oldestStaleS: number | null } }[];
    expect(lastDay.oldestStaleS).not.toBeNull();
  });

  test("is in the metrics, too", async () => {
    const text = await (await fetch(`${zot.url}/metrics`)).text();
    for (const line of [
      `zot_mirror_up{upstream="${upstream.host}"} `,
      `zot_mirror_requests_total{upstream="${upstream.host}",kind="manifest",result="miss"} `,
      `zot_mirror_upstream_requests_total{upstream="${upstream.host}",method="HEAD",code="200"} `,
      `zot_mirror_bytes_total{upstream="${upstream.host}",direction="received"} `,
      `zot_mirror_stale_seconds_max{upstream="${upstream.host}"} `,
    ]) {
      expect(text).toContain(line);
    }
  });

  test("is for administrators where callers log in", async () => {
    const users = join(directory.path, "operators");
    const hash = (word: string) => Bun.password.hashSync(word, { algorithm: "bcrypt", cost: 4 });
    await writeFile(users, `ann:${hash("ann")}\nbob:${hash("bob")}\n`);
    const accessControl = {
      repositories: { "**": { policies: [{ users: ["bob"], actions: ["read"] }] } },
      adminPolicy: { users: ["ann"], actions: ["read"] },
    };
    const http = { auth: { htpasswd: { path: users }, failDelay: 0 }, accessControl };
    await using closed = await startZot({ config: { ...config(), http } });
    const asked = async (user: string): Promise<number> => {
      const headers = { authorization: `Basic ${btoa(`${user}:${user}`)}` };
      return (await fetch(`${closed.url}/v2/_zot/mirrors`, { headers })).status;
    };
    expect([await asked("ann"), await asked("bob")]).toEqual([200, 403]);
  });
});

test("a directory that is not there is made", async () => {
  const below = join(directory.path, "deep/er");
  await mkdir(join(directory.path, "deep"));
  const { stdout } = await mirror("--for", "containerd", "--write", below);
  expect(stdout).toBe(`${below}/etc/containerd/certs.d/${upstream.host}/hosts.toml\n`);
});
