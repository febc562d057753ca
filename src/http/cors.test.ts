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
