// Clients that pull through the mirror by the settings that `zot mirror` prints: what their users write is
// `docker.io/…` and `ghcr.io/…`, and what they get comes from the mirror, also when the upstreams are off.
//
// Proves: the settings are accepted by the programs that they are for, names lead to the right upstream, and a client
// with an empty store gets all of an image again that its upstream cannot give.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  packageDirectory,
  type Registry,
  requireRoot,
  requireTool,
  run,
  startDockerRegistry,
  startZot,
  tempDirectory,
  type Zot,
} from "../harness.ts";
import { type Internet, startInternet } from "../mirror/internet.ts";
import type { TempDirectory } from "../temp.ts";
import { type SmallImage, smallImage } from "./small_image.ts";
import { startContainerd } from "./containerd.ts";
import { type Containers, containers } from "./containers.ts";
import { startDocker } from "./dockerd.ts";
import { clientTestMs, isZot } from "./tested_registry.ts";

const ready = isZot && requireTool("skopeo", "buildah", "podman", "openssl", "tar");
const hub = "registry-1.docker.io";
const onHub = "docker.io/library/debian:12";
const onGhcr = "ghcr.io/owner/app:1";

let directory: TempDirectory;
let image: SmallImage;
let registries: { readonly hub: Registry; readonly ghcr: Zot };
let internet: Internet;
let mirror: Zot;

beforeAll(async () => {
  if (!ready) return;
  directory = await tempDirectory("zot-mirror-clients");
  image = await smallImage();
  registries = { hub: await startDockerRegistry(), ghcr: await startZot() };
  internet = await startInternet({ [hub]: registries.hub.port, "ghcr.io": registries.ghcr.port });
  await image.push(registries.hub, "library/debian", "12");
  await image.push(registries.ghcr, "owner/app", "1");
  // One command, as somebody starts it who has never seen it.
  mirror = await startZot({
    env: internet.env,
    args: ["--mirror", "docker.io,ghcr.io"],
    config: { http: { workers: 2 } },
  });
}, clientTestMs);

