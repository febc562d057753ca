// Cross-origin headers, by what the configuration admits. What browsers get over HTTP: `test/http/cors.test.ts`.

import { describe, expect, test } from "bun:test";
import { Cors } from "./cors.ts";

const page = "https://ui.example.com";

describe("any origin", () => {
  const cors = new Cors(["*"]);

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
  const cors = new Cors([page, "http://localhost:3000"]);

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
  const cors = new Cors([]);
  expect(cors.headers(page)).toEqual({});
  expect(cors.headers(null)).toEqual({});
});

describe("a write", () => {
  const own = "https://registry.example.com";
  const any = new Cors(["*"], `${own}/`);
  const listed = new Cors([page]);
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
      expect(cors.isForeignWrite(method, new Headers({ ...host, ...headers }))).toBe(foreign);
    }
    for (const method of ["GET", "HEAD", "OPTIONS"]) {
      expect(cors.isForeignWrite(method, new Headers({ ...host, ...headers }))).toBe(false);
    }
  });

  test("is offered by a preflight to who may", () => {
    const offered = (cors: Cors) => cors.preflight(page, "GET, PUT, OPTIONS").headers;
    expect(offered(any)["access-control-allow-methods"]).toBe("GET, OPTIONS");
    expect(offered(listed)["access-control-allow-methods"]).toBe("GET, PUT, OPTIONS");
  });
});
