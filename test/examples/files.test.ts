// What lies in examples/ besides configurations: units, manifests and other programs' files, run where they can be.
//
// Every file of the directory is covered by a row here or by a configuration's, and has its line in examples/README.md.
// `configs.test.ts` covers the configurations, src/extensions/metrics/dashboard.test.ts the dashboard's queries.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import {
  eventually,
  freePort,
  packageDirectory,
  requireTool,
  run,
  runOk,
  startService,
} from "../harness.ts";
import { nginxAround } from "../nginx.ts";
import { Caller } from "./caller.ts";
import { configRows, tlsOf } from "./config_rows.ts";
import { checkObjects } from "./kubernetes.ts";
import { Place } from "./place.ts";

const testMs = 60_000;
const directory = join(packageDirectory, "examples");
const zot = join(packageDirectory, "bin/zot");
const textOf = (name: string) => Bun.file(join(directory, name)).text();
/** The port and the root directory of the container image. */
const imageConfig = parse(await textOf("config-container.json")) as {
  readonly storage: { readonly rootDirectory: string };
  readonly http: { readonly port: string };
};

let place: Place;
beforeAll(async () => {
  place = await Place.make();
});
afterAll(() => place[Symbol.asyncDispose]());

const rows: Readonly<Record<string, () => Promise<void>>> = {
  "systemd/zot.service": systemdUnit,
  // Both are served under systemd in test/machine/.
  "systemd/config.yaml": () => verified("systemd/config.yaml"),
  "team/config.yaml": () => verified("team/config.yaml"),
  "nginx/zot.conf": reverseProxy,
  "nginx/zot_below_path.conf": proxyBelowPath,
  "kubernetes/zot.yaml": kubernetesObjects,
  "kubernetes/replicas.yaml": kubernetesReplicas,
  "compose/compose.yaml": composeFile,
  "compose/replicas.yaml": composedReplicas,
  "compose/replicas/config.yaml": async () =>
    verifiedText(await textOf("compose/replicas/config.yaml")),
  // Both are served by test/examples/replicas.test.ts.
  "compose/replicas/nginx.conf": async () => {
    expect(await textOf("replicas/start.sh")).toContain("compose/replicas/nginx.conf");
  },
  "replicas/start.sh": async () => {
    await runOk("bash", ["-n", join(directory, "replicas/start.sh")]);
  },
  "embed/follow.test.ts": () => testPasses("embed/follow.test.ts"),
  "embed/registry.test.ts": () => testPasses("embed/registry.test.ts"),
  "embed/server.ts": embeddedRegistry,
  "metrics/prometheus.yml": prometheusFile,
  "metrics/alerts.yml": alertRules,
  "metrics/dashboard.json": async () => {
    expect(JSON.parse(await textOf("metrics/dashboard.json"))).toMatchObject({ title: "zot" });
  },
};

describe.skipIf(!requireTool("openssl"))("examples/", () => {
  for (const [name, check] of Object.entries(rows)) test(name, check, testMs);
});

test("every file has a row, and its line in examples/README.md", async () => {
  const files = [...new Bun.Glob("**/*").scanSync(directory)].filter(
    (name) => name !== "README.md",
  );
  expect([...Object.keys(rows), ...Object.keys(configRows)].sort()).toEqual(files.sort());
  const index = await textOf("README.md");
  const listed = [...index.matchAll(/^\| \[([^\]]+)\]\(([^)]+)\) \| \S.* \|$/gm)];
  expect(listed.map(([, name = ""]) => name).sort()).toEqual(files);
  for (const [, name, link] of listed) expect(link).toBe(name);
});

async function verified(name: string): Promise<void> {
  await runOk(zot, ["verify", "--no-files", join(directory, name)]);
}

/** systemd judges the file; its service runs in test/machine/service.test.ts. */
async function systemdUnit(): Promise<void> {
  const text = await textOf("systemd/zot.service");
  const unit = text
    .replaceAll("/usr/local/bin/zot", zot)
    .replaceAll("/etc/zot/", place.at("/etc/zot/"));
  const file = place.at("/etc/zot.service");
  await writeFile(file, unit);
  if (!requireTool("systemd-analyze")) return;
  expect(await run("systemd-analyze", ["verify", file])).toMatchObject({ code: 0, stderr: "" });
}

