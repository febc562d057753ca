// Every exit status that `zot help <command>` speaks of, from a real process that has a reason for it.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { helpPages } from "../src/cli/help_pages.ts";
import {
  descendants,
  eventually,
  isAlive,
  packageDirectory,
  run,
  startService,
  startZot,
  tempDirectory,
  type Zot,
} from "./harness.ts";
import { emptyIndexPush } from "./http/content.ts";
import { inspectedImages, placeImages } from "./inspected_images.ts";
import type { TempDirectory } from "./temp.ts";
import { talkInTerminal } from "./terminal.ts";

const testMs = 60_000;
const program = join(packageDirectory, "bin/zot");
let directory: TempDirectory;
let zot: Zot;
/** Says that it is a registry, and fails at everything else. */
let broken: Bun.Server<undefined>;

beforeAll(async () => {
  directory = await tempDirectory();
  zot = await startZot({ config: { extensions: { search: { enable: true } } } });
  const blob = `${zot.url}/v2/app/blobs/uploads/?digest=${emptyDigest}`;
  await fetch(blob, { method: "POST", headers: { "content-length": "0" } });
  const { headers, body } = emptyIndexPush();
  await fetch(`${zot.url}/v2/app/manifests/1`, { method: "PUT", headers, body });
  broken = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) =>
      new URL(url).pathname === "/v2/" ? new Response("{}") : new Response("", { status: 500 }),
  });
  const at = (name: string) => join(directory.path, name);
  await writeFile(at("good.yaml"), `storage: {rootDirectory: ${at("root")}}\nhttp: {port: 0}\n`);
  await writeFile(at("bad.yaml"), "storage: {gc: 5}\n");
  await writeFile(at("users"), "");
  await placeImages(inspectedImages(), `oci:${at("images")}`);
  await mkdir(at("plain"));
  await mkdir(at("damaged/blobs"), { recursive: true });
  await writeFile(at("damaged/index.json"), `{"manifests": [{"digest": "${emptyDigest}"}]}`);
  const policy = { repositories: { "**": { anonymousPolicy: ["read"] } } };
  const mirrors = { extensions: { sync: { mirrors: ["docker.io"] } } };
  await writeFile(at("mirror.json"), JSON.stringify(mirrors));
  await writeFile(at("policy.json"), JSON.stringify({ http: { accessControl: policy } }));
});
afterAll(async () => {
  await broken.stop(true);
  await zot[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const status = async (...args: string[]): Promise<number> =>
  (await run(program, args, { cwd: directory.path })).code;
/** Of a command that asks the server. */
const asked = async (...args: string[]): Promise<number> =>
  (await run(program, args, { cwd: directory.path, env: { ZOT_SERVER: zot.url } })).code;
const emptyDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const address = (of: "zot" | "broken" | "nobody"): string =>
  ({ zot: zot.host, broken: `127.0.0.1:${broken.port}`, nobody: "127.0.0.1:1" })[of];

const few = ["--scenarios", "^push-small$|^get-manifest", "-n", "1", "-c", "1"];
const rows: readonly [command: string, status: number, ask: () => Promise<number>][] = [
  ["serve", 0, stopped],
  ["serve", 1, () => status("serve", "bad.yaml")],
  ["serve", 2, () => status("serve", "-")],
  ["serve", 137, stoppedTwice],
  ["verify", 0, () => status("verify", "good.yaml")],
  ["verify", 1, () => status("verify", "bad.yaml")],
  ["verify", 1, () => status("verify", "none.yaml")],
  ["verify", 2, () => status("verify")],
  ["gc", 0, () => status("gc", "-r", "plain", "-d")],
  ["gc", 1, () => status("gc", "-r", "nowhere")],
  ["gc", 2, () => status("gc")],
  ["scrub", 0, () => status("scrub", "-r", "plain")],
  ["scrub", 1, () => status("scrub", "-r", "nowhere")],
  ["scrub", 2, () => status("scrub")],
  ["scrub", 0, () => status("scrub", "status", "-s", zot.url)],
  ["scrub", 1, () => status("scrub", "status", "-s", address("broken"))],
  ["scrub", 2, () => status("scrub", "status", "-r", "plain")],
  ["scrub", 3, () => status("scrub", "-r", "damaged")],
  ["authz", 0, () => status("authz", "policy.json", "-", "read", "app")],
  ["authz", 1, () => status("authz", "policy.json", "-", "create", "app")],
  ["authz", 2, () => status("authz", "none.yaml", "-", "read", "app")],
  ["authz", 2, () => status("authz", "policy.json", "-", "push", "app")],
  ["user", 0, () => status("user", "list", "users")],
  ["user", 1, () => status("user", "remove", "users", "zoe")],
  ["user", 2, () => status("user", "frob", "users")],
  ["user", 130, cancelled],
  ["schema", 0, () => status("schema")],
  ["schema", 2, () => status("schema", "config.yaml")],
  ["history", 0, () => asked("history", "none/such:1.0")],
  ["history", 1, () => status("history", `${address("nobody")}/none/such:1.0`)],
  ["history", 2, () => status("history", "team/app")],
  ["undo", 0, () => asked("undo", "--since", "1m", "--by", "nobody")],
  ["undo", 1, () => asked("undo", "--since", "never")],
  ["undo", 2, () => status("undo")],
  ["ls", 0, () => asked("ls")],
  ["ls", 1, () => asked("ls", "none/such")],
  ["ls", 2, () => asked("ls", "app:1")],
  ["inspect", 0, () => asked("inspect", "app:1")],
  ["inspect", 1, () => asked("inspect", "app:none")],
  ["inspect", 2, () => status("inspect", "--platform", "linux", "app:1")],
  ["tree", 0, () => asked("tree", "app:1")],
  ["tree", 1, () => asked("tree", "app:none")],
  ["tree", 2, () => status("tree", "oci:plain:")],
  ["diff", 0, () => status("diff", "oci:images:1.0", "oci:images:1.10")],
  ["diff", 1, () => status("diff", "oci:images:1.0", "oci:images:none")],
  ["diff", 2, () => status("diff", "oci:images:1.0")],
  ["diff", 3, () => status("diff", "--exit-code", "oci:images:1.0", "oci:images:1.10")],
  ["search", 0, () => asked("search", "app")],
  ["search", 1, () => status("search", "-s", address("broken"), "app")],
  ["search", 2, () => status("search", "-n", "0", "app")],
  ["copy", 0, () => status("copy", `${zot.url}/app:1`, "oci:copied")],
  ["copy", 1, () => status("copy", `${zot.url}/none:1`, "oci:copied")],
  ["copy", 2, () => status("copy", "app:1", "oci:copied")],
  ["export", 0, () => status("export", zot.url, "-o", "exported.tar")],
  ["export", 1, () => status("export", zot.url, "none/such", "-o", "none.tar")],
  ["export", 2, () => status("export", zot.url)],
  ["import", 0, () => status("import", "exported.tar", zot.url)],
  ["import", 1, () => status("import", "good.yaml", zot.url)],
  ["import", 2, () => status("import", "exported.tar", zot.url, "--digest", "none")],
  ["migrate", 0, prepared],
  ["migrate", 1, () => status("migrate", "old.json", "bad.yaml")],
  ["migrate", 2, () => status("migrate", "old.json")],
  ["migrate", 3, () => status("migrate", "old.json", "new.json")],
  ["undelete", 0, () => asked("undelete", `app@${emptyDigest}`)],
  ["undelete", 1, () => asked("undelete", `none/such@${emptyDigest}`)],
  ["undelete", 2, () => status("undelete", "app:1")],
  ["purge", 0, () => asked("purge", `app@${emptyDigest}`, "--reason", "a test")],
  ["purge", 1, () => asked("purge", `none/such@${emptyDigest}`, "--reason", "a test")],
  ["purge", 2, () => status("purge", `app@${emptyDigest}`)],
  ["compliance", 0, () => status("compliance", address("zot"), "--groups", "ping,tags")],
  ["compliance", 1, () => status("compliance", address("broken"), "--groups", "ping,tags")],
  ["compliance", 2, () => status("compliance", address("nobody"))],
  ["compliance", 2, () => status("compliance", address("zot"), "--frob")],
  ["bench", 0, () => status("bench", address("zot"), ...few)],
  ["bench", 1, () => status("bench", address("broken"), ...few)],
  ["bench", 2, () => status("bench", address("nobody"))],
  ["bench", 2, () => status("bench", address("zot"), "--frob")],
  ["du", 0, () => asked("du")],
  ["du", 1, () => status("du", `${address("nobody")}/team/app`)],
  ["du", 2, () => status("du", "--frob")],
  ["retention", 0, () => status("retention", "explain", `${address("zot")}/app:1`)],
  ["retention", 1, () => status("retention", "explain", `${address("zot")}/none`)],
  ["retention", 2, () => status("retention", "explain", "no name")],
  ["why", 0, () => status("why", `${address("zot")}/app:1`)],
  ["why", 1, () => status("why", `${address("nobody")}/app:1`)],
  ["why", 2, () => status("why", "app")],
  ["gc", 0, () => status("gc", "plan", "-s", zot.url)],
  ["gc", 1, () => status("gc", "plan", "-s", address("broken"))],
  ["gc", 2, () => status("gc", "apply", "none.jsonl")],
  ["mirror", 0, () => status("mirror", "mirror.json")],
  ["mirror", 1, () => status("mirror", "--server", address("nobody"))],
  ["mirror", 2, () => status("mirror", "frob")],
  ["openapi", 0, () => status("openapi", "good.yaml")],
  ["openapi", 1, () => status("openapi", "bad.yaml")],
  ["openapi", 2, () => status("openapi", "--frob")],
  ["completion", 0, () => status("completion", "bash")],
  ["completion", 2, () => status("completion", "csh")],
  ["version", 0, () => status("version")],
  ["version", 2, () => status("version", "1")],
];

test.each(rows)(
  "%s: %d",
  async (_command, expected, ask) => {
    expect(await ask()).toBe(expected);
  },
  testMs,
);

/** Nobody runs these by hand. */
const startedByServe: readonly string[] = ["worker", "heavy"];

test("every status of the help has a reason here, and no other has", () => {
  const told = Object.entries(helpPages)
    .filter(([command]) => !startedByServe.includes(command))
    .flatMap(([command, { exitStatus }]) => exitStatus.map(([code]) => `${command} ${code}`));
  const seen = new Set(rows.map(([command, code]) => `${command} ${code}`));
  expect([...seen]).toEqual(told);
});

/** Ctrl+C at the question for a password. */
async function cancelled(): Promise<number> {
  const argv = [program, "user", "add", join(directory.path, "users"), "ann"];
  return (await talkInTerminal(argv, [["Password for ann: ", "\u0003"]])).code;
}

/** Of a registry that has lost a blob, which the last pass alone tells. */
async function prepared(): Promise<number> {
  for (const name of ["old", "new"]) {
    const storage = { rootDirectory: join(directory.path, name) };
    await writeFile(join(directory.path, `${name}.json`), JSON.stringify({ storage }));
  }
  const rootDirectory = join(directory.path, "old");
  await using old = await startZot({ rootDirectory });
  const blob = `${old.url}/v2/app/blobs/uploads/?digest=${emptyDigest}`;
  await fetch(blob, { method: "POST", headers: { "content-length": "0" } });
  await old.stop();
  await rm(join(rootDirectory, "app/blobs", emptyDigest.replace(":", "/")));
  return status("migrate", "--prepare", "old.json", "new.json");
}

async function stopped(): Promise<number> {
  await using server = await startZot();
  return await server.stop();
}

/** The first signal finds a request that does not end by itself. */
async function stoppedTwice(): Promise<number> {
  await using place = await tempDirectory();
  const file = join(place.path, "config.json");
  const storage = { rootDirectory: join(place.path, "root") };
  await writeFile(file, JSON.stringify({ storage, http: { port: "0", workers: 1 } }));
  await using server = startService([program, "serve", file]);
  const line = await server.waitForLine("it listens", (text) => text.includes('"listening"'));
  const { hostname, port } = new URL((JSON.parse(line) as { url: string }).url);
  using scope = new DisposableStack();
  scope.use(await heldUpload(hostname, Number(port)));
  const workers = descendants(server.pid);
  process.kill(server.pid, "SIGTERM");
  await server.waitForLine("it stops", (text) => text.includes('"stopping"'));
  // One that comes too soon is taken for the same.
  await eventually("another signal ends it", () => {
    if (server.running()) process.kill(server.pid, "SIGTERM");
    return !server.running();
  });
  const code = await server.exited;
  await eventually("its workers end", () => !workers.some(isAlive));
  return code;
}

/** An upload whose body does not come; resolves once the server has read its head. */
async function heldUpload(host: string, port: number): Promise<Disposable> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(port, host);
  socket.on("error", reject);
  // What answers the first request has read the second one as well.
  socket.on("data", () => resolve());
  const head = (line: string, more = ""): string =>
    `${line} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
  const digest = `sha256:${"0".repeat(64)}`;
  socket.write(
    head("GET /livez") +
      head(`POST /v2/a/blobs/uploads/?digest=${digest}`, "Content-Length: 1000000\r\n") +
      "first",
  );
  await promise;
  return { [Symbol.dispose]: () => void socket.destroy() };
}
