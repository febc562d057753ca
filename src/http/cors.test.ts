// Cross-origin headers, by what the configuration admits. What browsers get over HTTP: `test/http/cors.test.ts`.

import { describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { Cors } from "./cors.ts";
import { OwnHosts } from "./own_hosts.ts";

const page = "https://ui.example.com";

describe("any origin", () => {
  const cors = new Cors({ allowOrigin: ["*"] });

  test("is admitted as a star, which browsers never send credentials for", () => {
    expect(cors.headers(page)["access-control-allow-origin"]).toBe("*");
    expect(cors.headers("null")["access-control-allow-origin"]).toBe("*");
    expect(cors.headers(page)["access-control-allow-credentials"]).toBeUndefined();
    expect(cors.headers(page)["vary"]).toBeUndefined();
  });

  test("is nobody without an Origin", () => {
    expect(cors.headers(null)).toEqual({});
    expect(cors.preflight(null, "GET").headers).toEqual({ allow: "GET" });
  });
});

describe("listed origins", () => {
  const cors = new Cors({ allowOrigin: [page, "http://localhost:3000"] });

  test("are admitted by name", () => {
    expect(cors.headers(page)).toMatchObject({
      "access-control-allow-origin": page,
      vary: "Origin",
    });
  });

  test.each(["https://evil.example", `${page}.evil.example`, `${page}/`, "null", "", "*"])(
    "%j is none of them",
    (origin) => {
      expect(cors.headers(origin)).toEqual({ vary: "Origin" });
      expect(cors.preflight(origin, "GET").headers).toEqual({ allow: "GET" });
    },
  );

  test("a preflight lists the methods of the path", () => {
    expect(cors.preflight(page, "GET, HEAD")).toMatchObject({
      status: 204,
      body: null,
      headers: { allow: "GET, HEAD", "access-control-allow-methods": "GET, HEAD" },
    });
  });
});

test("no origin at all admits nobody, and nothing varies", () => {
  const cors = new Cors({ allowOrigin: [] });
  expect(cors.headers(page)).toEqual({});
  expect(cors.headers(null)).toEqual({});
});

describe("a write", () => {
  const own = "https://registry.example.com";
  const any = new Cors({ allowOrigin: ["*"], ownUrl: `${own}/` });
  const listed = new Cors({ allowOrigin: [page] });
  const host = { host: "10.0.0.1:5000" };
  const rows: [says: string, cors: Cors, headers: Record<string, string>, foreign: boolean][] = [
    ["of no page", any, {}, false],
    ["of the registry's own page", any, { "sec-fetch-site": "same-origin", origin: own }, false],
    ["of the user", any, { "sec-fetch-site": "none" }, false],
    ["of another page", any, { "sec-fetch-site": "cross-site", origin: page }, true],
    ["of another page that hides", any, { "sec-fetch-site": "cross-site", origin: "null" }, true],
    ["of another page without its origin", any, { "sec-fetch-site": "cross-site" }, true],
    ["of a sister's page", any, { "sec-fetch-site": "same-site", origin: page }, true],
    ["of a listed page", listed, { "sec-fetch-site": "cross-site", origin: page }, false],
    [
      "of a page like a listed one",
      listed,
      { "sec-fetch-site": "cross-site", origin: `${page}.x` },
      true,
    ],
    ["without TLS, of another page", any, { origin: "http://evil.example" }, true],
    ["without TLS, of a page that hides", any, { origin: "null" }, true],
    ["without TLS, of another port", any, { origin: "http://10.0.0.1:80" }, true],
    ["without TLS, of the own page", any, { origin: "http://10.0.0.1:5000" }, false],
    ["of the page behind a proxy", any, { origin: own }, false],
    ["of what is no origin", any, { origin: "nonsense" }, true],
  ];
  test.each(rows)("%s", (_, cors, headers, foreign) => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const problem = cors.problemOf(method, new Headers({ ...host, ...headers }), false);
      expect(problem).toBe(foreign ? "foreign-page" : null);
    }
    for (const method of ["GET", "HEAD", "OPTIONS"]) {
      expect(cors.problemOf(method, new Headers({ ...host, ...headers }), false)).toBeNull();
    }
  });

  test("is offered by a preflight to who may", () => {
    const offered = (cors: Cors) => cors.preflight(page, "GET, PUT, OPTIONS").headers;
    expect(offered(any)["access-control-allow-methods"]).toBe("GET, OPTIONS");
    expect(offered(listed)["access-control-allow-methods"]).toBe("GET, PUT, OPTIONS");
  });
});

describe("without logins, a browser", () => {
  const hosts = new OwnHosts({
    address: "registry.lan",
    externalUrl: "https://hub.example.com/r",
  });
  const none = new Cors({ allowOrigin: [], hosts });
  const listed = new Cors({ allowOrigin: [page], hosts });
  const any = new Cors({ allowOrigin: ["*"], hosts });
  const machine = hostname();

  const own = [
    "localhost:5000",
    "a.localhost",
    "127.0.0.1:5000",
    "127.9.9.9",
    "[::1]:5000",
    "192.0.2.7:443",
    `${machine}:5000`,
    machine.toUpperCase(),
    `${machine.split(".")[0]}.local`,
    "registry.lan:5000",
    "hub.example.com",
    "hub.example.com.:443",
  ];
  const foreign = [
    "evil.example:5000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "hub.example.com.x",
    "",
    "[::1",
    "1",
    "evil.example@127.0.0.1",
    "[evil.example]",
    `${machine}.evil.example`,
  ];
  const marks: Record<string, string>[] = [
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" },
    { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)" },
    { "accept-language": "en" },
    { referer: "http://evil.example:5000/" },
  ];
  const problem = (cors: Cors, method: string, host: string, headers: object, isOverTls = false) =>
    cors.problemOf(method, new Headers({ host, ...headers }), isOverTls);

  test.each(own)("asks by %j", (host) => {
    for (const mark of [...marks, { origin: `http://${host}` }]) {
      expect(problem(none, "GET", host, mark)).toBeNull();
    }
    expect(problem(none, "PUT", host, { "sec-fetch-site": "same-origin" })).toBeNull();
  });

  test.each(foreign)("does not ask by %j, and other programs may", (host) => {
    for (const method of ["GET", "HEAD", "OPTIONS", "POST", "DELETE"]) {
      for (const mark of marks) expect(problem(none, method, host, mark)).toBe("foreign-host");
      for (const agent of ["docker/27.0", "curl/8.5", "containers/5.36", "node"]) {
        const headers = { "user-agent": agent, "accept-language": "*" };
        expect(problem(none, method, host, headers)).toBeNull();
      }
    }
    // The page of the name itself.
    const origin = `http://${host}`;
    expect(problem(none, "POST", host, { origin })).not.toBeNull();
    expect(problem(none, "GET", host, { origin })).toBe("foreign-host");
  });

  test("asks by any name over TLS, for a page that is listed, and to read where any page may", () => {
    const mark = { "sec-fetch-site": "same-origin" };
    expect(problem(none, "PUT", "evil.example", mark, true)).toBeNull();
    expect(problem(listed, "PUT", "evil.example", { origin: page })).toBeNull();
    expect(problem(any, "GET", "evil.example", mark)).toBeNull();
    expect(problem(any, "PUT", "evil.example", mark)).toBe("foreign-host");
  });
});