/** A real nginx in front of a real server: a push through both, with the file's own settings. */
async function reverseProxy(): Promise<void> {
  if (!requireTool("nginx")) return;
  await using server = await place.start("examples/config-proxy.yaml");
  const port = await freePort();
  const text = (await textOf("nginx/zot.conf"))
    .replace("listen 443 ssl", `listen 127.0.0.1:${port} ssl`)
    .replace("http://127.0.0.1:8080", server.url)
    .replaceAll("/etc/nginx/", place.at("/etc/nginx/"));
  await writeFile(place.at("/etc/nginx/zot.conf"), text);
  const main = place.at("/etc/nginx/nginx.conf");
  await writeFile(main, nginxAround("zot.conf", place.at("/etc/nginx")));
  await runOk("nginx", ["-t", "-p", place.at("/etc/nginx"), "-c", main]);
  await using nginx = startService(["nginx", "-p", place.at("/etc/nginx"), "-c", main]);
  const url = `https://127.0.0.1:${port}`;
  const tls = await tlsOf(place);
  const ann = new Caller(url, { tls, user: "ann" });
  await eventually("nginx answers", async () => {
    if (!nginx.running()) throw new Error(`nginx ended: ${nginx.stderr().join("\n")}`);
    return (await ann.get("/livez").catch(() => 0)) === 200;
  });
  expect(await ann.push("team/app", "1")).toBe(201);
  const { status, headers } = await new Caller(url, { tls }).ask("GET", "/v2/");
  expect(status).toBe(401);
  expect(headers.get("www-authenticate")).toContain("https://registry.example.com/zot/auth/token");
  // More than nginx takes without being told (1 MiB), and the upload goes on where the proxy says.
  const body = Buffer.alloc(3 * 2 ** 20, "layer");
  const started = await ann.ask("POST", "/v2/team/app/blobs/uploads/");
  const sent = await ann.ask("PATCH", started.headers.get("location") ?? "", { body });
  expect([sent.status, sent.headers.get("range")]).toEqual([202, `0-${body.length - 1}`]);
}

/** Its pages and clients are tried in test/ui/below_path.test.ts. */
async function proxyBelowPath(): Promise<void> {
  if (!requireTool("nginx")) return;
  const text = (await textOf("nginx/zot_below_path.conf"))
    .replace("listen 443 ssl", `listen 127.0.0.1:${await freePort()} ssl`)
    .replaceAll("/etc/nginx/", place.at("/etc/nginx/"));
  await writeFile(place.at("/etc/nginx/zot_below_path.conf"), text);
  const main = place.at("/etc/nginx/below_path.conf");
  await writeFile(main, nginxAround("zot_below_path.conf", place.at("/etc/nginx")));
  await runOk("nginx", ["-t", "-p", place.at("/etc/nginx"), "-c", main]);
}

/** The configuration starts a server that the probes find well. */
async function kubernetesObjects(): Promise<void> {
  const yaml = await textOf("kubernetes/zot.yaml");
  const deployed = checkObjects(yaml, imageConfig.storage.rootDirectory);
  const kinds = ["ConfigMap", "PersistentVolumeClaim", "Deployment", "Service"];
  expect(deployed).toMatchObject({ kinds, replicas: 1, strategy: "Recreate" });
  await using server = await place.startText(deployed.text);
  const caller = new Caller(server.url);
  for (const path of deployed.probes) {
    await eventually(`${path} is well`, async () => (await caller.get(path)) === 200);
  }
  expect(await caller.get("/v2/")).toBe(401);
  expect(await new Caller(server.url, { user: "ann" }).push("app", "1")).toBe(201);
}

/** As above, over a bucket and PostgreSQL; a server by it is started in test/examples/replicas.test.ts. */
async function kubernetesReplicas(): Promise<void> {
  const yaml = await textOf("kubernetes/replicas.yaml");
  const deployed = checkObjects(yaml, imageConfig.storage.rootDirectory);
  const kinds = ["ConfigMap", "Deployment", "PodDisruptionBudget", "Service"];
  expect(deployed).toMatchObject({ kinds, replicas: 3, strategy: "RollingUpdate" });
  await verifiedText(deployed.text);
}

/** The options; the files that they name are not here. */
async function verifiedText(text: string): Promise<void> {
  const file = place.at("/etc/zot/verified.yaml");
  await writeFile(file, text);
  const env = { ZOT_DATABASE_URL: "postgres://zot@localhost/zot" };
  await runOk(zot, ["verify", "--no-files", file], { env });
}

