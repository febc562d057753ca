// What the README promises for a fresh machine: clone, `npm ci && npm start`, push with skopeo, stop.
//
// Runs with `npm run test:fresh` and in CI, since it downloads the dependencies. Uses the commit that is checked
// out. As root it serves in a network namespace of its own, so the default port is free on any machine.

import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  descendants,
  eventually,
  isAlive,
  packageDirectory,
  requireTool,
  run,
  runOk,
  startService,
  tempDirectory,
} from "./harness.ts";

const asked = process.env["ZOT_TEST_FRESH"] === "1";
const ready = asked && requireTool("git", "npm", "skopeo");
const isRoot = process.getuid?.() === 0 && Bun.which("unshare") !== null;

test.skipIf(!ready)(
  "a fresh clone serves on 127.0.0.1:8080 after npm ci && npm start, and takes a push",
  async () => {
    await using directory = await tempDirectory("zot-fresh");
    const clone = join(directory.path, "zot");
    const safe = ["-c", "safe.directory=*"];
    await runOk("git", [...safe, "clone", "-q", "--no-hardlinks", packageDirectory, clone]);
    const data = join(directory.path, "data");
    const env = { XDG_DATA_HOME: data };
    const install = { cwd: clone, env, timeoutMs: 300_000 };
    const installed = await runOk("npm", ["ci", "--no-audit", "--no-fund"], install);
    expect(installed.stderr).toBe("");
    // Before it npm says which script of ours made the bundle for quick starts.
    expect(installed.stdout.trim()).toMatch(/^(> .*\n|\n)*added \d+ packages in \d+(?:ms|s|m)$/);

    const ownNetwork = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
    const command = ["npm", "start"];
    const options = { cwd: clone, env };
    await using server = startService(isRoot ? [...ownNetwork, ...command] : command, options);
    const line = await server.waitForLine("it listens", (text) => text.includes('"listening"'));
    expect(line).toContain('"url":"http://127.0.0.1:8080"');
    const processes = descendants(server.pid);
    // What it prints names commands to push with.
    const shown = [...server.stdout(), ...server.stderr()].join("\n");
    expect(shown).toContain("docker://127.0.0.1:8080/");

    const layout = await smallLayout(join(directory.path, "layout"));
    const inside = isRoot ? ["nsenter", `--net=/proc/${server.pid}/ns/net`, "--"] : [];
    const skopeo = (...args: string[]) => {
      const [program = "skopeo", ...rest] = [...inside, "skopeo", "--insecure-policy", ...args];
      return runOk(program, rest, options);
    };
    const image = "docker://127.0.0.1:8080/hello/world:1";
    await skopeo("copy", "--dest-tls-verify=false", `oci:${layout}:1`, image);
    const inspected = await skopeo("inspect", "--tls-verify=false", image);
    expect(inspected.stdout).toContain('"Name": "127.0.0.1:8080/hello/world"');

    await server.stop();
    await eventually("every process ended", () => !processes.some(isAlive));
    const read = await run("skopeo", [
      "inspect",
      "--raw",
      `oci:${join(data, "zot/hello/world")}:1`,
    ]);
    expect(read.stdout).toContain("application/vnd.oci.image.config.v1+json");
    const status = await runOk("git", [...safe, "status", "--porcelain"], { cwd: clone });
    expect(status.stdout).toBe("");
  },
  600_000,
);

/** An OCI layout with one image, tagged 1, without layers. */
async function smallLayout(path: string): Promise<string> {
  await mkdir(join(path, "blobs/sha256"), { recursive: true });
  const blob = async (value: object, mediaType: string) => {
    const text = JSON.stringify(value);
    const hex = new Bun.CryptoHasher("sha256").update(text).digest("hex");
    await writeFile(join(path, "blobs/sha256", hex), text);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
  };
  const config = await blob(
    { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } },
    "application/vnd.oci.image.config.v1+json",
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await blob({ schemaVersion: 2, mediaType, config, layers: [] }, mediaType);
  const tagged = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "1" } };
  await writeFile(
    join(path, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [tagged] }),
  );
  await writeFile(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return path;
}
