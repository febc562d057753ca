// docker itself, with an engine of the test's own: it pushes, pulls, builds and runs, logs in with passwords and with
// tokens, and trusts what `/etc/docker/certs.d` says.
//
// docker speaks plain HTTP to loopback without being told. Its manifests are Docker's schema 2; `docker manifest` makes
// the lists, as `docker buildx` (which Debian does not have) would.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestAuthority } from "../certificates.ts";
import {
  freePort,
  packageDirectory,
  requireRoot,
  requireTool,
  runOk,
  startZot,
  tempDirectory,
  type Zot,
} from "../harness.ts";
import { reasonOf } from "../reason_of.ts";
import { type Docker, ownAddress, startDocker } from "./dockerd.ts";
import {
  clientTestMs,
  expectBlobsServed,
  getManifest,
  mediaTypes,
  parseManifest,
} from "./tested_registry.ts";

const ready =
  requireTool("dockerd", "docker", "containerd", "runc", "busybox", "htpasswd", "openssl") &&
  requireTool("unshare", "nsenter", "ip", "tar") &&
  requireRoot();

/** A root file system of one program, with bytes that no run had before; its mark. */
async function rootFileSystem(directory: string): Promise<string> {
  const mark = crypto.randomUUID();
  await mkdir(join(directory, "bin"), { recursive: true });
  await copyFile(Bun.which("busybox") ?? "/bin/busybox", join(directory, "bin/busybox"));
  for (const name of ["sh", "cat"]) await symlink("busybox", join(directory, "bin", name));
  await writeFile(join(directory, "mark"), mark);
  return mark;
}

