// skopeo and containerd show a client certificate: it is who they are, and the policy knows them by it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, TestAuthority } from "../certificates.ts";
import { requireRoot, requireTool, run, startZot, tempDirectory, type Zot } from "../harness.ts";
import { type Containerd, refusedPush, startContainerd } from "./containerd.ts";
import { type Containers, containers } from "./containers.ts";
import { clientTestMs } from "./tested_registry.ts";

const ready = requireTool("skopeo", "buildah", "containerd", "ctr", "openssl") && requireRoot();
const people = ["alice", "bob"] as const;

describe.skipIf(!ready)("clients with a certificate", () => {
  let directory: Awaited<ReturnType<typeof tempDirectory>>;
  let authority: TestAuthority;
  let registry: Zot;
  let tools: Containers;
  let containerd: Containerd;
  const at = (name: string) => join(directory.path, name);

  beforeAll(async () => {
    directory = await tempDirectory("zot-certificates");
    [tools, containerd] = await Promise.all([containers(), startContainerd()]);
    authority = await TestAuthority.make(directory.path);
    const server = await authority.issue("server", { names: ["IP:127.0.0.1"] });
    for (const name of people) {
      await layOut(name, await authority.issue(name, { subject: `/O=example/CN=${name}` }));
    }
    await layOut("nameless", await authority.issue("nameless", { subject: "/O=example" }));
    registry = await startZot({
      config: {
        http: {
          tls: { cert: server.cert, key: server.key, cacert: authority.cert },
          auth: { mtls: { identityAttributes: ["CommonName"] } },
          accessControl: {
            repositories: {
              "team/**": {
                policies: [
                  { users: ["alice"], actions: ["read", "create"] },
                  { users: ["bob"], actions: ["read"] },
                ],
              },
            },
          },
        },
      },
    });
    const container = (await tools.buildah("from", "scratch")).stdout.trim();
    await tools.buildah("commit", "-q", container, "localhost/small:1");
  }, clientTestMs);

  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await containerd?.[Symbol.asyncDispose]();
    await tools?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  }, clientTestMs);

  /** As containers/image wants it: a directory with ca.crt, and a certificate beside its key. */
  async function layOut(name: string, { cert, key }: Certificate): Promise<void> {
    await mkdir(at(`${name}.d`));
    await copyFile(authority.cert, at(`${name}.d/ca.crt`));
    await copyFile(cert, at(`${name}.d/client.cert`));
    await copyFile(key, at(`${name}.d/client.key`));
  }

  const push = (name: string, tag: string) =>
    tools.trySkopeo(
      "copy",
      `--dest-cert-dir=${at(`${name}.d`)}`,
      "containers-storage:localhost/small:1",
      `docker://${registry.host}/team/app:${tag}`,
    );
  const pull = (name: string) =>
    tools.trySkopeo(
      "inspect",
      `--cert-dir=${at(`${name}.d`)}`,
      `docker://${registry.host}/team/app:1`,
    );

  test(
    "skopeo pushes and pulls as whom the certificate names",
    async () => {
      const pushed = await push("alice", "1");
      expect({ code: pushed.code, said: pushed.stderr }).toMatchObject({ code: 0 });
      await registry.waitForLog("the log names alice", (line) => line["who"] === "alice");
      expect((await push("bob", "2")).code).toBe(1);
      expect((await pull("bob")).code).toBe(0);
      expect((await pull("nameless")).code).toBe(1);
    },
    clientTestMs,
  );

  test(
    "containerd does, with a hosts file",
    async () => {
      const hosts = at("hosts");
      for (const name of people) {
        const folder = join(hosts, name, registry.host);
        await mkdir(folder, { recursive: true });
        const client = `[["${at(`${name}.d/client.cert`)}", "${at(`${name}.d/client.key`)}"]]`;
        await writeFile(
          join(folder, "hosts.toml"),
          `server = "${registry.url}"\n\n[host."${registry.url}"]\n  ca = "${authority.cert}"\n  client = ${client}\n`,
        );
      }
      const ctr = (...args: string[]) => {
        const [command = "", ...rest] = containerd.command("images", ...args);
        return run(command, rest);
      };
      const as = (name: string) => ["--hosts-dir", join(hosts, name)];
      const name = `${registry.host}/team/app:1`;
      const pulled = await ctr("pull", ...as("bob"), name);
      expect({ code: pulled.code, said: pulled.stderr }).toMatchObject({ code: 0 });
      const target = `${registry.host}/team/app:ctr`;
      const refused = containerd.command("images", "push", ...as("bob"), target, name);
      expect(await refusedPush(refused, { registry, who: "bob" })).not.toBe(0);
      expect((await ctr("push", ...as("alice"), target, name)).code).toBe(0);
    },
    clientTestMs,
  );

  test("without a certificate nobody comes in", async () => {
    await mkdir(at("stranger.d"));
    await copyFile(authority.cert, at("stranger.d/ca.crt"));
    expect((await pull("stranger")).code).toBe(1);
  });
});
