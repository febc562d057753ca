// Cross-origin requests: for any page, for two, and for none; and pages that give their own name our address.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startAuthWorld, type AuthWorld } from "../auth/world.ts";
import { testRows } from "./row.ts";
import { closedCorsRows, noCorsRows, openCorsRows } from "./rows/cors.ts";
import { startWorld, type World } from "./world.ts";

testRows("cors, any origin", openCorsRows, { http: { allowOrigin: "*" } });
testRows("cors, two origins", closedCorsRows, {
  http: { allowOrigin: "https://ui.example.com, http://localhost:3000" },
});
testRows("cors, no origin", noCorsRows, { http: { allowOrigin: "" } });
testRows("cors by default, without logins", noCorsRows);

describe("by default", () => {
  let open: World;
  let guarded: AuthWorld;
  beforeAll(async () => {
    open = await startWorld({ http: { externalUrl: "http://hub.example.com" } });
    guarded = await startAuthWorld();
  });
  afterAll(async () => {
    await open[Symbol.asyncDispose]();
    await guarded[Symbol.asyncDispose]();
  });

  const evil = "evil.example:5000";
  const statusOf = async (method: string, target: string, headers: Record<string, string>) => {
    const answer = await open.send(method, target, { headers });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    return answer.status;
  };

  test.each([
    ["GET", "/v2/_catalog", { "sec-fetch-site": "same-origin" }],
    ["GET", "/v2/_catalog", { "user-agent": "Mozilla/5.0" }],
    ["GET", "/v2/_catalog", { referer: `http://${evil}/` }],
    ["POST", "/v2/a/blobs/uploads/", { origin: `http://${evil}` }],
    ["POST", "/v2/a/blobs/uploads/", { origin: `http://${evil}`, "sec-fetch-site": "same-origin" }],
    ["DELETE", "/v2/a/manifests/x", { origin: `http://${evil}` }],
    ["OPTIONS", "/v2/a/manifests/x", { origin: `http://${evil}` }],
    ["GET", "/swagger/v2/", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }],
  ] as const)("a rebound name does not %s %s with %j", async (method, target, headers) => {
    expect(await statusOf(method, target, { host: evil, ...headers })).toBe(403);
  });

  test("registry clients ask by any name, and pages by ours", async () => {
    for (const host of [evil, "registry.lan", "10.1.2.3:5000"]) {
      const client = { host, "user-agent": "docker/27.0 go/go1.22" };
      expect(await statusOf("GET", "/v2/_catalog", client)).toBe(200);
      expect(await statusOf("POST", "/v2/a/blobs/uploads/", client)).toBe(202);
    }
    for (const host of ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "hub.example.com"]) {
      const page = {
        host,
        origin: `http://${host}`,
        "sec-fetch-site": "same-origin",
        "user-agent": "Mozilla/5.0",
      };
      expect(await statusOf("GET", "/swagger/v2/", page)).toBe(200);
      expect(await statusOf("GET", "/v2/_catalog", page)).toBe(200);
      expect(await statusOf("POST", "/v2/a/blobs/uploads/", page)).toBe(202);
    }
  });

  test("with logins pages of any origin read what they have a password for", async () => {
    const headers = { host: evil, origin: "https://ui.example.com", "user-agent": "Mozilla/5.0" };
    const answer = await guarded.as("admin", "GET", "/v2/_catalog", { headers });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  });
});