describe.skipIf(!ready)("docker", () => {
  let engine: Docker;
  let zot: Zot;
  let mark = "";
  const named = (name: string) => `${zot.host}/${name}`;
  const docker = (...args: readonly string[]) => engine.docker(...args);

  beforeAll(async () => {
    engine = await startDocker();
    zot = await startZot({ config: { storage: { quotas: [{ prefix: "full/", bytes: 0 }] } } });
    const files = join(engine.directory, "files");
    mark = await rootFileSystem(files);
    await engine.importImage(files, "local/app:1", '--change=CMD ["/bin/cat","/mark"]');
    await writeFile(join(files, "mark"), crypto.randomUUID());
    await engine.importImage(files, "local/arm:1");
  }, clientTestMs);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    await zot?.[Symbol.asyncDispose]();
  }, clientTestMs);

  /** Pushes an image under another name; what docker printed. */
  async function push(source: string, target: string): Promise<string> {
    await docker("tag", source, target);
    return (await docker("push", target)).stdout;
  }

  test(
    "loads an archive that zot copy wrote, under the name that the image has in the registry",
    async () => {
      const target = named("moved/app:1");
      await push("local/app:1", target);
      await docker("image", "rm", target);
      const archive = join(engine.directory, "moved.tar");
      const copy = ["copy", `docker://${target}`, `oci-archive:${archive}`];
      await runOk(join(packageDirectory, "bin/zot"), copy, { cwd: engine.directory });
      expect((await docker("load", "-i", archive)).stdout).toContain(target);
      expect((await docker("run", "--rm", "--network=none", target)).stdout).toBe(mark);
    },
    clientTestMs,
  );

  test(
    "prints what a quota says, once, when a push has no room",
    async () => {
      const target = named("full/app:1");
      await docker("tag", "local/app:1", target);
      const { code, stderr } = await engine.tryDocker(["push", target]);
      expect(code).not.toBe(0);
      const message =
        /denied: quota of full\/: 0 B used of 0 B, this layer needs room; see `zot du full\/`/g;
      expect({ stderr, times: stderr.match(message)?.length }).toEqual({ stderr, times: 1 });
    },
    clientTestMs,
  );

  test(
    "pulls what a tag was at a moment, by a name of the past, also when all of it was deleted since",
    async () => {
      const target = named("past/app:1");
      await push("local/app:1", target);
      const first = await getManifest(zot, "past/app", "1");
      await Bun.sleep(5);
      const then = `at.${new Date().toISOString().toLowerCase().replaceAll(":", ".")}`;
      await Bun.sleep(5);
      await push("local/arm:1", target);
      for (const path of [
        `manifests/${first.digest}`,
        `blobs/${parseManifest(first.text).layers[0]?.digest}`,
      ]) {
        const removed = await fetch(`${zot.url}/v2/past/app/${path}`, { method: "DELETE" });
        expect(removed.status).toBe(202);
      }
      await docker("image", "rm", target);
      const asked = named(`${then}/past/app:1`);
      expect((await docker("pull", asked)).stdout).toContain(`Digest: ${first.digest}`);
      expect((await docker("run", "--rm", "--network=none", asked)).stdout).toBe(mark);
      const never = await reasonOf(docker("pull", named("at.2020-01-01/past/app:1")));
      expect(String(never)).toMatch(/history of past\/app begins at|not found|manifest unknown/);
    },
    clientTestMs,
  );

  test(
    "pushes an image, and pulls and runs it by tag and by digest",
    async () => {
      const target = named("team/app:1");
      const printed = await push("local/app:1", target);
      const served = await getManifest(zot, "team/app", "1");
      expect(printed).toContain(`1: digest: ${served.digest}`);
      expect(served.mediaType).toBe(mediaTypes.dockerManifest);
      await expectBlobsServed(zot, "team/app", parseManifest(served.text));
      expect(await push("local/app:1", target)).toContain("Layer already exists");

      const byDigest = named(`team/app@${served.digest}`);
      for (const name of [target, byDigest]) {
        await docker("rmi", "--force", target, byDigest, "local/app:1").catch(() => undefined);
        expect((await docker("pull", name)).stdout).toContain(`Digest: ${served.digest}`);
        const ran = await docker("run", "--rm", "--network=none", name);
        expect(ran.stdout).toBe(mark);
      }
      await docker("tag", byDigest, "local/app:1");
    },
    clientTestMs,
  );

  test(
    "mounts the layers that another repository has",
    async () => {
      await push("local/app:1", named("team/app:1"));
      expect(await push("local/app:1", named("other/app:1"))).toContain("Mounted from team/app");
      const served = await getManifest(zot, "other/app", "1");
      await expectBlobsServed(zot, "other/app", parseManifest(served.text));
    },
    clientTestMs,
  );

  test(
    "pushes a manifest list, and pulls of it the image for this machine",
    async () => {
      const [amd, arm, list] = [
        named("team/multi:amd"),
        named("team/multi:arm"),
        named("team/multi:1"),
      ];
      await push("local/app:1", amd);
      await push("local/arm:1", arm);
      await docker("manifest", "create", "--insecure", list, amd, arm);
      await docker("manifest", "annotate", "--arch=amd64", list, amd);
      await docker("manifest", "annotate", "--arch=arm64", list, arm);
      await docker("manifest", "push", "--insecure", list);
      const served = await getManifest(zot, "team/multi", "1");
      expect(served.mediaType).toBe(mediaTypes.dockerList);
      const { manifests } = parseManifest(served.text);
      expect(manifests.map(({ platform }) => platform?.architecture)).toEqual(["amd64", "arm64"]);
      const inspected = await docker("manifest", "inspect", "--insecure", list);
      expect(JSON.parse(inspected.stdout)).toEqual(JSON.parse(served.text));
      for (const { digest, platform } of manifests) {
        await docker("pull", `--platform=linux/${platform?.architecture}`, list);
        const shown = await docker("image", "inspect", "--format={{.Id}}", list);
        const child = parseManifest((await getManifest(zot, "team/multi", digest)).text);
        expect(shown.stdout.trim()).toBe(child.config.digest);
      }
    },
    clientTestMs,
  );

  test(
    "builds on an image of the registry, and pushes what it built",
    async () => {
      await push("local/app:1", named("team/base:1"));
      await docker("rmi", named("team/base:1"));
      const context = join(engine.directory, "context");
      await mkdir(context);
      const lines = [
        `FROM ${named("team/base:1")}`,
        "RUN cat /mark > /copy",
        'CMD ["/bin/cat", "/copy"]',
      ];
      await writeFile(join(context, "Dockerfile"), lines.join("\n"));
      await docker("build", "--network=none", "--tag", named("team/built:1"), context);
      await docker("push", named("team/built:1"));
      await docker("rmi", named("team/built:1"));
      const ran = await docker("run", "--rm", "--network=none", named("team/built:1"));
      expect(ran.stdout).toBe(mark);
    },
    clientTestMs,
  );

  test(
    "says that there is no such image",
    async () => {
      const absent = await engine.tryDocker(["pull", named("team/absent:1")]);
      expect(absent.code).not.toBe(0);
      expect(absent.stderr).toMatch(/not found|manifest unknown|does not exist/i);
    },
    clientTestMs,
  );

  test.each([
    ["passwords", false],
    ["tokens", true],
  ])(
    "logs in with %s: who may push pushes, who may read reads, and others are told",
    async (_, tokens) => {
      const users = join(engine.directory, `users-${tokens}`);
      for (const [at, user] of ["alice", "bob"].entries()) {
        const flags = at === 0 ? "-cbB" : "-bB";
        await runOk("htpasswd", [flags, "-C", "5", users, user, `${user}'s password`]);
      }
      const port = await freePort();
      await using closed = await startZot({
        config: {
          http: {
            port: String(port),
            ...(tokens ? { externalUrl: `http://127.0.0.1:${port}` } : {}),
            auth: { htpasswd: { path: users } },
            accessControl: {
              repositories: {
                "team/**": {
                  policies: [
                    { users: ["alice"], actions: ["read", "create", "update"] },
                    { users: ["bob"], actions: ["read"] },
                  ],
                },
              },
            },
          },
        },
      });
      const login = (user: string, password: string) =>
        engine.tryDocker(["login", "--username", user, "--password-stdin", closed.host], {
          stdin: password,
        });
      const target = `${closed.host}/team/app:1`;
      await docker("tag", "local/app:1", target);
      const challenge = (await fetch(`${closed.url}/v2/`)).headers.get("www-authenticate");
      expect(challenge).toStartWith(tokens ? "Bearer " : "Basic ");

      const stranger = await engine.tryDocker(["push", target]);
      expect(stranger.code).not.toBe(0);
      expect(stranger.stderr).toMatch(/unauthorized|denied|no basic auth credentials/i);
      const wrong = await login("alice", "wrong");
      expect(wrong.code).not.toBe(0);
      expect(wrong.stderr).toMatch(/unauthorized/i);

      expect((await login("alice", "alice's password")).stdout).toContain("Login Succeeded");
      await docker("push", target);
      expect((await login("bob", "bob's password")).stdout).toContain("Login Succeeded");
      await docker("rmi", target);
      await docker("pull", target);
      const second = `${closed.host}/team/app:2`;
      await docker("tag", target, second);
      const reader = await engine.tryDocker(["push", second]);
      expect(reader.code).not.toBe(0);
      expect(reader.stderr).toMatch(/denied/i);
      await docker("logout", closed.host);
    },
    clientTestMs,
  );
});

