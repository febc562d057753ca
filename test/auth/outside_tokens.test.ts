// Tokens of somebody else's token service, over HTTP: their claims decide, with a user's name and without one.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SignJWT } from "jose";
import { emptyIndexPush } from "../http/content.ts";
import { startWorld, type World } from "../http/world.ts";
import { tempDirectory, type TempDirectory } from "../temp.ts";
import { jsonOf } from "./world.ts";

const realm = "https://auth.example.com/token";
const service = "registry.example.com";
const { privateKey, publicKey } = generateKeyPairSync("ed25519");

describe("a token of the service", () => {
  let directory: TempDirectory;
  let world: World;
  beforeAll(async () => {
    directory = await tempDirectory("zot-tokens");
    const cert = join(directory.path, "key.pem");
    await writeFile(cert, publicKey.export({ type: "spki", format: "pem" }));
    world = await startWorld({ http: { auth: { bearer: { realm, service, cert } } } });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  async function tokenFor(claims: object): Promise<Record<string, string>> {
    const token = await new SignJWT({
      access: [{ type: "repository", name: "team/app", actions: ["pull", "push"] }],
      ...claims,
    })
      .setProtectedHeader({ alg: "EdDSA" })
      .setAudience(service)
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(privateKey);
    return { authorization: `Bearer ${token}` };
  }

  // The specification has an empty subject, or none, for callers who have not logged in.
  const subjects: [says: string, claims: object][] = [
    ["of a user", { sub: "alice" }],
    ["without a subject", {}],
    ["with an empty subject", { sub: "" }],
    ["with a subject that is no text", { sub: { length: 5 } }],
  ];
  test.each(subjects)("%s is good for what it says, and for the base", async (_, claims) => {
    const headers = await tokenFor(claims);
    const status = async (method: string, target: string) =>
      (await world.send(method, target, { headers })).status;
    expect(await status("GET", "/v2/")).toBe(200);
    expect(await status("GET", "/v2/team/app/tags/list")).toBe(404);
    expect(await status("POST", "/v2/team/app/blobs/uploads/")).toBe(202);
    expect(await status("DELETE", "/v2/team/app/manifests/x")).toBe(401);
    expect(await status("GET", "/v2/team/other/tags/list")).toBe(401);
    expect(await status("GET", "/v2/_catalog")).toBe(401);
    const who = world.records.at(-1)?.who;
    expect([null, "alice"]).toContain(who as never);
  });

  test("for the catalog lists every repository: its issuer decides", async () => {
    for (const name of ["team/app", "team/other"]) {
      const push = emptyIndexPush();
      const allowed = await tokenFor({
        access: [{ type: "repository", name, actions: ["pull", "push"] }],
      });
      const pushed = await world.send("PUT", `/v2/${name}/manifests/1`, {
        ...push,
        headers: { ...push.headers, ...allowed },
      });
      expect(pushed.status).toBe(201);
    }
    const access = [{ type: "registry", name: "catalog", actions: ["*"] }];
    const answer = await world.send("GET", "/v2/_catalog", { headers: await tokenFor({ access }) });
    expect(jsonOf(answer)).toEqual({ repositories: ["team/app", "team/other"] });
  });

  test("is asked for, where there is none or another is needed", async () => {
    const asked = await world.send("GET", "/v2/team/app/tags/list");
    expect(asked.headers.all("www-authenticate")).toEqual([
      `Bearer realm="${realm}",service="${service}",scope="repository:team/app:pull"`,
    ]);
    const headers = await tokenFor({});
    const other = await world.send("GET", "/v2/team/other/tags/list", { headers });
    expect(other.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
  });
});
