// TABLE of the configurations in examples/ that say who callers are and what they may do.
//
// Each row asks as callers whom its example lets in, and as callers whom it does not. `config_rows.ts` has the examples
// about everything else.

import { expect } from "bun:test";
import { readFile } from "node:fs/promises";
import { passwordOf } from "../auth/world.ts";
import type { Check } from "./place.ts";

const externalUrl = "https://registry.example.com";
/** What clients are told when they must log in for a token first. */
const sentForTokens = expect.stringContaining(`realm="${externalUrl}/zot/auth/token"`);

async function challengeOf(served: Parameters<Check>[0]): Promise<string | null> {
  const { status, headers } = await served.as().ask("GET", "/v2/");
  expect(status).toBe(401);
  return headers.get("www-authenticate");
}

function basicOf(name: string, password: string): { readonly authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}` };
}

export const accessRows: Readonly<Record<string, Check>> = {
  "config-htpasswd.yaml": async (served) => {
    const { place, as } = served;
    expect(await challengeOf(served)).toEqual(sentForTokens);
    expect(await as({ user: "stranger" }).get("/v2/")).toBe(401);
    expect(await as({ user: "ann" }).push("app", "1")).toBe(201);
    expect(await readFile(place.at("/var/log/zot/audit.log"), "utf8")).toContain('"ann"');
  },
  "config-ldap.yaml": async (served) => {
    const { as } = served;
    expect(await challengeOf(served)).toEqual(sentForTokens);
    expect(await as(basicOf("alice", "alice's password")).push("app", "1")).toBe(201);
    // In the directory, and not in the group.
    expect(await as(basicOf("bob", "bob's password")).push("app", "1")).toBe(403);
    expect(await as(basicOf("alice", "wrong")).get("/v2/")).toBe(401);
  },
  "config-apikey.yaml": async ({ as }) => {
    const made = await as({ user: "ann" }).ask("POST", "/zot/auth/apikey", {
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ label: "ci", scopes: ["team/**"] }),
    });
    expect(made.status).toBe(201);
    const { apiKey } = JSON.parse(made.text) as { apiKey: string };
    const program = as(basicOf("ann", apiKey));
    expect(await program.push("team/app", "1")).toBe(201);
    expect(await program.push("other/app", "1")).toBe(401);
  },
  "config-bearer.yaml": async (served) => {
    const { place, as } = served;
    const challenge = await challengeOf(served);
    expect(challenge).toContain('realm="https://auth.example.com/token"');
    expect(challenge).toContain('service="registry.example.com"');
    const access = [{ type: "repository", name: "team/app", actions: ["pull", "push"] }];
    const caller = as({ token: await place.serviceToken(access) });
    expect(await caller.push("team/app", "1")).toBe(201);
    expect(await caller.push("team/other", "1")).toBe(401);
  },
  "config-workload.yaml": async ({ place, as }) => {
    const push = async (repository: string, owner: string) => {
      const token = await place.idToken({ repository, repository_owner: owner });
      // In the place of a password, as `skopeo login` sends it.
      return await as(basicOf("ci", token)).push("app", "1");
    };
    expect(await push("example/app", "example")).toBe(201);
    expect(await push("example/other", "example")).toBe(403);
    expect(await push("example/app", "somebody")).toBe(401);
  },
  "config-policy.yaml": async ({ as }) => {
    const [anonymous, ann, admin] = [as(), as({ user: "ann" }), as({ user: "admin" })];
    expect(await admin.push("public/app", "1")).toBe(201);
    expect(await anonymous.get("/v2/public/app/manifests/1")).toBe(200);
    expect(await anonymous.get("/v2/team/app/manifests/1")).toBe(401);
    expect(await ann.push("team/app", "latest")).toBe(201);
    expect(await ann.push("team/releases/app", "v1", "first")).toBe(201);
    expect(await ann.push("team/releases/app", "v1", "second")).toBe(403);
    const refused = await ann.pushed("team/releases/app", "latest");
    expect(refused).toMatchObject({
      status: 403,
      text: expect.stringContaining("releases are called v1, v2 and so on"),
    });
    expect(await as({ user: "prometheus" }).get("/v2/team/app/manifests/latest")).toBe(403);
  },
  "config-groups.yaml": async ({ as }) => {
    const [ann, ben] = [as({ user: "ann" }), as({ user: "ben" })];
    expect(await ann.push("web/app", "1")).toBe(201);
    expect(await ben.get("/v2/web/app/manifests/1")).toBe(403);
    expect(await ben.push("data/app", "1")).toBe(201);
    expect(await ben.get("/v2/web/releases/app/manifests/1")).toBe(404);
    expect(await ann.push("web/releases/app", "1")).toBe(403);
  },
  "config-immutable-tags.yaml": async ({ as }) => {
    const [ann, admin] = [as({ user: "ann" }), as({ user: "admin" })];
    expect(await ann.push("app", "1", "first")).toBe(201);
    expect(await ann.push("app", "1", "second")).toBe(403);
    expect((await ann.ask("DELETE", "/v2/app/manifests/1")).status).toBe(403);
    expect(await admin.push("app", "1", "second")).toBe(201);
  },
  "config-public.yaml": async ({ as }) => {
    expect(await as().push("app", "1")).toBe(401);
    expect(await as({ user: "ann" }).push("app", "1")).toBe(201);
    expect(await as().get("/v2/app/manifests/1")).toBe(200);
    // Docker's engine must be told to ask for tokens.
    const docker = { headers: { "user-agent": "docker/28.0.0 go/go1.24" } };
    const { status, headers } = await as().ask("GET", "/v2/", docker);
    expect([status, headers.get("www-authenticate")]).toEqual([401, sentForTokens]);
  },
  "config-proxy.yaml": async (served) => {
    expect(await challengeOf(served)).toEqual(sentForTokens);
    expect(await served.as({ user: "ann" }).push("app", "1")).toBe(201);
  },
  "config-metrics-authz.yaml": async ({ as }) => {
    expect(await as().get("/metrics")).toBe(401);
    expect(await as({ user: "ann" }).get("/metrics")).toBe(403);
    expect(await as({ user: "ann" }).push("app", "1")).toBe(201);
    const { status, text } = await as({ user: "prometheus" }).ask("GET", "/metrics");
    expect([status, text]).toEqual([200, expect.stringContaining("zot_info{")]);
  },
  "config-metrics-anonymous.yaml": async ({ as }) => {
    expect(await as().get("/metrics")).toBe(200);
    expect(await as().get("/v2/")).toBe(401);
    expect(await as(basicOf("ann", passwordOf("ann"))).push("app", "1")).toBe(201);
  },
};