async function composeFile(): Promise<void> {
  const { services, volumes } = parse(await textOf("compose/compose.yaml")) as {
    readonly services: {
      readonly zot: {
        readonly build: string;
        readonly ports: readonly string[];
        readonly volumes: readonly [string, string];
      };
    };
    readonly volumes: object;
  };
  const base = join(directory, "compose");
  const [configuration, data] = services.zot.volumes;
  const [source = "", target] = configuration.split(":");
  expect(join(base, source)).toBe(join(directory, "config-container.json"));
  expect(target).toBe("/etc/zot/config.json");
  expect(data).toBe(`${Object.keys(volumes)[0]}:${imageConfig.storage.rootDirectory}`);
  const { port } = imageConfig.http;
  expect(services.zot.ports).toEqual([`127.0.0.1:${port}:${port}`]);
  const dockerfile = join(base, services.zot.build, "Dockerfile");
  expect(existsSync(dockerfile)).toBe(true);
  const image = await Bun.file(dockerfile).text();
  expect(image).toContain(`EXPOSE ${port}\n`);
  expect(image).toContain(`VOLUME ["${imageConfig.storage.rootDirectory}"]`);
}

/** Volumes are files beside it; replicas differ in nothing. */
async function composedReplicas(): Promise<void> {
  const { services, volumes } = parse(await textOf("compose/replicas.yaml"), { merge: true }) as {
    readonly services: Readonly<
      Record<string, { readonly volumes?: readonly string[]; readonly depends_on?: object }>
    >;
    readonly volumes: object;
  };
  expect(services["zot-1"]).toEqual(services["zot-2"] as never);
  for (const { volumes: mounted = [], depends_on: others = {} } of Object.values(services)) {
    for (const [source = ""] of mounted.map((each) => each.split(":"))) {
      if (source.startsWith(".")) expect(existsSync(join(directory, "compose", source))).toBe(true);
      else expect(Object.keys(volumes)).toContain(source);
    }
    const names = Array.isArray(others) ? others : Object.keys(others);
    for (const name of names) expect(Object.keys(services)).toContain(name);
  }
}

/** Prometheus takes the rules, and they ask for figures that there are. */
async function alertRules(): Promise<void> {
  const { groups } = parse(await textOf("metrics/alerts.yml")) as {
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  };
  const expressions = groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
  const names = expressions.flatMap((expr) => expr.match(/\b(?:zot|process)_\w+/g) ?? []);
  await using server = await place.start("examples/config-metrics.json");
  const { text } = await new Caller(server.url).ask("GET", "/metrics");
  for (const name of names) expect(text).toContain(`# TYPE ${name} `);
  expect(names.length).toBeGreaterThan(5);
  if (!requireTool("promtool")) return;
  await runOk("promtool", ["check", "rules", join(directory, "metrics/alerts.yml")]);
}

async function prometheusFile(): Promise<void> {
  if (!requireTool("promtool")) return;
  const file = place.at("/etc/prometheus/prometheus.yml");
  const text = await textOf("metrics/prometheus.yml");
  await writeFile(file, text.replaceAll("/etc/prometheus/", place.at("/etc/prometheus/")));
  await runOk("promtool", ["check", "config", file]);
}

async function testPasses(name: string): Promise<void> {
  await runOk(join(packageDirectory, "scripts/bun"), ["test", join(directory, name)]);
}

/** A program that has a registry inside: both answer on one port. */
async function embeddedRegistry(): Promise<void> {
  const script = join(directory, "embed/server.ts");
  const program = [join(packageDirectory, "scripts/bun"), "--config=/dev/null", script];
  await using service = startService([...program, place.at("/var/lib/embedded"), "0"]);
  const line = await service.waitForLine("it listens", (text) => text.startsWith("listening on"));
  const url = line.replace("listening on ", "").replace(/\/$/, "");
  expect(await (await fetch(`${url}/hello`)).text()).toBe("Hello!\n");
  expect((await fetch(`${url}/v2/`)).status).toBe(200);
  const catalog = await fetch(`${url}/v2/_catalog`);
  expect(await catalog.json()).toEqual({ repositories: [] });
  expect(await service.stop()).toBe(0);
}
