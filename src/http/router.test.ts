// The router: a table of cases, and a naive router that must agree with it on paths made at random.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Endpoint, Method } from "./endpoint.ts";
import { Router } from "./router.ts";

function row(
  name: string,
  methods: readonly Method[],
  path: string,
  when?: readonly string[],
): Endpoint<null> {
  return {
    name,
    spec: null,
    methods,
    path,
    ...(when === undefined ? {} : { when }),
    needs: "none",
    body: "none",
    answers: [],
    errors: [],
    says: "",
    run: () => Promise.reject(new Error("not run here")),
  };
}

const rows = [
  row("base", ["GET", "HEAD"], "/v2/"),
  row("base", ["GET", "HEAD"], "/v2"),
  row("catalog", ["GET"], "/v2/_catalog"),
  row("mount", ["POST"], "/v2/{name...}/blobs/uploads/", ["mount"]),
  row("both", ["POST"], "/v2/{name...}/blobs/uploads/", ["digest", "size"]),
  row("post", ["POST"], "/v2/{name...}/blobs/uploads/", ["digest"]),
  row("start", ["POST"], "/v2/{name...}/blobs/uploads/"),
  row("append", ["PATCH"], "/v2/{name...}/blobs/uploads/{upload}"),
  row("blob", ["GET", "HEAD"], "/v2/{name...}/blobs/{digest}"),
  row("deleteBlob", ["DELETE"], "/v2/{name...}/blobs/{digest}"),
  row("manifest", ["GET"], "/v2/{name...}/manifests/{reference}"),
  row("tags", ["GET"], "/v2/{name...}/tags/list"),
];
const router = new Router(rows);

/** Name of the row and its parameters; `Allow` when the method is wrong; null when nothing is there. */
function match(method: string, path: string, query: readonly string[] = []): unknown {
  const found = router.match(method, path, (name) => query.includes(name));
  if (found.kind === "no-path") return null;
  if (found.kind === "no-method") return found.allow;
  return [found.row.name, found.params];
}

describe("paths", () => {
  const cases: readonly (readonly [method: string, path: string, expected: unknown])[] = [
    ["GET", "/v2/", ["base", {}]],
    ["HEAD", "/v2", ["base", {}]],
    ["GET", "/v2/_catalog", ["catalog", {}]],
    ["GET", "/v2/a/tags/list", ["tags", { name: "a" }]],
    ["GET", "/v2/a/b/c/tags/list", ["tags", { name: "a/b/c" }]],
    ["GET", "/v2/a/blobs/x", ["blob", { name: "a", digest: "x" }]],
    ["GET", "/v2/a/blobs/manifests/latest", ["manifest", { name: "a/blobs", reference: "latest" }]],
    ["GET", "/v2/a/manifests/tags/list", ["tags", { name: "a/manifests" }]],
    ["GET", "/v2/tags/list/tags/list", ["tags", { name: "tags/list" }]],
    ["GET", "/v2/a/manifests/blobs/x", ["blob", { name: "a/manifests", digest: "x" }]],
    ["PATCH", "/v2/a/blobs/uploads/id", ["append", { name: "a", upload: "id" }]],
    [
      "PATCH",
      "/v2/blobs/uploads/blobs/uploads/id",
      ["append", { name: "blobs/uploads", upload: "id" }],
    ],
    ["GET", "/v2/a/manifests/", ["manifest", { name: "a", reference: "" }]],
    ["GET", "/v2//tags/list", ["tags", { name: "" }]],
    ["GET", "/v2/a//b/tags/list", ["tags", { name: "a//b" }]],
    ["GET", "/v2/tags/list", null],
    ["GET", "/v2/a/tags/list/", null],
    ["GET", "/v2/a", null],
    ["GET", "/", null],
    ["GET", "", null],
    ["GET", "v2/", null],
    ["GET", "/V2/", null],
  ];

  test.each([...cases])("%s %s", (method, path, expected) => {
    expect(match(method, path)).toEqual(expected);
  });
});

