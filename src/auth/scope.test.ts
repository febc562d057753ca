// Scopes: the grammar of the distribution token specification, and what keys and tokens allow.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isCatalogEntry, keyScope, parseScope, parseScopes, scopeOf } from "./scope.ts";

test.each([
  ["repository:a:pull", { type: "repository", name: "a", actions: ["pull"] }],
  ["repository:a/b:pull,push", { type: "repository", name: "a/b", actions: ["pull", "push"] }],
  ["repository:host:5000/a:pull", { type: "repository", name: "host:5000/a", actions: ["pull"] }],
  ["repository(plugin):a:pull", { type: "repository", name: "a", actions: ["pull"] }],
  ["registry:catalog:*", { type: "registry", name: "catalog", actions: ["*"] }],
  ["repository:a:", { type: "repository", name: "a", actions: [] }],
  ["", null],
  ["repository", null],
  ["repository:a", null],
  ["repository::pull", null],
  [":a:pull", null],
  [`repository:${"a".repeat(5000)}:pull`, null],
])("%p", (text, entry) => {
  expect(parseScope(text)).toEqual(entry);
});

test("scopes may be repeated, and stand several in one parameter", () => {
  const entries = parseScopes(["repository:a:pull repository:b:push", "", "bad", "x:y:z"]);
  expect(entries.map(({ name }) => name)).toEqual(["a", "b", "y"]);
  expect(parseScopes(Array.from({ length: 500 }, () => "repository:a:pull"))).toHaveLength(100);
});

test("the entries of one repository add up, * is every action, unknown ones grant nothing", () => {
  const scope = scopeOf([
    { type: "repository", name: "a", actions: ["pull"] },
    { type: "repository", name: "a", actions: ["push"] },
    { type: "repository", name: "b", actions: ["*"] },
    { type: "repository", name: "c", actions: ["read", "PULL", "admin"] },
    { type: "image", name: "d", actions: ["pull"] },
  ]);
  expect(scope.allows("pull", "a") && scope.allows("push", "a")).toBe(true);
  expect(scope.allows("delete", "a")).toBe(false);
  expect(scope.allows("delete", "b")).toBe(true);
  expect(scope.allows("pull", "c")).toBe(false);
  expect(scope.allows("pull", "d")).toBe(false);
  expect(scope.allows("pull", "A")).toBe(false);
  expect(scope.allows("pull", "__proto__")).toBe(false);
  expect(scope.catalog).toBe(false);
  expect(isCatalogEntry({ type: "registry", name: "catalog", actions: ["*"] })).toBe(true);
  expect(isCatalogEntry({ type: "registry", name: "catalog", actions: ["pull"] })).toBe(false);
});

describe("scopes of API keys", () => {
  const scope = (texts: string[]) => {
    const read = keyScope(texts);
    if ("problem" in read) throw new Error(read.problem);
    return read.scope;
  };

  test("an empty list narrows nothing", () => expect(scope([])).toBeNull());

  test("are no way to make every request dear: what they unfold to is bounded", () => {
    const plain = Array.from({ length: 50 }, (_, at) => `team/${"x".repeat(100)}${at}/**`);
    expect(keyScope(plain)).toHaveProperty("scope");
    const braces = `${"{a,b}".repeat(6)}${"*a".repeat(130)}`;
    expect(keyScope([braces])).toMatchObject({
      problem: "Expected scopes that unfold to up to 8192 characters together, got more",
    });
    const many = Array.from({ length: 50 }, () => `{a,b}{a,b}/${"*a".repeat(60)}`);
    expect(keyScope(many)).toHaveProperty("problem");
    expect(keyScope(many.slice(0, 10))).toHaveProperty("scope");
  });

  test("a name or glob alone is every action, with actions only those", () => {
    const key = scope(["repo1", "team/**", "repository:lib/*:pull"]);
    expect(key?.allows("delete", "repo1")).toBe(true);
    expect(key?.allows("push", "team/a/b")).toBe(true);
    expect(key?.allows("pull", "lib/a")).toBe(true);
    expect(key?.allows("push", "lib/a")).toBe(false);
    expect(key?.allows("pull", "repo2")).toBe(false);
    expect(key?.catalog).toBe(true);
    expect(key?.lists("team/a/b")).toBe(true);
    expect(key?.lists("repo2")).toBe(false);
  });

  test("the catalog alone is the whole list, and no pull", () => {
    const key = scope(["registry:catalog:*"]);
    expect([key?.catalog, key?.lists("a"), key?.allows("pull", "a")]).toEqual([true, true, false]);
    expect(scope(["registry:catalog:*", "a"])?.lists("b")).toBe(false);
    expect(scope(["repository:a:push"])?.lists("a")).toBe(false);
  });

  test.each([
    "repository:a:admin",
    "image:a:pull",
    "registry:catalog:pull",
    "a[",
    "repository:[:pull",
  ])("%p is refused", (text) => expect(keyScope([text])).toHaveProperty("problem"));
});

test("reading scopes never throws", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (texts) => {
      scopeOf(parseScopes(texts));
      keyScope(texts);
    }),
  );
});
