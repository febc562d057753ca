// curl, skopeo and containerd over HTTPS, with and without client certificates, set up as their manuals say.
//
// Proves: clients that check the server's name and authority push and pull; one without a client certificate, or with
// one of another authority, is told why. Digests are compared, so what crossed TLS is what was sent.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, TestAuthority } from "../certificates.ts";
import { requireRoot, requireTool, run, runOk, startZot, type Zot } from "../harness.ts";
import { sha256 } from "./base_image.ts";
import { type Containerd, startContainerd } from "./containerd.ts";
import { type Containers, containers } from "./containers.ts";
import { clientTestMs } from "./tested_registry.ts";

const ready =
  requireTool("openssl", "curl", "skopeo", "buildah", "containerd", "ctr") && requireRoot();

const octets = ["--header", "Content-Type: application/octet-stream"];
/** A layer that is no multiple of anything, larger than what sockets hold. */
const layerBytes = 30_000_001;

describe.skipIf(!ready).each([
  ["TLS", false],
  ["TLS with client certificates", true],
])("%s", (_, mutual) => {
  let tools: Containers;
  let zot: Zot;
  let containerd: Containerd;
  let authority: TestAuthority;
  let client: Certificate;
  let mallory: Certificate;
  let source = "";
  let manifest = "";
  const at = (name: string): string => join(tools.directory, name);

  beforeAll(async () => {
    tools = await containers();
    authority = await TestAuthority.make(tools.directory);
    const stranger = await TestAuthority.make(tools.directory, "stranger");
    const server = await authority.issue("server", {
      names: ["IP:127.0.0.1"],
      usage: "serverAuth",
    });
    client = await authority.issue("client", { usage: "clientAuth" });
    mallory = await stranger.issue("mallory");
    const tls = mutual ? { ...server, cacert: authority.cert } : server;
    zot = await startZot({ config: { http: { tls } } });
    await makeImage();
    await certificates("known", client);
    await certificates("nobody", null);
    await certificates("mallory", mallory);
    containerd = await startContainerd();
  }, clientTestMs);
  afterAll(async () => {
    await containerd?.[Symbol.asyncDispose]();
    await zot?.[Symbol.asyncDispose]();
    await tools?.[Symbol.asyncDispose]();
  }, clientTestMs);

  /** An image of one file without a pattern; sets `source` and `manifest`. */
  async function makeImage(): Promise<void> {
    const random = new Uint8Array(layerBytes);
    for (let start = 0; start < layerBytes; start += 65_536) {
      crypto.getRandomValues(random.subarray(start, start + 65_536));
    }
    await writeFile(at("random"), random);
    const container = (await tools.buildah("from", "scratch")).stdout.trim();
    await tools.buildah("copy", "-q", container, at("random"), "/random");
    await tools.buildah("commit", "-q", "--format", "oci", container, "localhost/random:1");
    source = `oci:${at("layout")}:1`;
    await tools.buildah("push", "-q", "localhost/random:1", source);
    manifest = await tools.rawManifest(source);
  }

  /** A directory as /etc/containers/certs.d has them, without the client's part when there is no client. */
  async function certificates(name: string, pair: Certificate | null): Promise<void> {
    await mkdir(at(name));
    await copyFile(authority.cert, join(at(name), "ca.crt"));
    if (pair === null) return;
    await copyFile(pair.cert, join(at(name), "client.cert"));
    await copyFile(pair.key, join(at(name), "client.key"));
  }

  function copied(from: string, to: string, ...flags: readonly string[]) {
    return tools.trySkopeo("copy", "--preserve-digests", ...flags, from, to);
  }

  test(
    "skopeo pushes and pulls by --dest-cert-dir and --src-cert-dir",
    async () => {
      const target = `docker://${zot.host}/team/random:1`;
      const pushed = await copied(source, target, `--dest-cert-dir=${at("known")}`);
      expect({ code: pushed.code, stderr: pushed.stderr }).toMatchObject({ code: 0 });
      const back = `oci:${at("back")}:1`;
      const pulled = await copied(target, back, `--src-cert-dir=${at("known")}`);
      expect({ code: pulled.code, stderr: pulled.stderr }).toMatchObject({ code: 0 });
      expect(sha256(await tools.rawManifest(back))).toBe(sha256(manifest));
    },
    clientTestMs,
  );

  test(
    "skopeo without a certificate, with a stranger's, and without trust",
    async () => {
      const target = `docker://${zot.host}/team/other:1`;
      const nobody = await copied(source, target, `--dest-cert-dir=${at("nobody")}`);
      expect(nobody.code === 0).toBe(!mutual);
      if (mutual) expect(nobody.stderr).toMatch(/authentication required|unauthorized/i);
      const stranger = await copied(source, target, `--dest-cert-dir=${at("mallory")}`);
      expect(stranger.code === 0).toBe(!mutual);
      // Go does not show a certificate of an authority that the server has not named.
      if (mutual) expect(stranger.stderr).toMatch(/authentication required|unauthorized/i);
      const trustless = await copied(source, target);
      expect(trustless.code).not.toBe(0);
      expect(trustless.stderr).toMatch(/certificate signed by unknown authority|failed to verify/);
    },
    clientTestMs,
  );

  test(
    "containerd pulls and pushes by a hosts file",
    async () => {
      const hosts = await hostsDirectory(mutual ? client : null);
      const name = `${zot.host}/team/random:1`;
      const { snapshotter } = containerd;
      const flags = ["--hosts-dir", hosts];
      await copied(source, `docker://${name}`, `--dest-cert-dir=${at("known")}`);
      await containerd.ctr("images", "pull", ...flags, "--snapshotter", snapshotter, name);
      const listed = await containerd.ctr("images", "ls", `name==${name}`);
      expect(listed.stdout).toContain(sha256(manifest));
      const target = `${zot.host}/team/again:1`;
      await containerd.ctr("images", "push", ...flags, target, name);
      const read = await tools.skopeo(
        "inspect",
        "--raw",
        `--cert-dir=${at("known")}`,
        `docker://${target}`,
      );
      expect(sha256(read.stdout)).toBe(sha256(manifest));
    },
    clientTestMs,
  );

  async function hostsDirectory(pair: Certificate | null): Promise<string> {
    const directory = at(`hosts/${zot.host}`);
    await mkdir(directory, { recursive: true });
    const means = [
      `ca = "${authority.cert}"`,
      ...(pair === null ? [] : [`client = [["${pair.cert}", "${pair.key}"]]`]),
    ];
    // The first part is for the server itself, which is tried when the host below it fails.
    const lines = [`server = "${zot.url}"`, ...means, `[host."${zot.url}"]`, ...means];
    await writeFile(join(directory, "hosts.toml"), `${lines.join("\n")}\n`);
    return at("hosts");
  }

  test(
    "curl pushes and pulls 100 MiB, in one piece and in a range",
    async () => {
      const file = at("big");
      await runOk("dd", ["if=/dev/urandom", `of=${file}`, "bs=1M", "count=100", "status=none"]);
      const digest = sha256(await Bun.file(file).bytes());
      const flags = ["--silent", "--show-error", "--fail", "--cacert", authority.cert];
      if (mutual) flags.push("--cert", client.cert, "--key", client.key);
      const uploads = `${zot.url}/v2/team/big/blobs/uploads/?digest=${digest}`;
      await runOk("curl", [...flags, ...octets, "--data-binary", `@${file}`, uploads]);
      const blob = `${zot.url}/v2/team/big/blobs/${digest}`;
      await runOk("curl", [...flags, "-o", at("whole"), blob]);
      expect(sha256(await Bun.file(at("whole")).bytes())).toBe(digest);
      await runOk("curl", [...flags, "-r", "1000000-77777777", "-o", at("part"), blob]);
      const part = (await Bun.file(file).bytes()).subarray(1_000_000, 77_777_778);
      expect(sha256(await Bun.file(at("part")).bytes())).toBe(sha256(part));
      const trustless = await run("curl", ["--silent", "--show-error", blob]);
      expect(trustless.code).toBe(60);
      const shows = ["--cert", mallory.cert, "--key", mallory.key];
      const answered = ["--silent", "--cacert", authority.cert, ...shows, `${zot.url}/v2/`];
      const { stdout } = await run("curl", answered);
      expect(stdout.includes("The client certificate is not accepted")).toBe(mutual);
    },
    clientTestMs,
  );
});