describe("encoding", () => {
  const cases: readonly (readonly [path: string, expected: unknown])[] = [
    ["/v2/a/manifests/sha256%3Aab", ["manifest", { name: "a", reference: "sha256:ab" }]],
    ["/v2/%61/tags/list", ["tags", { name: "a" }]],
    ["/v2/a%2Fb/tags/list", null],
    ["/v2/a%2fb/tags/list", null],
    ["/v2/a/manifests/x%2Fy", null],
    // Encoded once, decoded once.
    ["/v2/a/manifests/x%252Fy", ["manifest", { name: "a", reference: "x%2Fy" }]],
    ["/v2/a/manifests/%2e%2e", ["manifest", { name: "a", reference: ".." }]],
    ["/v2/a/manifests/%00", ["manifest", { name: "a", reference: "\0" }]],
    ["/v2/a/manifests/%E4%B8%96", ["manifest", { name: "a", reference: "世" }]],
    ["/v2/a/manifests/%ff", null],
    ["/v2/a/manifests/%", null],
    ["/v2/a/manifests/%zz", null],
    // What separates is compared as it was written.
    ["/v2/a/%6danifests/x", null],
    ["/v%32/", null],
  ];

  test.each([...cases])("%s", (path, expected) => {
    expect(match("GET", path)).toEqual(expected);
  });
});

describe("methods and parameters", () => {
  test("a path with another method says what it serves", () => {
    expect(match("POST", "/v2/")).toBe("GET, HEAD, OPTIONS");
    expect(match("PUT", "/v2/a/blobs/x")).toBe("GET, HEAD, DELETE, OPTIONS");
    expect(match("GET", "/v2/a/blobs/uploads/")).toBe("POST, OPTIONS");
    expect(match("get", "/v2/")).toBe("GET, HEAD, OPTIONS");
    expect(router.methodsOf("/v2/{name...}/blobs/{digest}")).toEqual([
      "GET",
      "HEAD",
      "DELETE",
      "OPTIONS",
    ]);
  });

  test("rows of one path and method are told apart by what the query has", () => {
    const path = "/v2/a/blobs/uploads/";
    const params = { name: "a" };
    expect(match("POST", path)).toEqual(["start", params]);
    expect(match("POST", path, ["digest"])).toEqual(["post", params]);
    expect(match("POST", path, ["size"])).toEqual(["start", params]);
    expect(match("POST", path, ["digest", "size"])).toEqual(["both", params]);
    expect(match("POST", path, ["digest", "mount"])).toEqual(["mount", params]);
  });
});

describe("against a naive router", () => {
  /** The first pattern of the table that fits as a regular expression decides the resource. */
  function naive(method: string, path: string, query: readonly string[]): unknown {
    for (const { path: pattern } of rows) {
      const names: string[] = [];
      const source = pattern.replaceAll(/\{(\w+)(\.\.\.)?\}/g, (_, name: string, many?: string) => {
        names.push(name);
        return many === undefined ? "([^/]*)" : "(.*)";
      });
      const groups = new RegExp(`^${source}$`, "s").exec(path);
      if (groups === null) continue;
      let params: Record<string, string>;
      try {
        const decoded = groups.slice(1).map((raw) => raw.split("/").map(decodeURIComponent));
        if (decoded.flat().some((segment) => segment.includes("/"))) return null;
        params = Object.fromEntries(decoded.map((parts, at) => [names[at], parts.join("/")]));
      } catch {
        return null;
      }
      const resource = rows.filter((candidate) => candidate.path === pattern);
      const served = resource.find(
        (candidate) =>
          candidate.methods.includes(method as Method) &&
          (candidate.when ?? []).every((name) => query.includes(name)),
      );
      if (served !== undefined) return [served.name, params];
      const allowed = new Set<string>(resource.flatMap(({ methods }) => methods));
      return [...allowed, "OPTIONS"].join(", ");
    }
    return null;
  }

  const segment = fc.constantFrom(
    "a",
    "v2",
    "",
    "blobs",
    "uploads",
    "manifests",
    "tags",
    "list",
    "_catalog",
    "%2F",
    "%3A",
    "%",
    "..",
    "b%20c",
  );
  const path = fc.array(segment, { maxLength: 8 }).map((segments) => `/v2/${segments.join("/")}`);
  const method = fc.constantFrom("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "BREW");
  const query = fc.subarray(["digest", "mount", "size"]);

  test("both agree on every path", () => {
    fc.assert(
      fc.property(method, path, query, (method, path, query) => {
        expect(match(method, path, query)).toEqual(naive(method, path, query));
      }),
      { numRuns: 3_000 },
    );
  });
});
