// Hosts, URLs and origins: what is taken, what comes of it, and what is refused.

import { expect, test } from "bun:test";
import type * as z from "zod";
import { baseUrlOrNone, hostOrNone, listenAddress, origins, urlOrNone } from "./address_types.ts";

const plain = "https://registry.example.com";

const accepted: [z.ZodType, unknown, unknown][] = [
  ...[
    "0.0.0.0",
    "::",
    "::1",
    "fe80::1%eth0",
    "localhost",
    "registry.example.com",
    "my_host",
    "a-1.b",
  ].map((text): [z.ZodType, unknown, unknown] => [listenAddress, text, text]),
  [hostOrNone, "", null],
  [hostOrNone, "ldap.example.com", "ldap.example.com"],
  [hostOrNone, "10.0.0.1", "10.0.0.1"],
  [urlOrNone, "", null],
  [urlOrNone, "https://a.example/keys/?v=1", "https://a.example/keys/?v=1"],
  [baseUrlOrNone, "", null],
  [baseUrlOrNone, `${plain}:5000/`, `${plain}:5000`],
  [baseUrlOrNone, "http://example.com/oci//", "http://example.com/oci"],
  [baseUrlOrNone, "http://[::1]:5000", "http://[::1]:5000"],
  [origins, "", []],
  [origins, "*", ["*"]],
  [origins, " auto ", "auto"],
  [origins, ` ${plain}, ,http://localhost:3000 `, [plain, "http://localhost:3000"]],
  [origins, "chrome-extension://abcdef", ["chrome-extension://abcdef"]],
];

const refused: [z.ZodType, readonly unknown[]][] = [
  [
    listenAddress,
    ["", " ", "127.0.0.1:5000", "localhost:5000", "[::1]", "300.1.1.1", "1.2.3", "5", "::1:::2"],
  ],
  [listenAddress, ["127.0.0.1/8", "http://a", "-a", "a-", "a..b", "a.", "*", "a".repeat(64), 5]],
  [hostOrNone, ["ldaps://ldap.example.com", "ldap.example.com:636", "a b", null]],
  [
    urlOrNone,
    ["example.com", "ftp://example.com", "https://", "https://exa mple.com", "https://u@a"],
  ],
  [
    urlOrNone,
    ["https://u:p@a", "https://:p@a", "https:///a", "https://a/\u00fc", "https://a:99999"],
  ],
  [baseUrlOrNone, [`${plain}/?a=b`, `${plain}/?`, `${plain}/#a`, `${plain}/v2`, `${plain}/r/v2/`]],
  [origins, ["example.com", `${plain}/`, `${plain}/a`, `${plain}:443`, "https://*.example.com"]],
  [origins, ["https://a https://b", "https://u@a", "null", "HTTPS://A.example", ["https://a"]]],
];

for (const [type, value, expected] of accepted) {
  test(`${type.meta()?.title} takes ${JSON.stringify(value)}`, () => {
    expect(type.parse(value)).toEqual(expected);
  });
}

for (const [type, values] of refused) {
  for (const value of values) {
    test(`${type.meta()?.title} refuses ${JSON.stringify(value)}`, () => {
      expect(type.safeParse(value).error?.issues).toHaveLength(1);
    });
  }
}