describe.skipIf(!ready)("docker with TLS", () => {
  test(
    "trusts the authority in certs.d, shows the certificate there, and says what it misses elsewhere",
    async () => {
      await using stack = new AsyncDisposableStack();
      const directory = stack.use(await tempDirectory());
      const authority = await TestAuthority.make(directory.path);
      const server = await authority.issue("server", {
        names: [`IP:${ownAddress}`],
        usage: "serverAuth",
      });
      const client = await authority.issue("client", { usage: "clientAuth" });
      const read = (path: string) => readFile(path, "utf8");
      const ca = await read(authority.cert);
      const [known, unknown, mutual] = [
        `${ownAddress}:5001`,
        `${ownAddress}:5002`,
        `${ownAddress}:5003`,
      ];
      const engine = stack.use(
        await startDocker({
          certificates: {
            [`${known}/ca.crt`]: ca,
            [`${mutual}/ca.crt`]: ca,
            [`${mutual}/client.cert`]: await read(client.cert),
            [`${mutual}/client.key`]: await read(client.key),
          },
        }),
      );
      const files = join(engine.directory, "files");
      await rootFileSystem(files);
      await engine.importImage(files, "local/app:1");
      for (const host of [known, unknown, mutual]) {
        const tls = host === mutual ? { ...server, cacert: authority.cert } : server;
        const port = host.split(":")[1] ?? "";
        stack.use(
          await startZot({
            executable: engine.zot,
            config: { http: { address: ownAddress, port, tls } },
          }),
        );
        const target = `${host}/team/app:1`;
        await engine.docker("tag", "local/app:1", target);
        const pushed = await engine.tryDocker(["push", target]);
        if (host === unknown) {
          expect(pushed.stderr).toContain("certificate signed by unknown authority");
          continue;
        }
        expect({ code: pushed.code, stderr: pushed.stderr }).toMatchObject({ code: 0 });
        await engine.docker("rmi", target);
        await engine.docker("pull", target);
      }
    },
    clientTestMs,
  );
});
