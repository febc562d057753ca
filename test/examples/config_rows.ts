// TABLE of the configurations in examples/: what each shows, asked of a server that runs it.
//
// A row's check fails when the server does not do what the example is for. Examples of logins and access are in
// `access_rows.ts`. `place.ts` starts the server, `examples.test.ts` checks that every file is covered.

import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { eventually } from "../harness.ts";
import { accessRows } from "./access_rows.ts";
import { Caller } from "./caller.ts";
import { mirrorRows } from "./mirror_rows.ts";
import type { Check, Place, Served } from "./place.ts";

/** Files of authorities and client certificates, as fetch takes them. */
export async function tlsOf(
  place: Place,
  client?: { readonly cert: string; readonly key: string },
) {
  const read = (path: string) => readFile(path, "utf8");
  const ca = await read(place.authority.cert);
  if (client === undefined) return { ca };
  return { ca, cert: await read(client.cert), key: await read(client.key) };
}

/** Everybody pushes, and the image lies in `root`. */
function serves(root: string): Check {
  return async ({ place, as }) => {
    expect(await as().push("hello/world", "1")).toBe(201);
    expect(await as().get("/v2/hello/world/manifests/1")).toBe(200);
    expect(existsSync(place.at(`${root}/hello/world/oci-layout`))).toBe(true);
  };
}

async function servesFromBucket({ place, as }: Served): Promise<void> {
  expect(await as().push("hello/world", "1")).toBe(201);
  expect(await as().get("/v2/hello/world/manifests/1")).toBe(200);
  expect(existsSync(place.at("var/lib/zot/hello"))).toBe(false);
  expect(place.storedObjects()).toContain("zot/registry.json");
}

export const configRows: Readonly<Record<string, Check>> = {
  "config-minimal.json": serves("zot-data"),
  "config-minimal.yaml": serves("zot-data"),
  "config-container.json": serves("var/lib/registry"),
  "config-s3.yaml": servesFromBucket,
  "config-postgres.yaml": async (served) => {
    await servesFromBucket(served);
    expect(existsSync(served.place.at("var/lib/zot/_zot/metadata.db"))).toBe(false);
  },
  "config-lint.json": async ({ as }) => {
    expect(await as().push("hello/world", "1")).toBe(400);
    expect(await as().get("/v2/hello/world/manifests/1")).toBe(404);
  },
  "config-scrub.json": async (served) => {
    await serves("var/lib/registry")(served);
    const state = async () => (await served.as().ask("GET", "/v2/_zot/scrub")).text;
    await eventually("its first round has ended", async () => (await state()).includes('"done"'));
  },
  "config-full.yaml": async (served) => {
    await serves("zot-data")(served);
    expect(await served.as().get("/metrics")).toBe(200);
  },
  "config-zot.json": async ({ place, as }) => {
    const tls = await tlsOf(place);
    const [anonymous, ann] = [as({ tls }), as({ tls, user: "ann" })];
    expect(await anonymous.push("app", "1")).toBe(401);
    expect(await ann.push("app", "1", "first")).toBe(201);
    expect(await ann.push("app", "1", "second")).toBe(403);
    expect(await as({ tls, user: "admin" }).push("app", "1", "second")).toBe(201);
    expect(await anonymous.get("/v2/app/manifests/1")).toBe(200);
    expect(await readFile(place.at("/var/log/zot/audit.log"), "utf8")).toContain('"ann"');
  },
  "config-quotas.yaml": async ({ as }) => {
    for (const tag of ["1", "2"]) expect(await as().push("ci/app", tag, tag)).toBe(201);
    expect(await as().push("ci/app", "3", "3")).toBe(403);
    const { text } = await as().ask("PUT", "/v2/ci/app/manifests/4");
    expect(text).not.toContain("quota");
    const usage = JSON.parse((await as().ask("GET", "/v2/ci/app/_zot/usage")).text);
    expect(usage.quotas).toMatchObject([
      { scope: "storage.maxRepos" },
      { scope: "ci/**, **/scratch", used: { tags: 2 } },
    ]);
  },
  "config-retention.yaml": async ({ as }) => {
    expect(await as().push("team/app", "v1", "first")).toBe(201);
    expect(await as().push("team/app", "v1", "second")).toBe(403);
    expect(await as().push("team/app", "main-1")).toBe(201);
    const decided = async (tag: string) =>
      (await as().ask("GET", `/v2/team/app/_zot/retention?tag=${tag}`)).text;
    expect(await decided("v1")).toContain('"reason":"immutable tag"');
    expect(await decided("main-1")).toContain("retained by mostRecentlyPushedCount:10 policy");
  },
  "config-tls.json": async ({ zot, place, as }) => {
    expect(zot.url).toStartWith("https://");
    expect(await as({ tls: await tlsOf(place) }).push("app", "1")).toBe(201);
    // Somebody else's authorities do not know the certificate.
    expect(
      await as()
        .get("/v2/")
        .catch(() => "not trusted"),
    ).toBe("not trusted");
  },
  "config-mtls.json": async ({ place, as }) => {
    const client = await place.client("alice");
    expect(await as({ tls: await tlsOf(place) }).get("/v2/")).toBe(401);
    expect(await as({ tls: await tlsOf(place, client) }).push("app", "1")).toBe(201);
  },
  "config-mtls-spiffe.yaml": async ({ place, as }) => {
    const push = async (name: string) => {
      const client = await place.client(name, `spiffe://example.com/workload/${name}`);
      return await as({ tls: await tlsOf(place, client) }).push("app", "1");
    };
    expect(await push("builder")).toBe(201);
    expect(await push("stranger")).toBe(403);
  },
  "config-limits.yaml": async ({ as }) => {
    const body = `{"schemaVersion":2,"x":"${"x".repeat(2 ** 20)}"}`;
    const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
    const { status } = await as().ask("PUT", "/v2/app/manifests/1", { headers, body });
    expect(status).toBe(413);
    expect(await as().push("app", "1")).toBe(201);
  },
  "config-ratelimit.json": async ({ as }) => {
    // A slow machine may not ask as often as is allowed, and asks again.
    const refused = await eventually("a request too many is refused", async () => {
      const answers = await Promise.all(Array.from({ length: 200 }, () => as().ask("GET", "/v2/")));
      expect(answers.some(({ status }) => status === 200)).toBe(true);
      return answers.find(({ status }) => status === 429);
    });
    expect(refused.headers.get("retry-after")).toBe("1");
  },
  "config-browser.yaml": async ({ as }) => {
    const allowed = async (origin: string) => {
      const { headers } = await as().ask("GET", "/v2/", { headers: { origin } });
      return headers.get("access-control-allow-origin");
    };
    expect(await allowed("https://ui.example.com")).toBe("https://ui.example.com");
    expect(await allowed("https://other.example.com")).not.toBe("https://other.example.com");
  },
  "config-shared.yaml": async ({ place, as }) => {
    await using second = await place.start("examples/config-shared.yaml");
    expect(await as().push("app", "1")).toBe(201);
    expect(await new Caller(second.url).get("/v2/app/manifests/1")).toBe(200);
  },
  "config-metrics.json": async ({ as }) => {
    expect(await as().get("/v2/")).toBe(200);
    const { text } = await as().ask("GET", "/metrics");
    expect(text).toMatch(/^zot_http_requests_total\{.*method="GET".*\} 1$/m);
  },
  ...mirrorRows,
  ...accessRows,
};
