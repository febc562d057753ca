// Where answers point: relative, or below the external URL for whoever asked by its host.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { PublicUrl } from "./public_url.ts";

const path = "/v2/team/app/blobs/uploads/1";

function target(externalUrl: string | null, headers: Record<string, string>) {
  const warnings: string[] = [];
  const url = new PublicUrl(externalUrl, (line) => warnings.push(line));
  const first = url.targetOf(path, new Headers(headers));
  expect(url.targetOf(path, new Headers(headers))).toBe(first);
  expect(warnings.length).toBeLessThan(2);
  return { target: first, warning: warnings[0] ?? null };
}

const plain = "https://registry.example.com";
const below = "https://example.com/registry";

test.each<[string | null, Record<string, string>, string]>([
  [null, {}, path],
  [null, { host: "registry.example.com" }, path],
  [plain, { host: "registry.example.com" }, plain + path],
  [plain, { host: "REGISTRY.example.com:443" }, plain + path],
  [plain, { host: "registry.example.com:80" }, path],
  [plain, { host: "registry.example.com:5000" }, path],
  [plain, { host: "127.0.0.1:8080" }, path],
  [plain, { host: "evil.example" }, path],
  [plain, { host: "127.0.0.1", "x-forwarded-host": "registry.example.com" }, plain + path],
  [plain, { host: "zot", "x-forwarded-host": "registry.example.com, inner" }, plain + path],
  [plain, { host: "zot", "x-forwarded-host": "inner, registry.example.com" }, path],
  [below, { host: "example.com" }, below + path],
  [below, { host: "10.0.0.1" }, path],
  ["http://example.com:8080/r", { host: "example.com:8080" }, `http://example.com:8080/r${path}`],
  ["http://example.com", { host: "example.com:80" }, `http://example.com${path}`],
  ["http://[::1]:5000", { host: "[::1]:5000" }, `http://[::1]:5000${path}`],
])("%p, asked with %j, points at %s", (externalUrl, headers, expected) => {
  expect(target(externalUrl, headers).target).toBe(expected);
});

test.each<[string | null, Record<string, string>, RegExp | null]>([
  [null, { host: "x" }, null],
  [null, { "x-forwarded-prefix": "/" }, null],
  [null, { "x-forwarded-prefix": "no path\u00ff" }, null],
  [
    null,
    { "x-forwarded-prefix": "/registry" },
    /below \/registry .*got none.*https:\/\/<host>\/registry$/,
  ],
  [
    plain,
    { host: "registry.example.com", "x-forwarded-prefix": "/a/b/" },
    /below \/a\/b .*got https/,
  ],
  [below, { host: "example.com", "x-forwarded-prefix": "/registry" }, null],
  [
    below,
    { host: "zot:5000", "x-forwarded-prefix": "/registry" },
    /another host than example\.com/,
  ],
])("%p, asked with %j, warns %p", (externalUrl, headers, expected) => {
  const { warning } = target(externalUrl, headers);
  if (expected === null) expect(warning).toBeNull();
  else expect(warning).toMatch(expected);
});

test("nothing of a request gets into a target", () => {
  const value = fc.stringMatching(/^[\x21-\x7e]*$/);
  fc.assert(
    fc.property(value, value, value, (host, forwarded, prefix) => {
      const headers = { host, "x-forwarded-host": forwarded, "x-forwarded-prefix": prefix };
      expect([path, below + path]).toContain(target(below, headers).target);
    }),
  );
});
