// Tables: how people write a registry's address, and what references in answers resolve to.
import { describe, expect, test } from "bun:test";
import { ClientError } from "./client_error.ts";
import {
  formatAddress,
  formatHost,
  parseAbsolute,
  parseRegistryUrl,
  resolveAddress,
  withQuery,
} from "./registry_url.ts";

describe("parseRegistryUrl", () => {
  const rows: [string, boolean, string, number, string][] = [
    ["127.0.0.1:5000", false, "127.0.0.1", 5000, ""],
    ["localhost", false, "localhost", 80, ""],
    ["registry.example.com", true, "registry.example.com", 443, ""],
    ["registry.example.com:5000", true, "registry.example.com", 5000, ""],
    ["http://registry.example.com", false, "registry.example.com", 80, ""],
    ["HTTPS://Registry.Example.com/", true, "registry.example.com", 443, ""],
    ["https://example.com/proxy/", true, "example.com", 443, "/proxy"],
    ["https://example.com/v2/", true, "example.com", 443, ""],
    ["http://[::1]:8080", false, "::1", 8080, ""],
    ["[::1]:8080", false, "::1", 8080, ""],
    [" 127.0.0.1:1 ", false, "127.0.0.1", 1, ""],
  ];
  test.each(rows)("%s", (text, tls, host, port, prefix) => {
    expect(parseRegistryUrl(text)).toEqual({ origin: { tls, host, port }, prefix });
  });

  const refused = [
    "",
    "ftp://example.com",
    "http://",
    "exa mple.com",
    "host:99999",
    "host:0",
    "a:b:c",
  ];
  test.each(refused)("refuses %j and says what was expected", (text) => {
    expect(() => parseRegistryUrl(text)).toThrow(ClientError);
    expect(() => parseRegistryUrl(text)).toThrow(/expected host, host:port/);
  });
});

describe("resolveAddress", () => {
  const base = {
    origin: { tls: false, host: "h", port: 5000 },
    target: "/v2/a/blobs/uploads/?x=1",
  };
  const rows: [string, string | null][] = [
    ["/v2/a/blobs/uploads/1?_state=a%2Fb", "http://h:5000/v2/a/blobs/uploads/1?_state=a%2Fb"],
    ["/../raw//path", "http://h:5000/../raw//path"],
    ["https://other.example.com/x", "https://other.example.com/x"],
    ["//other:1/x", "http://other:1/x"],
    ["1", "http://h:5000/v2/a/blobs/uploads/1"],
    ["../b/./1?x=../y", "http://h:5000/v2/a/blobs/b/1?x=../y"],
    ["..", "http://h:5000/v2/a/blobs/"],
    ["../../../../../../1", "http://h:5000/1"],
    ["?y=2", "http://h:5000/v2/a/blobs/uploads/?y=2"],
    ["http://h:5000", "http://h:5000/"],
    ["http://user:secret@h:1/x", "http://h:1/x"],
    ["ftp://h/x", null],
    ["http://h:99999/", null],
  ];
  test.each(rows)("%s", (reference, expected) => {
    const address = resolveAddress(reference, base);
    expect(address === null ? null : formatAddress(address)).toBe(expected);
  });
});

test("withQuery appends to what is there and encodes values", () => {
  expect(withQuery("/u", [["digest", "sha256:a"]])).toBe("/u?digest=sha256%3Aa");
  expect(
    withQuery("/u?s=1", [
      ["a", "x y"],
      ["b", "+"],
    ]),
  ).toBe("/u?s=1&a=x%20y&b=%2B");
  expect(withQuery("/u", [])).toBe("/u");
});

test("formatHost leaves the scheme's own port out and brackets IPv6", () => {
  expect(formatHost({ tls: true, host: "h", port: 443 })).toBe("h");
  expect(formatHost({ tls: false, host: "h", port: 443 })).toBe("h:443");
  expect(formatHost({ tls: false, host: "::1", port: 80 })).toBe("[::1]");
  expect(parseAbsolute("not a url")).toBeNull();
});