afterAll(async () => {
  await mirror?.[Symbol.asyncDispose]();
  await internet?.[Symbol.asyncDispose]();
  await registries?.ghcr[Symbol.asyncDispose]();
  await registries?.hub[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
}, clientTestMs);

/** What `zot mirror` writes for a client; the directory that it is below. */
async function settings(client: string, server = mirror.url): Promise<string> {
  const below = join(directory.path, crypto.randomUUID());
  await mkdir(below);
  const args = ["mirror", "--for", client, "--server", server, "--write", below];
  const { code, stdout, stderr } = await run(join(packageDirectory, "bin/zot"), args);
  expect({ code, stderr, stdout }).toMatchObject({ code: 0 });
  return below;
}

/** Does something while no upstream can be reached. */
async function withoutUpstreams<T>(work: () => Promise<T>): Promise<T> {
  for (const host of [hub, "ghcr.io"]) internet.switch(host, false);
  try {
    return await work();
  } finally {
    for (const host of [hub, "ghcr.io"]) internet.switch(host, true);
  }
}

describe.skipIf(!ready)("Podman, Buildah and skopeo", () => {
  const conf = "etc/containers/registries.conf.d/50-zot.conf";
  // skopeo has a flag in place of the variable.
  const inspect = async (tools: Containers, file: string, name: string): Promise<string> => {
    const args = ["--registries-conf", file, "inspect", "--raw", `docker://${name}`];
    return (await tools.skopeo(...args)).stdout;
  };
  const client = (file: string): Promise<Containers> =>
    containers({ ...internet.env, CONTAINERS_REGISTRIES_CONF: file });

  test(
    "row 71: pull from two upstreams on one port, and again with an empty store when both are off",
    async () => {
      const file = join(await settings("podman"), conf);
      {
        await using tools = await client(file);
        for (const name of [onHub, onGhcr]) await tools.podman("pull", "-q", name);
      }
      await withoutUpstreams(async () => {
        await using tools = await client(file);
        for (const name of [onHub, onGhcr]) {
          await tools.podman("pull", "-q", name);
          const { stdout } = await tools.podman(
            "image",
            "inspect",
            "--format",
            "{{.Digest}}",
            name,
          );
          expect(stdout.trim()).toBe(image.digest);
        }
        await tools.buildah("from", "--name", "b", onHub);
        expect(await inspect(tools, file, onGhcr)).toBe(image.manifest);
      });
    },
    clientTestMs,
  );

  test(
    "go to the upstream when the mirror is off",
    async () => {
      const text = await Bun.file(join(await settings("podman"), conf)).text();
      const file = join(directory.path, "no-mirror.conf");
      await writeFile(file, text.replaceAll(mirror.host, "127.0.0.1:1"));
      await using tools = await client(file);
      expect(await inspect(tools, file, onHub)).toBe(image.manifest);
    },
    clientTestMs,
  );
});

const hasContainerd = ready && requireTool("containerd", "ctr", "runc") && requireRoot();

describe.skipIf(!hasContainerd)("containerd", () => {
  const pull = (hosts: string, name: string): readonly string[] => [
    "images",
    "pull",
    "--hosts-dir",
    hosts,
    "--snapshotter",
    "native",
    name,
  ];

  test(
    "row 72: pulls both by ns, and again with an empty store when the upstreams are off",
    async () => {
      const hosts = join(await settings("containerd"), "etc/containerd/certs.d");
      {
        await using containerd = await startContainerd(internet.env);
        for (const name of [onHub, onGhcr]) await containerd.ctr(...pull(hosts, name));
      }
      await withoutUpstreams(async () => {
        await using containerd = await startContainerd(internet.env);
        for (const name of [onHub, onGhcr]) {
          await containerd.ctr(...pull(hosts, name));
          const listed = (await containerd.ctr("images", "ls", `name==${name}`)).stdout;
          expect(listed).toContain(image.digest);
        }
      });
    },
    clientTestMs,
  );

  test(
    "row 71: goes to the upstream when the mirror is off",
    async () => {
      const hosts = join(directory.path, "no-mirror");
      const file = join(
        await settings("containerd"),
        "etc/containerd/certs.d/docker.io/hosts.toml",
      );
      await mkdir(join(hosts, "docker.io"), { recursive: true });
      const text = (await Bun.file(file).text()).replaceAll(mirror.host, "127.0.0.1:1");
      await writeFile(join(hosts, "docker.io/hosts.toml"), text);
      await using containerd = await startContainerd(internet.env);
      await containerd.ctr(...pull(hosts, onHub));
    },
    clientTestMs,
  );
});

const hasDocker = ready && requireTool("dockerd", "docker", "containerd") && requireRoot();

describe.skipIf(!hasDocker)("Docker", () => {
  const file = "etc/docker/daemon.json";

  test(
    "row 72: pulls from Docker Hub through the mirror, and again when that is off",
    async () => {
      const text = await Bun.file(join(await settings("docker"), file)).text();
      await using engine = await startDocker({ settings: text, env: internet.env });
      await engine.docker("pull", "-q", "debian:12");
      await engine.docker("rmi", "debian:12");
      await withoutUpstreams(async () => {
        await engine.docker("pull", "-q", "debian:12");
        const { stdout } = await engine.docker("image", "inspect", "debian:12");
        expect(stdout).toContain(image.digest);
      });
    },
    clientTestMs,
  );

  test(
    "row 72: cannot log in to a mirror: it was warned of that, and goes to Docker Hub",
    async () => {
      const users = join(directory.path, "users");
      const hash = Bun.password.hashSync("secret", { algorithm: "bcrypt", cost: 4 });
      await writeFile(users, `ann:${hash}\n`);
      await using locked = await startZot({
        env: internet.env,
        config: {
          extensions: { sync: { mirrors: ["docker.io"] } },
          http: { auth: { htpasswd: { path: users }, failDelay: 0 } },
        },
      });
      const args = ["mirror", "--for", "docker", "--server", locked.url, "--user", "ann:secret"];
      const told = await run(join(packageDirectory, "bin/zot"), args);
      expect(told.stderr).toContain("Docker cannot log in to a mirror");
      await using engine = await startDocker({ settings: told.stdout, env: internet.env });
      const before = internet.asked.length;
      await engine.docker("pull", "-q", "debian:12");
      expect(internet.asked.slice(before)).toContain(hub);
      expect(locked.logs().some(({ status }) => status === 401)).toBe(true);
    },
    clientTestMs,
  );
});
